//! A call that is dropped because its time is over waits a moment for the server's own word.

use rpc_core::{CallFuture, Reply, Status};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long the server's word may take: it has the same deadline.
const PATIENCE: Duration = Duration::from_millis(100);

/// A call with a deadline.
///
/// Dropped before it, it is cancelled at once, by a reset of its stream. Dropped after it, nobody
/// waits for it any more, but the server is about to say so itself: a reset for each would be a
/// flood of them where many calls are late together, and servers cut who resets too often.
pub(crate) struct Patient {
    work: Option<CallFuture>,
    deadline: Instant,
}

impl Patient {
    pub(crate) const fn new(work: CallFuture, deadline: Instant) -> Self {
        Self {
            work: Some(work),
            deadline,
        }
    }
}

impl Future for Patient {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.work else {
            return Poll::Pending;
        };
        let outcome = work.as_mut().poll(task);
        if outcome.is_ready() {
            self.work = None;
        }
        outcome
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else {
            return;
        };
        if Instant::now() < self.deadline {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                // Whatever it says, it is too late.
                let _ = tokio::time::timeout(PATIENCE, work).await;
            });
        }
    }
}
