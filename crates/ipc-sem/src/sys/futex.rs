//! Sleeping on words that other processes change.

use super::monotonic;
use ipc_core::{Result, Until};
use ipc_sys::os_error;
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Wait, WaitFlags, WaitPtr, WaitvFlags};
use rustix::time::{ClockId, Timespec};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Most words that one wait watches (`FUTEX_WAITV_MAX`).
pub(crate) const MAX_WORDS: usize = 128;

/// Without `futex_waitv` (before Linux 5.16) only the first word is watched, and the others are
/// looked at so often.
const GLANCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// A word has changed or was woken, or a signal came: look again.
    Perhaps,
    /// The time is over.
    TimedOut,
}

/// Sleeps until one of `words` is woken or no longer has the value beside it.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], until: Until) -> Result<Waited> {
    static NO_WAITV: AtomicBool = AtomicBool::new(false);
    if NO_WAITV.load(Ordering::Relaxed) {
        return wait_first(words, until);
    }
    const FEW: usize = 8;
    let slept = match words.len() {
        ..=FEW => sleep::<FEW>(words, until),
        _ => sleep::<MAX_WORDS>(words, until),
    };
    match slept {
        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => Ok(Waited::Perhaps),
        Err(Errno::TIMEDOUT) => Ok(Waited::TimedOut),
        Err(Errno::NOSYS) => {
            NO_WAITV.store(true, Ordering::Relaxed);
            wait_first(words, until)
        }
        Err(errno) => Err(os_error("wait", errno)),
    }
}

fn sleep<const MAX: usize>(words: &[(&AtomicU32, u32)], until: Until) -> rustix::io::Result<()> {
    let mut waits = [Wait::new(); MAX];
    for (wait, (word, value)) in waits.iter_mut().zip(words) {
        wait.val = u64::from(*value);
        wait.uaddr = WaitPtr::new(word.as_ptr().cast());
        wait.flags = WaitFlags::SIZE_U32;
    }
    let deadline = monotonic(until);
    let waits = &waits[..words.len().min(MAX)];
    futex::waitv(
        waits,
        WaitvFlags::empty(),
        deadline.as_ref(),
        ClockId::Monotonic,
    )
    .map(drop)
}

/// Wakes up to `count` that sleep on `word`.
pub(crate) fn wake(word: &AtomicU32, count: u32) {
    // The word is valid, and waking fails in no other way. No private flag: other processes wait.
    // The kernel counts in signed numbers: more than it has would be less than one.
    let _ = futex::wake(word, Flags::empty(), count.min(i32::MAX.unsigned_abs()));
}

fn wait_first(words: &[(&AtomicU32, u32)], until: Until) -> Result<Waited> {
    let Some((word, value)) = words.first() else {
        return Ok(Waited::Perhaps);
    };
    if words
        .iter()
        .any(|(word, value)| word.load(Ordering::SeqCst) != *value)
    {
        return Ok(Waited::Perhaps);
    }
    let left = until.remaining().map(|left| Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: i64::from(left.subsec_nanos()),
    });
    let glance = match left {
        Some(left) if (left.tv_sec, left.tv_nsec) < (GLANCE.tv_sec, GLANCE.tv_nsec) => left,
        _ => GLANCE,
    };
    match futex::wait(word, Flags::empty(), *value, Some(&glance)) {
        Ok(()) | Err(Errno::AGAIN | Errno::INTR) => Ok(Waited::Perhaps),
        Err(Errno::TIMEDOUT) => match until.remaining() {
            Some(left) if left.is_zero() => Ok(Waited::TimedOut),
            _ => Ok(Waited::Perhaps),
        },
        Err(errno) => Err(os_error("wait", errno)),
    }
}
