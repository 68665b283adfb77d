//! Runs a future on the calling thread, without a runtime: for blocking clients and servers.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

thread_local! {
    /// Inside the executor: when the sleeping future wants to be polled again.
    static WAKE_AT: Cell<Option<Option<Instant>>> = const { Cell::new(None) };
    static WAKER: Waker = Waker::from(Arc::new(Unpark(std::thread::current())));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `future` to its end on this thread, which parks while there is nothing to do. Deadlines
/// of calls work inside; what needs a runtime (its timers, its sockets) does not.
///
/// ```
/// assert_eq!(rpc_core::block_on(async { 7 }), 7);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    WAKER.with(|waker| {
        let mut task = Task::from_waker(waker);
        loop {
            let outer = WAKE_AT.replace(Some(None));
            let outcome = future.as_mut().poll(&mut task);
            let wake_at = WAKE_AT.replace(outer).flatten();
            match (outcome, wake_at) {
                (Poll::Ready(output), _) => return output,
                (Poll::Pending, None) => std::thread::park(),
                (Poll::Pending, Some(at)) => {
                    std::thread::park_timeout(at.saturating_duration_since(Instant::now()));
                }
            }
        }
    })
}

/// Asks the executor of this thread to poll again at `at`; false where there is none.
pub(crate) fn wake_at(at: Instant) -> bool {
    WAKE_AT.with(|cell| {
        let Some(earliest) = cell.get() else {
            return false;
        };
        cell.set(Some(Some(earliest.map_or(at, |other| other.min(at)))));
        true
    })
}
