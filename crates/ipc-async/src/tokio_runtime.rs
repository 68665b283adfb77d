//! Endpoints on tokio.

use crate::runtime::{Runtime, Seen, Watch};
use crate::sys::{Descriptor, register};
use ipc_core::{Error, ErrorKind, Interest, Result};
use std::future::Future;
use std::io;
use std::task::{Context as Task, Poll, ready};
use tokio::io::Interest as Registered;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::task::{AbortHandle, coop};

/// The tokio runtime of the task that makes an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokio;

impl Runtime for Tokio {
    type Watch = AsyncFd<Descriptor>;
    type Task = AbortHandle;
    const WAKES_UNASKED: bool = true;

    fn watch(&self, descriptor: Descriptor, interests: &[Interest]) -> Result<Self::Watch> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new("register", ErrorKind::Unsupported)
                .hint("an endpoint is awaited inside a tokio runtime: make it there"));
        }
        let registered = match interests {
            [Interest::Read] => Registered::READABLE,
            [Interest::Write] => Registered::WRITABLE,
            _ => Registered::READABLE | Registered::WRITABLE,
        };
        register(descriptor, registered)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        tokio::spawn(work).abort_handle()
    }

    fn stop(task: AbortHandle) {
        task.abort();
    }

    async fn unblock<V: Send + 'static>(
        &self,
        call: impl FnOnce() -> V + Send + 'static,
    ) -> Result<V> {
        let called = tokio::task::spawn_blocking(call).await;
        called.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => crate::readiness::shutting_down(io::Error::other(cancelled)),
        })
    }

    async fn give_way(&self) {
        tokio::task::yield_now().await;
    }

    async fn take_turn(&self) {
        coop::consume_budget().await;
    }
}

impl Watch for AsyncFd<Descriptor> {
    type Seen<'a> = AsyncFdReadyGuard<'a, Descriptor>;

    async fn ready(&self, interest: Interest) -> io::Result<Self::Seen<'_>> {
        match interest {
            Interest::Read => self.readable().await,
            Interest::Write => self.writable().await,
        }
    }

    fn poll_ready(
        &self,
        task: &mut Task<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Self::Seen<'_>>> {
        let seen = match interest {
            Interest::Read => ready!(self.poll_read_ready(task)),
            Interest::Write => ready!(self.poll_write_ready(task)),
        };
        Poll::Ready(seen)
    }
}

impl Seen for AsyncFdReadyGuard<'_, Descriptor> {
    fn forget(&mut self) {
        self.clear_ready();
    }

    fn is_end(&self) -> bool {
        self.ready().is_read_closed()
    }
}
