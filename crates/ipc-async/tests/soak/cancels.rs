//! Waits that are cancelled: no message is lost, and no waiter stays behind.

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
        true => lab.count(10_000, 100_000, 1_000_000),
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

type Block<'a> = dyn FnMut(&mut dyn FnMut() -> Poll<()>) + 'a;

/// Sends stamped messages and receives each, with waits cancelled before and in between.
fn turns<S, T, R>(lab: &mut Lab, what: &str, runtime: &R, ends: (S, T), block: &mut Block<'_>)
where
    S: TrySend + Flush + Send + Sync + 'static,
    T: TryRecv + Send + Sync + 'static,
    R: Runtime,
{
    let (mut tx, mut rx) = (None, None);
    let (mut first, mut second) = (Some(ends.0), Some(ends.1));
    block(&mut || {
        let on = |runtime: &R| runtime.clone();
        if let (Some(sender), Some(receiver)) = (first.take(), second.take()) {
            tx = Some(Async::on(on(runtime), sender).expect("registered"));
            rx = Some(Async::on(on(runtime), receiver).expect("registered"));
        }
        Poll::Ready(())
    });
    let (tx, rx) = (tx.expect("made"), rx.expect("made"));
    let cancels = count(lab);
    let what = format!("{what}: {cancels} waits cancelled");
    soak::repeat(lab, "A1", &what, cancels / CANCELS_A_TURN, |number| {
        let stamped = soak::stamp(number);
        let mut buffer = [0; soak::MESSAGE_BYTES];
        let mut came = None;
        let mut outcome = Ok(());
        block(&mut || {
            for _ in 0..CANCELS_A_TURN {
                if cancelled(rx.recv(&mut buffer)).is_some() {
                    outcome = Err("a message that nobody sent".to_owned());
                }
            }
            Poll::Ready(())
        });
        outcome?;
        // A send that is cancelled has sent nothing, and is made again.
        let mut sent = Ok(());
        block(&mut || match cancelled(tx.send(&stamped)) {
            Some(done) => {
                sent = done;
                Poll::Ready(())
            }
            None => Poll::Pending,
        });
        sent.map_err(|error| error.to_string())?;
        for _ in 0..2 {
            block(&mut || {
                if came.is_none() {
                    came = cancelled(rx.recv(&mut buffer));
                }
                Poll::Ready(())
            });
        }
        if came.is_none() {
            block(&mut || {
                came = cancelled(rx.recv(&mut buffer));
                match came {
                    Some(_) => Poll::Ready(()),
                    None => Poll::Pending,
                }
            });
        }
        let length = came.expect("awaited").map_err(|error| error.to_string())?;
        soak::check(number, &buffer[..length])
    });
}

macro_rules! mechanisms {
    ($lab:ident, $runtime:expr, $block:expr) => {{
        let runtime = $runtime;
        let pipe = ipc_pipe::Options::new()
            .record(true)
            .pair()
            .expect("a pipe");
        turns($lab, "pipe", &runtime, pipe, $block);
        let sockets = ipc_uds::pair().expect("sockets");
        let framed = (sockets.0.framed(), sockets.1.framed());
        turns($lab, "framed Unix stream", &runtime, framed, $block);
        let ring = ipc_ring::pair().expect("a ring");
        turns($lab, "ring", &runtime, ring, $block);
        let queue = ipc_ring::Options::new().queue().expect("a queue");
        let members = (
            queue.producer().expect("one"),
            queue.consumer().expect("one"),
        );
        turns($lab, "queue", &runtime, members, $block);
        let sockets = ipc_net::pair().expect("sockets");
        let framed = (sockets.0.framed(), sockets.1.framed());
        turns($lab, "framed TCP", &runtime, framed, $block);
    }};
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
    mechanisms!(lab, Tokio, &mut block);
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
    mechanisms!(lab, Smol::new(Arc::clone(&executor)), &mut block);
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
