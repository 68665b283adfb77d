//! Waiting for a lock of the C library's although a wake for it may be lost.
//!
//! Who releases such a lock frees it first and wakes a waiter after. If it is killed in between,
//! and another has the lock meanwhile, nobody wakes the waiters. So each looks again by itself.

use crate::sys::{Robust, Taken};
use ipc_core::{ErrorKind, Result, Until};
use std::time::Duration;

/// How long a wake that was lost is missed.
const GLANCE: Duration = Duration::from_millis(100);

/// Takes `lock` as [`Robust::take`] does.
pub(crate) fn take(lock: Robust<'_>, until: Until) -> Result<Taken> {
    let mut outcome = lock.take(Until::Now);
    while until != Until::Now
        && let Err(error) = &outcome
        && matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    {
        if until.remaining().is_some_and(|left| left <= GLANCE) {
            return lock.take(until);
        }
        outcome = lock.take(Until::after(GLANCE));
    }
    outcome
}
