//! The condition variable: waits, with a mutex released, for a word from another thread.

use crate::Plain;
use crate::atomic::AtomicU32;
use crate::atomic::Ordering::{Relaxed, SeqCst};
use crate::header::{self, HEADER_BYTES, Identity};
use crate::mutex::Guard;
use crate::sys::Words;
use crate::table::{self, Announced, Parked, Seated, TABLE_BYTES, Table};
use ipc_core::{Result, Until};
use ipc_shm::Region;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KIND: u32 = 6;
const AT_BELL: usize = HEADER_BYTES;
const AT_TABLE: usize = 2 * HEADER_BYTES;

/// Waits for a condition on the data of a [`Mutex`](crate::Mutex), of any process.
///
/// It is made of futexes: the C library's, in shared memory, hangs who notifies after a waiter
/// was killed. A wait may end without a notification, also because somebody died; so the
/// condition is looked at in a loop.
///
/// ```
/// let region = ipc_shm::anonymous(1 << 16)?;
/// let jobs = ipc_sem::Mutex::create_trusted(&region, 0, 0u32)?;
/// let more = ipc_sem::Condvar::create_trusted(&region, 4096)?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         *jobs.lock().expect("nobody dies") += 1;
///         more.notify_one().expect("there is a seat");
///     });
///     let mut waiting = jobs.lock()?;
///     while *waiting == 0 {
///         more.wait(&mut waiting)?;
///     }
///     Ok::<(), ipc_sem::Error>(())
/// })?;
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Condvar {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    words: Words,
}

impl Condvar {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = AT_TABLE + TABLE_BYTES;

    /// Makes one at `offset` of `region`. All who can write to the region are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted).
    pub fn create_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
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

    /// Releases the lock of `guard`, waits for a notification, and takes the lock again, for
    /// which it waits for ever.
    ///
    /// # Errors
    /// [`PeerDied`](crate::ErrorKind::PeerDied) where an owner of the lock died meanwhile: the
    /// guard holds it again, and the data is what the dead one left.
    pub fn wait<T: Plain>(&self, guard: &mut Guard<'_, T>) -> Result<()> {
        self.wait_until(guard, Until::Forever)
    }

    /// [`wait`](Condvar::wait) for a notification for at most `timeout`.
    ///
    /// # Errors
    /// As [`wait`](Condvar::wait), and [`TimedOut`](crate::ErrorKind::TimedOut); the guard holds
    /// the lock again.
    pub fn wait_timeout<T: Plain>(
        &self,
        guard: &mut Guard<'_, T>,
        timeout: Duration,
    ) -> Result<()> {
        self.wait_until(guard, Until::after(timeout))
    }

    /// [`wait`](Condvar::wait) for a notification until `deadline`.
    ///
    /// # Errors
    /// As [`wait_timeout`](Condvar::wait_timeout).
    pub fn wait_deadline<T: Plain>(
        &self,
        guard: &mut Guard<'_, T>,
        deadline: Instant,
    ) -> Result<()> {
        self.wait_until(guard, Until::At(deadline))
    }

    /// Wakes one that waits.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) where
    /// [`MAX_PARTICIPANTS`](crate::MAX_PARTICIPANTS) threads take part already.
    pub fn notify_one(&self) -> Result<()> {
        self.notify(1)
    }

    /// Wakes all that wait.
    ///
    /// # Errors
    /// As [`notify_one`](Condvar::notify_one).
    pub fn notify_all(&self) -> Result<()> {
        self.notify(u32::MAX)
    }

    fn notify(&self, count: u32) -> Result<()> {
        // The seat is what lets sleepers see a death between the ring's two steps.
        table::seat(&self.core)?;
        if self.core.table().has_waiters() {
            table::ring(self.core.bell(), count);
        }
        Ok(())
    }

    fn wait_until<T: Plain>(&self, guard: &mut Guard<'_, T>, until: Until) -> Result<()> {
        let core = &*self.core;
        let seat = table::seat(&self.core)?;
        let announced = core.table().announce(seat);
        // Looked at under the lock: who notifies after the release changes it.
        let bell = core.bell().load(SeqCst);
        let (slept, held) = guard.released(|| sleep(core, &announced, bell, until));
        held.and(slept)
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }
}

fn sleep(core: &Core, announced: &Announced<'_>, bell: u32, until: Until) -> Result<()> {
    loop {
        match announced.park(core, bell, until)? {
            // A signal came: not worth the lock.
            Parked::Perhaps if core.bell().load(SeqCst) == bell => {}
            Parked::Perhaps | Parked::Settled => return Ok(()),
            Parked::TimedOut if core.bell().load(SeqCst) == bell => {
                return Err(until.over("wait"));
            }
            Parked::TimedOut => return Ok(()),
        }
    }
}

impl Drop for Condvar {
    fn drop(&mut self) {
        table::leave(&self.core);
    }
}

impl Seated for Core {
    fn table(&self) -> Table<'_> {
        Table::new(&self.words, AT_TABLE)
    }
    fn bell(&self) -> &AtomicU32 {
        self.words.u32(AT_BELL)
    }
    fn settle(&self, _seat: usize, _died: bool) {}
}
