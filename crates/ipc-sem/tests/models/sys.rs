//! What the sources ask of the system: the model's memory, its robust locks, its futexes.

use crate::Plain;
use crate::atomic::{AtomicU32, AtomicU64};
use crate::doomed::step;
use crate::kernel::{self, Word};
use crate::lock::{AT_SLEEPERS, Lock};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_shm::Region;
use shuttle::sync::atomic::Ordering::SeqCst;
use std::fmt;
use std::sync::{Arc, OnceLock};

pub(crate) use crate::kernel::{OWNER_DIED, TID_MASK, WAITERS, lives, tid as process_id, wake};

pub(crate) const ALIGN_BYTES: usize = 64;
/// As many as a model has threads, and one.
pub(crate) const SEATS: usize = 4;

pub(crate) fn forks() -> u32 {
    0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Perhaps,
    TimedOut,
}

pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], until: Until) -> Result<Waited> {
    Ok(match kernel::wait(words, matches!(until, Until::At(_))) {
        true => Waited::Perhaps,
        false => Waited::TimedOut,
    })
}

/// An object's words, each in a cell of its own: none is used as two kinds.
pub(crate) struct Memory {
    u32s: Vec<OnceLock<Word>>,
    u64s: Vec<OnceLock<AtomicU64>>,
}

impl Memory {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            u32s: (0..len / 4).map(|_| OnceLock::new()).collect(),
            u64s: (0..len / 8).map(|_| OnceLock::new()).collect(),
        }
    }

    fn word(&self, at: usize) -> &Word {
        self.u32s[at / 4].get_or_init(|| Arc::new(AtomicU32::new(0)))
    }
}

/// The words of one object.
#[derive(Clone)]
pub(crate) struct Words(Arc<Memory>);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words")
    }
}

impl Words {
    pub(crate) fn new(_region: &Region, offset: usize, len: usize) -> Result<Self> {
        Ok(Self(kernel::memory(offset, len)))
    }

    pub(crate) fn u32(&self, at: usize) -> &AtomicU32 {
        self.0.word(at)
    }

    pub(crate) fn u64(&self, at: usize) -> &AtomicU64 {
        self.0.u64s[at / 8].get_or_init(|| AtomicU64::new(0))
    }

    pub(crate) fn robust(&self, at: usize) -> Robust<'_> {
        Robust(self.0.word(at))
    }

    pub(crate) fn lock(&self, at: usize) -> Lock<'_> {
        Lock::new(self.robust(at), self.u32(at + AT_SLEEPERS))
    }

    /// Data of no bytes: what a lock guards is a matter of the tests of the crate itself.
    pub(crate) fn write<T: Plain>(&self, _at: usize, _value: T) {}

    pub(crate) fn lend<T: Plain>(&self, at: usize) -> &T {
        self.lend_mut(at)
    }

    #[allow(clippy::mut_from_ref, reason = "as the crate's own")]
    pub(crate) fn lend_mut<T: Plain>(&self, _at: usize) -> &mut T {
        Box::leak(Box::new(T::read_from_bytes(&[]).expect("no bytes")))
    }

    pub(crate) fn leak_where_held(&self, _at: usize) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Whole,
    OwnerDied,
}

/// The C library's robust mutex, as it changes its word (`__pthread_mutex_lock_full`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Robust<'a>(&'a Word);

impl<'a> Robust<'a> {
    pub(crate) fn init(self, _inherits_priority: bool) -> Result<()> {
        self.0.store(0, SeqCst);
        Ok(())
    }

    pub(crate) fn take(self, until: Until) -> Result<Taken> {
        kernel::pending(Some(self.0));
        let taken = self.take_pending(until);
        if let Ok(taken) = &taken {
            kernel::hold(self.0);
            kernel::unsettled(self.0, *taken == Taken::OwnerDied);
        }
        kernel::pending(None);
        taken
    }

    fn take_pending(self, until: Until) -> Result<Taken> {
        let this = kernel::tid();
        let mut others = 0;
        let mut found = self.0.load(SeqCst);
        loop {
            let exchange = |now, then| self.0.compare_exchange(now, then, SeqCst, SeqCst);
            if found & OWNER_DIED != 0 {
                match exchange(found, this | found & WAITERS) {
                    Ok(_) => return Ok(Taken::OwnerDied),
                    Err(other) => found = other,
                }
            } else if found & TID_MASK == this {
                return Err(Error::new("lock", ErrorKind::Deadlock));
            } else if found & TID_MASK == 0 {
                match exchange(found, this | others) {
                    Ok(_) => return Ok(Taken::Whole),
                    Err(other) => found = other,
                }
            } else if until == Until::Now {
                return Err(until.over("lock"));
            } else if found & WAITERS == 0 && exchange(found, found | WAITERS).is_err() {
                found = self.0.load(SeqCst);
            } else {
                if !kernel::wait(&[(self.0, found | WAITERS)], matches!(until, Until::At(_))) {
                    return Err(until.over("lock"));
                }
                others = WAITERS;
                found = self.0.load(SeqCst);
            }
        }
    }

    pub(crate) fn try_take(self) -> Option<Taken> {
        self.take(Until::Now).ok()
    }

    pub(crate) fn mark_consistent(self) {
        if step() {
            kernel::unsettled(self.0, false);
        }
    }

    pub(crate) fn release(self) {
        if self.0.load(SeqCst) & TID_MASK != kernel::tid() {
            return;
        }
        kernel::pending(Some(self.0));
        kernel::let_go(self.0);
        if self.0.swap(0, SeqCst) & WAITERS != 0 && step() {
            wake(self.0, 1);
        }
        kernel::pending(None);
    }

    pub(crate) fn word(self) -> &'a AtomicU32 {
        self.0
    }
}
