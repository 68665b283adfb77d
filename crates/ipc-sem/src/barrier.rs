//! The barrier: a number of threads of all processes wait for each other.

use crate::atomic::Ordering::{Relaxed, SeqCst};
use crate::atomic::{AtomicU32, AtomicU64};
use crate::header::{self, HEADER_BYTES, Identity};
use crate::sys::Words;
use crate::table::{self, MAX_PARTICIPANTS, Parked, Seated, TABLE_BYTES, Table};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::Region;
use ipc_sys::crash_point;
use std::sync::Arc;

const KIND: u32 = 5;
const AT_BELL: usize = HEADER_BYTES;
const AT_PARTIES: usize = HEADER_BYTES + 4;
const AT_STATE: usize = HEADER_BYTES + 8;
const AT_TABLE: usize = 2 * HEADER_BYTES;

/// The state: arrived 16, broken 1, repairs 15, rounds 32.
const ARRIVED: u64 = 0xFFFF;
const BROKEN: u64 = 1 << 16;
const REPAIR: u64 = 1 << 17;
const REPAIRS: u64 = 0x7FFF << 17;
const ROUND: u64 = 1 << 32;

/// A place where a number of threads wait for each other, round after round.
///
/// A thread that takes part and dies breaks the barrier: all that wait, and all that come, are
/// told `PeerDied` until somebody [repairs](Barrier::repair) it. A thread that ends in order, or
/// drops its handle, between two rounds breaks nothing.
///
/// ```
/// let region = ipc_shm::anonymous(1 << 16)?;
/// let barrier = ipc_sem::Barrier::create_trusted(&region, 0, 2)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| barrier.wait().expect("two come"));
///     barrier.wait().expect("two come");
/// });
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Barrier {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    words: Words,
}

impl Barrier {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = AT_TABLE + TABLE_BYTES;

    /// Makes one for `parties` threads at `offset` of `region`. All who can write to the region
    /// are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted);
    /// [`ErrorKind::InvalidInput`] for none or for more than [`MAX_PARTICIPANTS`].
    pub fn create_trusted(region: &Region, offset: usize, parties: u32) -> Result<Self> {
        if !(1..=MAX_PARTICIPANTS as u32).contains(&parties) {
            return Err(Error::new("create", ErrorKind::InvalidInput)
                .hint(format!("a barrier is for 1 to {MAX_PARTICIPANTS} threads")));
        }
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
            words.u32(AT_BELL).store(0, Relaxed);
            words.u32(AT_PARTIES).store(parties, Relaxed);
            words.u64(AT_STATE).store(0, Relaxed);
            Table::new(&words, AT_TABLE).init()
        })?;
        Ok(Self {
            core: Arc::new(Core { words }),
        })
    }

    /// Opens the one at `offset` of `region`.
    ///
    /// # Errors
    /// As [`Mutex::open_trusted`](crate::Mutex::open_trusted).
    pub fn open_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::open(&words, Self::identity(offset)?)?;
        Ok(Self {
            core: Arc::new(Core { words }),
        })
    }

    four_forms! {
        /// Waits until as many have come as the barrier is for; whether this thread was the
        /// last. One whose time is over has not come.
        ///
        /// # Errors
        /// [`PeerDied`](ErrorKind::PeerDied) where a participant died.
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> bool
    }

    /// Says that the dead are replaced: rounds begin again, and nobody has come yet. Whether the
    /// barrier was broken.
    pub fn repair(&self) -> bool {
        let core = &*self.core;
        table::settle_dead(core);
        let repaired = core.state().fetch_update(SeqCst, SeqCst, |state| {
            let repairs = state.wrapping_add(REPAIR) & REPAIRS;
            (state & BROKEN != 0).then_some(state & !(ARRIVED | BROKEN | REPAIRS) | repairs)
        });
        crash_point!("barrier.repaired");
        if repaired.is_ok() {
            table::ring(core.bell(), u32::MAX);
        }
        repaired.is_ok()
    }

    /// For how many threads it is.
    #[must_use]
    pub fn parties(&self) -> u32 {
        self.core.words.u32(AT_PARTIES).load(Relaxed)
    }

    fn wait_until(&self, until: Until) -> Result<bool> {
        let core = &*self.core;
        let seat = table::seat(&self.core)?;
        table::settle_dead(core);
        let Some(mine) = self.arrive(until)? else {
            if core.table().has_waiters() {
                table::ring(core.bell(), u32::MAX);
            }
            return Ok(true);
        };
        let announced = core.table().announce(seat);
        loop {
            let bell = core.bell().load(SeqCst);
            if let Some(outcome) = outcome(core.state().load(SeqCst), mine) {
                return outcome.map(|()| false);
            }
            if announced.park(core, bell, until)? == Parked::TimedOut {
                return match self.withdraw(mine) {
                    Some(outcome) => outcome.map(|()| false),
                    None => Err(until.over("wait")),
                };
            }
        }
    }

    /// Comes to the barrier; `None` where that completes the round, else the state before.
    fn arrive(&self, until: Until) -> Result<Option<u64>> {
        let state = self.core.state();
        let mut now = state.load(SeqCst);
        loop {
            if now & BROKEN != 0 {
                return Err(broken());
            }
            let last = (now & ARRIVED) + 1 == u64::from(self.parties());
            if !last && until == Until::Now {
                return Err(until.over("wait"));
            }
            let then = if last {
                (now & !ARRIVED).wrapping_add(ROUND)
            } else {
                now + 1
            };
            match state.compare_exchange(now, then, SeqCst, SeqCst) {
                Ok(_) => {
                    crash_point!("barrier.arrived");
                    return Ok((!last).then_some(now));
                }
                Err(other) => now = other,
            }
        }
    }

    /// Takes this thread's coming back, unless the round has an outcome.
    fn withdraw(&self, mine: u64) -> Option<Result<()>> {
        let state = self.core.state();
        let mut now = state.load(SeqCst);
        loop {
            if let Some(outcome) = outcome(now, mine) {
                return Some(outcome);
            }
            match state.compare_exchange(now, now - 1, SeqCst, SeqCst) {
                Ok(_) => {
                    crash_point!("barrier.withdrawn");
                    return None;
                }
                Err(other) => now = other,
            }
        }
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        table::leave(&self.core);
    }
}

/// How the round of `mine` ended, if it has.
fn outcome(now: u64, mine: u64) -> Option<Result<()>> {
    if (now ^ mine) & REPAIRS != 0 {
        return Some(Err(broken()));
    }
    if now >> 32 != mine >> 32 {
        return Some(Ok(()));
    }
    (now & BROKEN != 0).then(|| Err(broken()))
}

#[cold]
fn broken() -> Error {
    Error::new("wait", ErrorKind::PeerDied).hint("a participant died; replace it and call `repair`")
}

impl Core {
    fn state(&self) -> &AtomicU64 {
        self.words.u64(AT_STATE)
    }
}

impl Seated for Core {
    fn table(&self) -> Table<'_> {
        Table::new(&self.words, AT_TABLE)
    }
    fn bell(&self) -> &AtomicU32 {
        self.words.u32(AT_BELL)
    }
    fn settle(&self, _seat: usize, died: bool) {
        if died {
            self.state().fetch_or(BROKEN, SeqCst);
        }
    }
}
