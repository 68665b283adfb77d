//! What an endpoint needs of a runtime: to be told when a descriptor is ready, and tasks.

use crate::sys::Descriptor;
use ipc_core::{Interest, Result};
use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::task::{Context as Task, Poll};

/// A runtime on which endpoints are awaited. `Tokio` and `Smol` are here, by the features `tokio`
/// and `smol`; whoever has another implements these three traits.
pub trait Runtime: Clone + Debug + Send + Sync + 'static {
    /// A descriptor that is watched.
    type Watch: Watch;
    /// A task; one whose handle is dropped goes on.
    type Task: Debug + Send;
    /// Whether it is woken for whatever it watches, also while nobody awaits that. Room in a
    /// socket is then watched only while somebody does.
    const WAKES_UNASKED: bool;

    /// Watches `descriptor` for `interests`, one or both, until the watch is dropped; then it
    /// drops `descriptor`, too. It does not make it non-blocking, and reads nothing.
    ///
    /// # Errors
    /// Where this is no place to do so, or the descriptor cannot be watched.
    fn watch(&self, descriptor: Descriptor, interests: &[Interest]) -> Result<Self::Watch>;

    /// Runs `work` beside the caller.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> Self::Task;

    /// Ends a task where it waits.
    fn stop(task: Self::Task);

    /// Runs `call`, which may block, on a thread for such calls.
    ///
    /// # Errors
    /// [`Closed`](ipc_core::ErrorKind::Closed) where the runtime shuts down.
    fn unblock<V: Send + 'static>(
        &self,
        call: impl FnOnce() -> V + Send + 'static,
    ) -> impl Future<Output = Result<V>> + Send;

    /// Gives the other tasks their turn now. Once the future was polled, its task is woken, also
    /// where the future is dropped.
    fn give_way(&self) -> impl Future<Output = ()> + Send;

    /// Gives the other tasks their turn now and then; awaited before what succeeds without
    /// waiting. As with [`give_way`](Runtime::give_way), who was told to wait is woken.
    fn take_turn(&self) -> impl Future<Output = ()> + Send;
}

/// A descriptor that a runtime watches.
pub trait Watch: Debug + Send + Sync + 'static {
    /// A readiness that was seen.
    type Seen<'a>: Seen + Send;

    /// Waits until the descriptor may be ready for `interest`: at first, and from each time that
    /// the kernel says so until the readiness is [forgotten](Seen::forget). Any number of tasks may
    /// wait.
    ///
    /// # Errors
    /// Where the runtime shuts down.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Self::Seen<'_>>> + Send;

    /// [`ready`](Watch::ready) for poll functions: the last task that asked for `interest` is
    /// woken.
    fn poll_ready(
        &self,
        task: &mut Task<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Self::Seen<'_>>>;
}

/// A readiness that a watch has seen.
pub trait Seen {
    /// It is over: an attempt has found nothing. What the kernel said since it was seen stays.
    fn forget(&mut self);

    /// Whether it is the end, which is never over.
    fn is_end(&self) -> bool;
}
