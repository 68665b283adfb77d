//! A robust lock that forgets no sleeper when somebody dies between its release and its wake.
//!
//! Who unlocks the C library's lock clears its word, which said that somebody sleeps, and then
//! wakes one. If it is killed in between, and another took the lock meanwhile, neither the kernel
//! nor that owner knows of the sleepers: they would sleep until somebody else came to wait. The
//! same happens where the one that was woken is killed before it takes the lock. So those that
//! wait are counted beside the lock, and who takes it while there are any says so in the word.
//!
//! One that is killed while it waits stays in the count: from then on each unlock of that lock
//! is a system call. Nobody can tell such a one from one that is about to sleep, and to forget
//! the second would lose it.

use crate::atomic::AtomicU32;
use crate::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use crate::sys::{Robust, Taken, WAITERS};
use ipc_core::{Result, Until};
use ipc_sys::crash_point;

/// Where the count stands, behind the lock's 40 bytes.
pub(crate) const AT_SLEEPERS: usize = 40;

/// Instead of a count: the kernel hands the lock over, and forgets nobody.
const KERNEL: u32 = u32::MAX;

/// A robust lock and the number of those that wait for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lock<'a> {
    robust: Robust<'a>,
    sleepers: &'a AtomicU32,
}

impl<'a> Lock<'a> {
    pub(crate) fn new(robust: Robust<'a>, sleepers: &'a AtomicU32) -> Self {
        Self { robust, sleepers }
    }

    /// Makes it, free. Nobody else may reach it yet.
    pub(crate) fn init(self, inherits_priority: bool) -> Result<()> {
        let sleepers = if inherits_priority { KERNEL } else { 0 };
        self.sleepers.store(sleepers, Relaxed);
        self.robust.init(inherits_priority)
    }

    /// As [`Robust::take`].
    #[inline]
    pub(crate) fn take(self, until: Until) -> Result<Taken> {
        if self.sleepers.load(Relaxed) == KERNEL {
            return self.robust.take(until);
        }
        let taken = match self.robust.try_take() {
            Some(taken) => taken,
            None => self.wait(until)?,
        };
        // Read after the lock was taken: a locked instruction on x86-64, which is a full fence.
        #[cfg(not(target_arch = "x86_64"))]
        crate::atomic::fence(SeqCst);
        let word = self.robust.word();
        if self.sleepers.load(SeqCst) != 0 && word.load(Relaxed) & WAITERS == 0 {
            word.fetch_or(WAITERS, AcqRel);
        }
        Ok(taken)
    }

    /// As [`Robust::mark_consistent`].
    pub(crate) fn mark_consistent(self) {
        self.robust.mark_consistent();
    }

    /// As [`Robust::release`].
    #[inline]
    pub(crate) fn release(self) {
        self.robust.release();
    }

    #[cold]
    fn wait(self, until: Until) -> Result<Taken> {
        if until == Until::Now {
            return self.robust.take(until);
        }
        // Counted before the word is looked at: an owner that does not see the count has its bit
        // set by this one.
        self.sleepers.fetch_add(1, SeqCst);
        crash_point!("lock.counted");
        let taken = self.robust.take(until);
        crash_point!("lock.waited");
        self.sleepers.fetch_sub(1, SeqCst);
        taken
    }
}
