//! What lets a waiter at many endpoints leave those alone that nobody has used since it asked.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How often one that a waiter relied on was used beside it, in this process.
static DISTURBED: AtomicUsize = AtomicUsize::new(0);

/// How many waiters rely on an endpoint to show on its descriptor whatever comes.
///
/// A waiter that has asked an endpoint, found nothing and [armed](crate::Pollable::arm) it need
/// not ask again before the descriptor shows something, unless one of the endpoint's own verbs
/// takes a wake, or leaves something in memory. Such a verb says so here. That costs it a load
/// where nobody relies on the endpoint; else all waiters of the process ask those they relied on
/// once more.
#[derive(Debug, Default)]
pub struct Rest(AtomicUsize);

impl Rest {
    /// One on which nobody relies.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// A waiter relies on the endpoint from here on, if it then finds that it
    /// [is armed](crate::Pollable::is_armed).
    pub fn begin(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// It does so no more.
    pub fn end(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// A verb has just made the endpoint hold something that its descriptor does not show, or has
    /// taken the wake for what comes. It has stored that in sequential consistency, and
    /// [`is_armed`](crate::Pollable::is_armed) loads it so, or both hold the same lock for it: so
    /// either the verb sees who relies on the endpoint, or that one sees what the verb has left.
    pub fn disturb(&self) {
        if self.0.load(Ordering::SeqCst) != 0 {
            DISTURBED.fetch_add(1, Ordering::Release);
        }
    }

    /// A count that has changed where an endpoint of this process, on which a waiter relied, was
    /// disturbed.
    #[inline]
    #[must_use]
    pub fn disturbances() -> usize {
        DISTURBED.load(Ordering::Acquire)
    }
}
