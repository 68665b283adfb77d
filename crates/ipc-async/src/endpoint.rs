//! Any pollable endpoint, with `.await`.

use crate::looking::Looking;
use crate::readiness::{Shared, shutting_down};
use crate::registration::Registration;
use crate::runtime::{Runtime, Seen, Watch};
use ipc_core::{ByteSource, ErrorKind, Interest, Pollable, Result, Until};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Waker, ready};

macro_rules! declare {
    ($($default:tt)*) => {
        /// An endpoint of any mechanism, registered with a runtime (tokio, unless
        /// [`on`](Async::on) another): its verbs with `.await`.
        ///
        /// A future that is dropped has done nothing: no byte sent, no message taken. A send that
        /// has begun is done, also where its tail does not fit yet: a task of the runtime writes
        /// the rest, even after this value is dropped. [`flush`](Async::flush) waits for it.
        #[cfg_attr(feature = "tokio", doc = "
```
use ipc_async::Async;
# tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
let (tx, rx) = ipc_pipe::pair()?;
let (tx, rx) = (Async::new(tx)?, Async::new(rx)?);
tx.send(b\"hello\").await?;
let mut bytes = [0; 16];
assert_eq!(rx.recv(&mut bytes).await?, 5);
# Ok::<(), ipc_async::Error>(()) }).unwrap();
```
        ")]
        #[derive(Debug)]
        pub struct Async<T, R: Runtime $($default)*> {
            shared: Arc<Shared<T, R>>,
            room: RoomWait<R>,
        }
    };
}

// Without the feature there is no runtime to take where none is named.
#[cfg(feature = "tokio")]
declare!(= crate::Tokio);
#[cfg(not(feature = "tokio"))]
declare!();

/// A poll function's wait for room, where that takes a registration of its own: a task waits, and
/// ends with the endpoint.
#[derive(Debug)]
struct RoomWait<R: Runtime> {
    state: Arc<Mutex<RoomState>>,
    task: Mutex<Option<R::Task>>,
}

#[derive(Debug, Default)]
struct RoomState {
    running: bool,
    waker: Option<Waker>,
}

impl<R: Runtime> RoomWait<R> {
    fn new() -> Self {
        Self {
            state: Arc::default(),
            task: Mutex::new(None),
        }
    }
}

impl<R: Runtime> Drop for RoomWait<R> {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            R::stop(task);
        }
    }
}

#[cfg(feature = "tokio")]
impl<T: Pollable + Send + Sync + 'static> Async<T> {
    /// Registers `endpoint` with the tokio runtime of the caller.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] outside a tokio runtime; [`ErrorKind::Other`] where the
    /// descriptor cannot be watched (a regular file, or one that is registered already).
    ///
    /// # Panics
    /// In a runtime whose input and output are not enabled, as tokio itself does. So do its verbs
    /// later, where they are awaited outside a tokio runtime and need a task or a thread of one.
    pub fn new(endpoint: T) -> Result<Self> {
        Self::on(crate::Tokio, endpoint)
    }
}

impl<T: Pollable + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Registers `endpoint` with `runtime`.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] where the descriptor cannot be watched (a regular file, or one that
    /// is registered already); what `runtime` says besides.
    pub fn on(runtime: R, endpoint: T) -> Result<Self> {
        let registration = Registration::new(&runtime, endpoint)?;
        Ok(Self {
            shared: Arc::new(Shared {
                registration,
                runtime,
                paying: AtomicBool::new(false),
                looking: Looking::default(),
            }),
            room: RoomWait::new(),
        })
    }
}

impl<T, R: Runtime> Async<T, R> {
    pub(crate) fn runtime(&self) -> &R {
        &self.shared.runtime
    }

    /// The endpoint: its try forms and what else it can do.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.shared.registration.endpoint()
    }

    /// The endpoint, not registered any more; `self` again while a task or thread of the runtime
    /// has it: one that writes a tail, or one that still waits for what nobody awaits any more.
    ///
    /// # Errors
    /// `self`, to be [flushed](Async::flush) first, or asked again.
    pub fn into_inner(self) -> Result<T, Self> {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.registration.into_endpoint()),
            Err(shared) => Err(Self {
                shared,
                room: RoomWait::new(),
            }),
        }
    }
}

