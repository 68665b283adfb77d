//! Waits that are cancelled: no message is lost, and no waiter stays behind.

use crate::kinds;
use ipc_async::{Async, Interest, Runtime, Smol, Tokio, WaitSet};
use ipc_core::{Flush, TryRecv, TrySend};
use ipc_testkit::crash::Lab;
use ipc_testkit::soak;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Cancels in a turn while nothing is there; those that may find something are not counted.
const CANCELS_A_TURN: u64 = 3;

/// Built for a test as few as a test may have.
fn count(lab: &Lab) -> u64 {
    match cfg!(debug_assertions) {
        true => lab.count(4_000, 100_000, 1_000_000),
        false => lab.count(1_000_000, 10_000_000, 100_000_000),
    }
}

/// Polls `future` once and drops it.
fn cancelled<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Runs a turn in the runtime, again while it is pending.
pub(crate) type Block<'a> = dyn FnMut(&mut dyn FnMut() -> Poll<()>) + 'a;
/// What one poll of a verb with message `number` came to, where it did not wait.
type Polled = Option<Result<(), String>>;

/// A value that is made in the runtime.
pub(crate) fn inside<V>(block: &mut Block<'_>, make: impl FnOnce() -> V) -> V {
    let (mut make, mut made) = (Some(make), None);
    block(&mut || {
        made = make.take().map(|make| make());
        Poll::Ready(())
    });
    made.expect("it ran")
}

/// [`turns`] of endpoints that send bytes.
pub(crate) fn messages<S, T, R>(
    lab: &mut Lab,
    what: &str,
    runtime: &R,
    ends: (S, T),
    block: &mut Block<'_>,
) where
    S: TrySend + Flush + Send + Sync + 'static,
    T: TryRecv + Send + Sync + 'static,
    R: Runtime,
{
    let tx = inside(block, || {
        Async::on(runtime.clone(), ends.0).expect("registered")
    });
    let rx = inside(block, || {
        Async::on(runtime.clone(), ends.1).expect("registered")
    });
    let mut send = |number| {
        let stamped = soak::stamp(number);
        let sent = cancelled(tx.send(&stamped))?;
        Some(sent.map_err(|error| error.to_string()))
    };
    let mut recv = |number| {
        let mut buffer = [0; soak::MESSAGE_BYTES];
        let came = cancelled(rx.recv(&mut buffer))?;
        Some(match came {
            Ok(length) => soak::check(number, &buffer[..length]),
            Err(error) => Err(error.to_string()),
        })
    };
    turns(lab, &on::<R>(what), block, &mut send, &mut recv);
}

/// [`turns`] of something that happens to `endpoint`: `happen` does it, `take` is its try form and
/// says whether it was what should have happened.
pub(crate) fn happenings<T, R>(
    lab: &mut Lab,
    what: &str,
    endpoint: &Async<T, R>,
    block: &mut Block<'_>,
    mut happen: impl FnMut(u64) -> ipc_async::Result<()>,
    mut take: impl FnMut(&T, u64) -> ipc_async::Result<bool>,
) where
    T: ipc_core::Pollable + Send + Sync + 'static,
    R: Runtime,
{
    let mut send = |number| Some(happen(number).map_err(|error| error.to_string()));
    let mut recv = |number| {
        let waiting = endpoint.ready(Interest::Read, |endpoint| take(endpoint, number));
        Some(match cancelled(waiting)? {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("not what happened in turn {number}")),
            Err(error) => Err(error.to_string()),
        })
    };
    turns(lab, &on::<R>(what), block, &mut send, &mut recv);
}

/// What is awaited, and on which runtime.
fn on<R>(what: &str) -> String {
    let runtime = std::any::type_name::<R>().rsplit("::").next();
    format!("{what} on {}", runtime.unwrap_or_default())
}

/// Sends messages and receives each, with waits cancelled before and in between.
fn turns(
    lab: &mut Lab,
    what: &str,
    block: &mut Block<'_>,
    send: &mut dyn FnMut(u64) -> Polled,
    recv: &mut dyn FnMut(u64) -> Polled,
) {
    let cancels = count(lab);
    let what = format!("{what}: {cancels} waits cancelled");
    soak::repeat(lab, "A1", &what, cancels / CANCELS_A_TURN + 1, |number| {
        let mut outcome = Ok(());
        block(&mut || {
            for _ in 0..CANCELS_A_TURN {
                if recv(number).is_some() {
                    outcome = Err("a message that nobody sent".to_owned());
                }
            }
            Poll::Ready(())
        });
        outcome?;
        // A send that is cancelled has sent nothing, and is made again.
        until_done(block, &mut || send(number))?;
        let mut came = None;
        for _ in 0..2 {
            block(&mut || {
                if came.is_none() {
                    came = recv(number);
                }
                Poll::Ready(())
            });
        }
        match came {
            Some(came) => came,
            None => until_done(block, &mut || recv(number)),
        }
    });
}

fn until_done(block: &mut Block<'_>, poll: &mut dyn FnMut() -> Polled) -> Result<(), String> {
    let mut outcome = None;
    block(&mut || {
        outcome = poll();
        match outcome {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    });
    outcome.expect("it is done")
}

pub(crate) fn on_tokio(lab: &mut Lab) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let mut block = |turn: &mut dyn FnMut() -> Poll<()>| {
        runtime.block_on(async {
            // The reactor has its turn between two polls.
            while turn().is_pending() {
                tokio::task::yield_now().await;
            }
        });
    };
    kinds::each(lab, &Tokio, &mut block);
}

pub(crate) fn on_smol(lab: &mut Lab) {
    let executor = Arc::new(async_executor::Executor::new());
    // Its thread, and what it keeps, are there before anything is counted.
    async_io::block_on(async_io::Timer::after(std::time::Duration::ZERO));
    let mut block = |turn: &mut dyn FnMut() -> Poll<()>| {
        async_io::block_on(executor.run(std::future::poll_fn(|task| {
            let done = turn();
            if done.is_pending() {
                task.waker().wake_by_ref();
            }
            done
        })));
    };
    kinds::each(lab, &Smol::new(Arc::clone(&executor)), &mut block);
}

/// Endpoints that come into a set and go, some of them by being dropped.
pub(crate) fn members_of_a_set(lab: &mut Lab) {
    let turns = count(lab) / 4;
    let set = WaitSet::new();
    let mut ready = Vec::new();
    let what = "wait set: endpoints and timers added, told, removed or dropped";
    soak::repeat(lab, "A2", what, turns, |number| {
        let error = |error: ipc_async::Error| error.to_string();
        let (tx, rx) = ipc_pipe::pair().map_err(error)?;
        let rx = Arc::new(rx);
        let kept = set.add(Arc::clone(&rx), number).map_err(error)?;
        set.add_weak(&rx, Interest::Read, number).map_err(error)?;
        let timer = set
            .every(std::time::Duration::from_nanos(1), number)
            .map_err(error)?;
        tx.send(b"x").map_err(error)?;
        set.wait_many(&mut ready).map_err(error)?;
        if ready.iter().any(|key| *key != number) {
            return Err(format!("told of {ready:?} in turn {number}"));
        }
        match set.remove(kept) && set.remove(timer) {
            true => Ok(()),
            false => Err("what was added is not there".to_owned()),
        }
    });
}
