//! Endpoints on smol: async-io's reactor, and an executor of the caller's.

use crate::runtime::{Runtime, Seen, Watch};
use crate::sys::{Descriptor, not_watched};
use async_executor::Executor;
use ipc_core::{Interest, Result};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context as Task, Poll, ready};

/// So many attempts that succeed at once, and the other tasks have their turn.
const ATTEMPTS_PER_TURN: u32 = 64;

/// An executor of smol, for what an endpoint has to do by itself: the tail of a message whose
/// sender waits no more. Readiness is async-io's, for the whole process.
#[derive(Clone, Debug)]
pub struct Smol {
    executor: Arc<Executor<'static>>,
    attempts: Arc<AtomicU32>,
}

impl Smol {
    /// Endpoints whose tasks run on `executor`.
    #[must_use]
    pub fn new(executor: Arc<Executor<'static>>) -> Self {
        Self {
            executor,
            attempts: Arc::default(),
        }
    }

    fn is_turn_of_others(&self) -> bool {
        let attempts = self.attempts.fetch_add(1, Ordering::Relaxed);
        attempts % ATTEMPTS_PER_TURN == ATTEMPTS_PER_TURN - 1
    }
}

impl Runtime for Smol {
    type Watch = Watched;
    type Task = Spawned;
    // It is told of what somebody waits for, and of that once.
    const WAKES_UNASKED: bool = false;

    fn watch(&self, descriptor: Descriptor, _interests: &[Interest]) -> Result<Watched> {
        let watched = async_io::Async::new_nonblocking(descriptor).map_err(not_watched)?;
        Ok(Watched {
            watched,
            may_be_ready: [const { AtomicBool::new(true) }; 2],
            runtime: self.clone(),
        })
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Spawned {
        Spawned(Some(self.executor.spawn(work)))
    }

    fn stop(mut task: Spawned) {
        // Dropped, it ends.
        drop(task.0.take());
    }

    async fn unblock<V: Send + 'static>(
        &self,
        call: impl FnOnce() -> V + Send + 'static,
    ) -> Result<V> {
        Ok(blocking::unblock(call).await)
    }

    async fn give_way(&self) {
        GiveWay::default().await;
    }

    async fn take_turn(&self) {
        if self.is_turn_of_others() {
            GiveWay::default().await;
        }
    }
}

/// A task that goes on when this is dropped.
#[derive(Debug)]
pub struct Spawned(Option<async_executor::Task<()>>);

impl Drop for Spawned {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

/// A descriptor in async-io's reactor, and whether an attempt is worth making before one asks.
pub struct Watched {
    watched: async_io::Async<Descriptor>,
    /// To read, and to write.
    may_be_ready: [AtomicBool; 2],
    runtime: Smol,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Watched {
    fn seen(&self, interest: Interest) -> SeenReady<'_> {
        let may_be_ready = &self.may_be_ready[place(interest)];
        may_be_ready.store(true, Ordering::Relaxed);
        SeenReady { may_be_ready }
    }

    fn may_be_ready(&self, interest: Interest) -> bool {
        self.may_be_ready[place(interest)].load(Ordering::Relaxed)
    }
}

impl Watch for Watched {
    type Seen<'a> = SeenReady<'a>;

    async fn ready(&self, interest: Interest) -> io::Result<SeenReady<'_>> {
        self.runtime.take_turn().await;
        if !self.may_be_ready(interest) {
            let _missed = Missed(&self.may_be_ready[place(interest)]);
            // The kernel is asked anew: what came since the last attempt shows at once.
            match interest {
                Interest::Read => self.watched.readable().await?,
                Interest::Write => self.watched.writable().await?,
            }
        }
        Ok(self.seen(interest))
    }

    fn poll_ready(
        &self,
        task: &mut Task<'_>,
        interest: Interest,
    ) -> Poll<io::Result<SeenReady<'_>>> {
        if self.runtime.is_turn_of_others() {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !self.may_be_ready(interest) {
            ready!(match interest {
                Interest::Read => self.watched.poll_readable(task),
                Interest::Write => self.watched.poll_writable(task),
            })?;
        }
        Poll::Ready(Ok(self.seen(interest)))
    }
}

/// A wait that is cancelled may have been told of a readiness that nobody heard of: an attempt is
/// worth making before the next one asks.
struct Missed<'a>(&'a AtomicBool);

impl Drop for Missed<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const fn place(interest: Interest) -> usize {
    match interest {
        Interest::Read => 0,
        Interest::Write => 1,
    }
}

/// A readiness that async-io told of, or that was not denied yet.
#[derive(Debug)]
pub struct SeenReady<'a> {
    may_be_ready: &'a AtomicBool,
}

impl Seen for SeenReady<'_> {
    fn forget(&mut self) {
        self.may_be_ready.store(false, Ordering::Relaxed);
    }

    fn is_end(&self) -> bool {
        // Asked anew, the kernel says it again.
        false
    }
}

/// Pends once, and wakes its task.
#[derive(Debug, Default)]
struct GiveWay {
    given: bool,
}

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.given, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}
