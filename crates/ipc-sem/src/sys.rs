//! Every system call of the crate, and its only unsafe code.

#![allow(unsafe_code)]

mod forks;
mod futex;
mod posix;
mod robust;
mod sysv;
#[cfg(feature = "raw-sync")]
mod upstream;
mod words;

pub(crate) use forks::{count as forks, watch as watch_forks};
pub(crate) use futex::{Waited, wait_any, wake};
pub(crate) use posix::{PosixSemaphore, init_semaphore, unlink_semaphore};
pub(crate) use robust::{OWNER_DIED, Robust, TID_MASK, Taken, WAITERS};
pub(crate) use sysv::{
    apply, change_set, find_set, make_set, remove_set, set_value, stat_set, value, values,
};
#[cfg(feature = "raw-sync")]
pub(crate) use upstream::hand_over;
pub(crate) use words::{ALIGN_BYTES, Words};

use ipc_core::Until;
use ipc_sys::Process;
use rustix::time::{ClockId, Timespec};
use std::time::Duration;

/// Most threads that take part in one object at a time.
pub(crate) const SEATS: usize = 120;

/// The id of this process, as a creator's mark.
pub(crate) fn process_id() -> u32 {
    std::process::id()
}

/// Whether a creator lives. A zombie does not.
pub(crate) fn lives(pid: u32) -> bool {
    Process::open(pid).is_ok_and(|process| process.has_ended().is_ok_and(|ended| !ended))
}

/// What `CLOCK_MONOTONIC` says, which all processes share.
pub(crate) fn now() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// The instant of `CLOCK_MONOTONIC` at which `until` is over; `None` is never.
///
/// The clock is read after the rest was computed, so that the result is never too early.
fn monotonic(until: Until) -> Option<Timespec> {
    let left = until.remaining()?;
    let at = now()
        .saturating_add(left)
        .min(Duration::from_secs(i64::MAX as u64 / 4));
    Some(Timespec {
        tv_sec: at.as_secs() as i64,
        tv_nsec: i64::from(at.subsec_nanos()),
    })
}