impl<T: Pollable + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Awaits any try form: `attempt` is called when the endpoint may be ready for `interest`,
    /// until it answers anything but [`ErrorKind::WouldBlock`]. What it leaves owed is written by
    /// a task of the runtime.
    ///
    /// Nothing is lost when the future is dropped, since it never waits after an attempt that has
    /// done something.
    ///
    /// # Errors
    /// What `attempt` answers.
    pub async fn ready<V>(
        &self,
        interest: Interest,
        attempt: impl FnMut(&T) -> Result<V>,
    ) -> Result<V> {
        let outcome = self.shared.ready(interest, attempt).await;
        self.pay_in_background();
        outcome
    }

    /// [`ready`](Async::ready) without a future, for those who write poll functions: `attempt` is
    /// called now where the endpoint may be ready, and `task` is woken when it may be. For each
    /// interest the last task that asked is woken, and no other; who awaits a verb of a channel in
    /// memory has asked, too.
    ///
    /// # Errors
    /// What `attempt` answers.
    pub fn poll_ready<V>(
        &self,
        task: &mut Task<'_>,
        interest: Interest,
        mut attempt: impl FnMut(&T) -> Result<V>,
    ) -> Poll<Result<V>> {
        let outcome = match self.shared.registration.of(interest) {
            Some(_) => self.shared.poll_ready(task, interest, &mut attempt),
            None => {
                ready!(self.shared.poll_turn(task));
                match attempt(self.get_ref()) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.wake_when_there_is_room(task);
                        Poll::Pending
                    }
                    outcome => Poll::Ready(outcome),
                }
            }
        };
        if outcome.is_ready() {
            self.pay_in_background();
        }
        outcome
    }

    #[cold]
    fn wake_when_there_is_room(&self, task: &Task<'_>) {
        let mut state = self
            .room
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.waker = Some(task.waker().clone());
        if std::mem::replace(&mut state.running, true) {
            return;
        }
        let (shared, room) = (Arc::clone(&self.shared), Arc::clone(&self.room.state));
        let waiting = self.shared.runtime.spawn(async move {
            // Whatever came of it, the next attempt says.
            let _ = shared.room().await;
            drop(shared);
            let mut state = room.lock().unwrap_or_else(PoisonError::into_inner);
            state.running = false;
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        });
        let mut task = self
            .room
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *task = Some(waiting);
    }

    /// Sees to it that what is owed is written though nobody awaits it.
    fn pay_in_background(&self) {
        if !self.get_ref().owes() || self.shared.paying.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(async move {
            loop {
                let paid = shared.ready(Interest::Write, Pollable::pay).await;
                // An exchange, so that of this look at what is owed and of a send's look at the
                // flag, each after its own store, one sees the other's.
                shared.paying.swap(false, Ordering::AcqRel);
                // A peer that is gone takes the debt with it. Otherwise look again: a send may
                // have left a tail between the last payment and the flag.
                let more = paid.is_ok() && shared.registration.endpoint().owes();
                if !more || shared.paying.swap(true, Ordering::AcqRel) {
                    break;
                }
            }
        });
    }

    /// Forgets a readiness that the endpoint has lost since, and waits for the next.
    pub(crate) async fn writable_anew(&self) -> Result<()> {
        let Some(watched) = self.shared.registration.of(Interest::Write) else {
            return self.shared.room().await;
        };
        let seen = watched.ready(Interest::Write).await;
        let mut guard = seen.map_err(shutting_down)?;
        // Only what was seen before this look is forgotten: what came since is kept.
        let now = self.get_ref().wait_ready(&[Interest::Write], Until::Now);
        match now {
            Err(error) if error.kind() == ErrorKind::WouldBlock => guard.forget(),
            outcome => return outcome,
        }
        drop(guard);
        let ready = watched.ready(Interest::Write).await;
        ready.map(drop).map_err(shutting_down)
    }
}

impl<T: ByteSource + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Reads at least one byte into `buffer`; `Ok(0)` is the end of the stream.
    ///
    /// One system call, where bytes are there and do not fill the buffer: a read that leaves room
    /// has emptied the endpoint, so it is not tried again before the kernel says that more came.
    /// Not for a Unix stream on which descriptors come, where the kernel also stops at those, and
    /// not for TLS, which reads for itself: use [`recv`](Async::recv) there.
    ///
    /// # Errors
    /// As the endpoint's [`read_until`](ByteSource::read_until).
    pub async fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        let endpoint = self.get_ref();
        loop {
            if endpoint.has_buffered() || endpoint.arm(Interest::Read)? {
                let attempt = |endpoint: &T| endpoint.read_until(&mut *buffer, Until::Now);
                return self.ready(Interest::Read, attempt).await;
            }
            let watched = self.shared.registration.reading();
            let seen = watched.ready(Interest::Read).await;
            let mut guard = seen.map_err(shutting_down)?;
            match endpoint.read_until(buffer, Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.forget(),
                outcome => {
                    // What came since the guard was made is not forgotten with it. An end stays.
                    let emptied = matches!(outcome, Ok(length @ 1..) if length < buffer.len());
                    if emptied && !guard.is_end() {
                        guard.forget();
                    }
                    return outcome;
                }
            }
        }
    }
}

impl<T: ByteSource + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// [`read`](Async::read) without a future, and with what it says on whom it is for.
    ///
    /// # Errors
    /// As [`read`](Async::read).
    pub fn poll_read(&self, task: &mut Task<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        let endpoint = self.get_ref();
        loop {
            if endpoint.has_buffered() || endpoint.arm(Interest::Read)? {
                let attempt = |endpoint: &T| endpoint.read_until(&mut *buffer, Until::Now);
                return self.poll_ready(task, Interest::Read, attempt);
            }
            let watched = self.shared.registration.reading();
            let seen = ready!(watched.poll_ready(task, Interest::Read));
            let mut guard = seen.map_err(shutting_down)?;
            match endpoint.read_until(buffer, Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.forget(),
                outcome => {
                    let emptied = matches!(outcome, Ok(length @ 1..) if length < buffer.len());
                    if emptied && !guard.is_end() {
                        guard.forget();
                    }
                    return Poll::Ready(outcome);
                }
            }
        }
    }
}
