//! What both awaited sides do with a byte stream: write together, write at once, keep time.

use crate::link::Link;
use ipc_async::Async;
use ipc_core::{ByteSink, ByteSource, ErrorKind, Interest, Until};
use rpc_core::{Code, Status};
use rpc_transport::Wire;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Task, Poll, Waker};
use std::time::Instant;

/// The state of one side, behind the lock of its connection.
pub(crate) trait Side: Send + 'static {
    /// The part of the machine that both sides have.
    fn link(&mut self) -> &mut Link;
    /// What the writing and the timing task wait for.
    fn outlet(&mut self) -> &mut Outlet;
    /// There is room again for what waits to be sent.
    fn has_room(&mut self);
    /// The connection is over: every call ends.
    fn lost(&mut self, status: &Status);
}

#[derive(Debug, Default)]
pub(crate) struct Outlet {
    writer: Option<Waker>,
    /// The writer has been woken and has not finished.
    writing: bool,
    timer: Option<Waker>,
    /// When the timer will look.
    timer_at: Option<Instant>,
    /// The timer knows that the peer has greeted.
    greeted: bool,
}

pub(crate) struct Io<S> {
    pub(crate) wire: Async<Wire>,
    state: Mutex<S>,
}

impl<S: Side> Io<S> {
    pub(crate) fn new(wire: Wire, state: S) -> ipc_core::Result<Self> {
        Ok(Self {
            wire: Async::new(wire)?,
            state: Mutex::new(state),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that what is to be sent is sent: here where `at_once` says that nobody will add
    /// to it, else by the writer, which sends what many have put together.
    pub(crate) fn flush(&self, state: &mut S, at_once: bool) {
        if state.link().is_flushed() || state.outlet().writing {
            return;
        }
        if at_once && self.write_now(state) {
            return;
        }
        let outlet = state.outlet();
        outlet.writing = true;
        wake(&mut outlet.writer);
    }

    /// Writes what fits; true when nothing is left.
    pub(crate) fn write_now(&self, state: &mut S) -> bool {
        let wire = self.wire.get_ref();
        let write = |head: &[u8], body: &[u8]| wire.write_until(head, body, Until::Now);
        match state.link().write(write) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => {
                state.link().forget_output();
                self.cannot_write(state, &error);
                return true;
            }
        }
        // What a layer below has taken (TLS) may not be wholly out.
        match wire.pay_until(Until::Now) {
            Err(error) => error.kind() != ErrorKind::WouldBlock,
            Ok(()) => true,
        }
    }

    /// What was to be said is lost, and with it the order of frames.
    fn cannot_write(&self, state: &mut S, error: &ipc_core::Error) {
        match error.kind() {
            // The reader sees the end, after what the peer still had to say.
            ErrorKind::Closed | ErrorKind::PeerDied => {}
            _ => {
                let text = format!("the connection takes no more: {error}");
                state.lost(&Status::new(Code::Unavailable, text));
            }
        }
        // So both readers see an end, ours and the peer's, where only this write has failed.
        self.wire.get_ref().shut_down();
    }

    /// Reads what there is, at least one byte; `Ok(0)` at the end.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> ipc_core::Result<usize> {
        if self.wire.get_ref().short_reads_empty_it() {
            return self.wire.read(buffer).await;
        }
        let attempt = |wire: &Wire| wire.read_until(&mut *buffer, Until::Now);
        self.wire.ready(Interest::Read, attempt).await
    }

    /// Wakes the timer, if it would look too late, or for nothing once the peer has greeted. What
    /// else it was armed for it forgets when it looks: disarming it for each frame would cost more.
    pub(crate) fn look_at_clock(state: &mut S) {
        let wakes = state.link().wakes();
        let greeted = state.link().theirs.is_some();
        let outlet = state.outlet();
        let late = wakes.is_some_and(|at| outlet.timer_at.is_none_or(|armed| at < armed));
        if late || greeted != outlet.greeted {
            outlet.greeted = greeted;
            wake(&mut outlet.timer);
        }
    }
}

/// The task that writes what was not written at once.
pub(crate) async fn write<S: Side>(io: Arc<Io<S>>) {
    loop {
        poll_fn(|task| {
            let mut state = io.lock();
            let outlet = state.outlet();
            if outlet.writing {
                return Poll::Ready(());
            }
            remember(&mut outlet.writer, task);
            Poll::Pending
        })
        .await;
        let written = io
            .wire
            .ready(Interest::Write, |_| {
                let mut state = io.lock();
                match io.write_now(&mut state) {
                    true => Ok(()),
                    false => Err(Until::Now.over("write")),
                }
            })
            .await;
        if written.is_err() {
            return;
        }
        let mut state = io.lock();
        state.outlet().writing = !state.link().is_flushed();
        state.has_room();
    }
}

/// The task that calls the machine when its time has come.
pub(crate) async fn keep_time<S: Side>(io: Arc<Io<S>>) {
    let mut sleep: Option<Pin<Box<tokio::time::Sleep>>> = None;
    poll_fn(|task| {
        let mut guard = io.lock();
        let state = &mut *guard;
        loop {
            state.link().tick(Instant::now());
            if let Some(status) = state.link().ended.clone() {
                state.lost(&status);
                io.write_now(state);
                return Poll::Ready(());
            }
            io.flush(state, false);
            let wakes = state.link().wakes();
            let outlet = state.outlet();
            remember(&mut outlet.timer, task);
            outlet.timer_at = wakes;
            let Some(at) = wakes else {
                // Not to be woken for nothing.
                sleep = None;
                return Poll::Pending;
            };
            let next = sleep.insert(Box::pin(tokio::time::sleep_until(at.into())));
            if next.as_mut().poll(task).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
}

pub(crate) fn remember(slot: &mut Option<Waker>, task: &Task<'_>) {
    match slot {
        Some(waker) => waker.clone_from(task.waker()),
        None => *slot = Some(task.waker().clone()),
    }
}

pub(crate) fn wake(slot: &mut Option<Waker>) {
    if let Some(waker) = slot.take() {
        waker.wake();
    }
}
