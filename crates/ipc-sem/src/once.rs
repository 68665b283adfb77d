//! Once: work that one thread of all processes does, and the next one where it dies over it.

use crate::atomic::AtomicU32;
use crate::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use crate::header::{self, HEADER_BYTES, Identity};
use crate::sys::Words;
use crate::table::{self, Parked, Seated, TABLE_BYTES, Table};
use ipc_core::{Result, Until};
use ipc_shm::Region;
use ipc_sys::crash_point;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KIND: u32 = 4;
const AT_STATE: usize = HEADER_BYTES;
const AT_TRIES: usize = HEADER_BYTES + 4;
const AT_BELL: usize = HEADER_BYTES + 8;
const AT_TABLE: usize = 2 * HEADER_BYTES;

const NEW: u32 = 0;
const DONE: u32 = 1;
/// The state while somebody is at it is this and its seat.
const RUNNING: u32 = 1 << 8;

/// Work that is done once for all processes.
///
/// Where the one that does it dies, or panics, the next one that calls does it again, and is told
/// how many have tried before.
///
/// ```
/// let region = ipc_shm::anonymous(1 << 16)?;
/// let once = ipc_sem::Once::create_trusted(&region, 0)?;
/// assert!(once.call(|tries| assert_eq!(tries, 0))?);
/// assert!(!once.call(|_| unreachable!())?);
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Once {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    words: Words,
}

impl Once {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = AT_TABLE + TABLE_BYTES;

    /// Makes one at `offset` of `region`. All who can write to the region are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted).
    pub fn create_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
            words.u32(AT_STATE).store(NEW, Relaxed);
            words.u32(AT_TRIES).store(0, Relaxed);
            words.u32(AT_BELL).store(0, Relaxed);
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

    /// Does `work`, unless it is done already; whether this call did it. Waits for another that
    /// is at it. `work` is given the number of those who began and did not finish.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) where
    /// [`MAX_PARTICIPANTS`](crate::MAX_PARTICIPANTS) threads take part already;
    /// [`Deadlock`](crate::ErrorKind::Deadlock) from within `work` itself.
    pub fn call(&self, work: impl FnOnce(u32)) -> Result<bool> {
        self.call_until(work, Until::Forever)
    }

    /// [`call`](Once::call), unless another is at it.
    ///
    /// # Errors
    /// As [`call`](Once::call), and [`WouldBlock`](crate::ErrorKind::WouldBlock).
    pub fn try_call(&self, work: impl FnOnce(u32)) -> Result<bool> {
        self.call_until(work, Until::Now)
    }

    /// [`call`](Once::call), waiting for another for at most `timeout`.
    ///
    /// # Errors
    /// As [`call`](Once::call), and [`TimedOut`](crate::ErrorKind::TimedOut).
    pub fn call_timeout(&self, work: impl FnOnce(u32), timeout: Duration) -> Result<bool> {
        self.call_until(work, Until::after(timeout))
    }

    /// [`call`](Once::call), waiting for another until `deadline`.
    ///
    /// # Errors
    /// As [`call_timeout`](Once::call_timeout).
    pub fn call_deadline(&self, work: impl FnOnce(u32), deadline: Instant) -> Result<bool> {
        self.call_until(work, Until::At(deadline))
    }

    /// Whether the work is done.
    #[must_use]
    #[inline]
    pub fn is_done(&self) -> bool {
        self.core.state().load(Acquire) == DONE
    }

    #[inline]
    fn call_until(&self, work: impl FnOnce(u32), until: Until) -> Result<bool> {
        if self.is_done() {
            return Ok(false);
        }
        self.run(work, until)
    }

    #[cold]
    fn run(&self, work: impl FnOnce(u32), until: Until) -> Result<bool> {
        let core = &*self.core;
        let seat = table::seat(&self.core)?;
        let mine = RUNNING + seat as u32;
        let announced = core.table().announce(seat);
        loop {
            let bell = core.bell().load(SeqCst);
            let found = match core.state().compare_exchange(NEW, mine, SeqCst, SeqCst) {
                Ok(_) => break,
                Err(DONE) => return Ok(false),
                Err(found) => found,
            };
            if found == mine {
                return Err(crate::Error::new("call", crate::ErrorKind::Deadlock));
            }
            if until == Until::Now {
                if table::settle_dead(core) {
                    continue;
                }
                return Err(until.over("call"));
            }
            if announced.park(core, bell, until)? == Parked::TimedOut
                && core.state().load(SeqCst) == found
            {
                return Err(until.over("call"));
            }
        }
        drop(announced);
        let running = Running { core, mine };
        crash_point!("once.begun");
        work(core.tries().load(SeqCst));
        crash_point!("once.worked");
        running.finish(DONE);
        Ok(true)
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        table::leave(&self.core);
    }
}

/// This thread is at the work; a panic gives it back.
struct Running<'a> {
    core: &'a Core,
    mine: u32,
}

impl Running<'_> {
    fn finish(self, state: u32) {
        self.core.leave(self.mine, state);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.core.leave(self.mine, NEW);
    }
}

impl Core {
    fn state(&self) -> &AtomicU32 {
        self.words.u32(AT_STATE)
    }

    fn tries(&self) -> &AtomicU32 {
        self.words.u32(AT_TRIES)
    }

    /// Ends the work that the seat of `mine` is at, if it is.
    fn leave(&self, mine: u32, then: u32) {
        if self.state().load(SeqCst) != mine {
            return;
        }
        if then == NEW {
            // Counted before the next one begins. A death in between counts it twice.
            self.tries().fetch_add(1, SeqCst);
            crash_point!("once.counted");
        }
        let _ = self.state().compare_exchange(mine, then, SeqCst, SeqCst);
        crash_point!("once.left");
        table::ring(self.bell(), u32::MAX);
    }
}

impl Seated for Core {
    fn table(&self) -> Table<'_> {
        Table::new(&self.words, AT_TABLE)
    }
    fn bell(&self) -> &AtomicU32 {
        self.words.u32(AT_BELL)
    }
    fn settle(&self, seat: usize, _died: bool) {
        self.leave(RUNNING + seat as u32, NEW);
    }
}
