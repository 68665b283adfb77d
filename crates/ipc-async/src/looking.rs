//! Looks at an endpoint's memory before a task sleeps, with turns for the others in between.

use crate::runtime::Runtime;
use ipc_core::Pollable;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context as Task, Poll};

/// Looks between two turns of the others: about a microsecond, as a turn takes.
const LOOKS_PER_TURN: u64 = 64;

/// Looks as often as the endpoint has learned that it pays; true where something is there.
pub(crate) async fn look<T: Pollable, R: Runtime>(endpoint: &T, runtime: &R) -> bool {
    let most = endpoint.looks();
    let mut looked = 0;
    while looked < most {
        // First, since what the last message has woken may be what the peer waits for.
        runtime.give_way().await;
        if found(endpoint) {
            endpoint.looked(most, true);
            return true;
        }
        looked += LOOKS_PER_TURN;
    }
    if most > 0 {
        endpoint.looked(most, false);
    }
    false
}

/// The same for poll functions: how far the looks before one sleep have come.
#[derive(Debug, Default)]
pub(crate) struct Looking {
    most: AtomicU64,
    /// One more than the looks of this wait, or nought where none has begun.
    looked: AtomicU64,
}

impl Looking {
    /// True where something is there, false where it is time to sleep.
    pub(crate) fn poll<T: Pollable, R: Runtime>(
        &self,
        task: &mut Task<'_>,
        endpoint: &T,
        runtime: &R,
    ) -> Poll<bool> {
        let looked = self.looked.load(Relaxed);
        if looked == 0 {
            let most = endpoint.looks();
            self.most.store(most, Relaxed);
            self.looked.store(1, Relaxed);
            return match most {
                0 => Poll::Ready(false),
                _ => give_way(task, runtime),
            };
        }
        let most = self.most.load(Relaxed);
        if looked > most {
            return Poll::Ready(false);
        }
        if found(endpoint) {
            endpoint.looked(most, true);
            self.begin_anew();
            return Poll::Ready(true);
        }
        self.looked.store(looked + LOOKS_PER_TURN, Relaxed);
        if looked + LOOKS_PER_TURN > most {
            endpoint.looked(most, false);
            return Poll::Ready(false);
        }
        give_way(task, runtime)
    }

    /// Something came: the next wait is another.
    pub(crate) fn begin_anew(&self) {
        self.looked.store(0, Relaxed);
    }
}

fn found(endpoint: &impl Pollable) -> bool {
    for _ in 0..LOOKS_PER_TURN {
        if endpoint.has_buffered() {
            return true;
        }
        std::hint::spin_loop();
    }
    false
}

/// The task is woken after the others, also though the future is dropped.
fn give_way<R: Runtime>(task: &mut Task<'_>, runtime: &R) -> Poll<bool> {
    match pin!(runtime.give_way()).poll(task) {
        Poll::Pending => {}
        Poll::Ready(()) => task.waker().wake_by_ref(),
    }
    Poll::Pending
}
