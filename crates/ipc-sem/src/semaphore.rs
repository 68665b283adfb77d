//! The semaphore whose permits come back when their holder dies.

use crate::Options;
use crate::atomic::Ordering::{Relaxed, SeqCst};
use crate::atomic::{AtomicU32, AtomicU64};
use crate::header::{self, HEADER_BYTES, Identity};
use crate::ledger::{self, Ledger};
use crate::sys::{Words, forks};
use crate::table::{self, Parked, Seated, TABLE_BYTES, Table};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::Region;
use std::marker::PhantomData;
use std::sync::Arc;

const KIND: u32 = 2;
const AT_BELL: usize = HEADER_BYTES;
const AT_FREE: usize = HEADER_BYTES + 8;
const AT_TOTAL: usize = HEADER_BYTES + 16;
const AT_TABLE: usize = 2 * HEADER_BYTES;

/// A number of permits in a region, each held by a thread.
///
/// A permit of a thread that dies, killed or not, returns: who waits gets it at once, and who
/// tries finds it. So free and held permits are always as many as there were in the beginning.
///
/// ```
/// let region = ipc_shm::anonymous(1 << 16)?;
/// let slots = ipc_sem::Semaphore::create_trusted(&region, 0, 2)?;
/// let (first, _second) = (slots.acquire()?, slots.acquire()?);
/// assert!(slots.try_acquire().is_err());
/// drop(first);
/// assert_eq!(slots.free(), 1);
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Semaphore {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    words: Words,
}

impl Semaphore {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = AT_TABLE + TABLE_BYTES;
    /// Most permits of one semaphore: 1,048,575.
    pub const MAX_PERMITS: u32 = ledger::MAX_PERMITS;

    /// Makes one of `permits` at `offset` of `region`, with the default options. All who can
    /// write to the region are trusted.
    ///
    /// # Errors
    /// As [`Options::create_semaphore_trusted`].
    pub fn create_trusted(region: &Region, offset: usize, permits: u32) -> Result<Self> {
        Options::new().create_semaphore_trusted(region, offset, permits)
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

    pub(crate) fn create(region: &Region, offset: usize, permits: u32) -> Result<Self> {
        if permits > Self::MAX_PERMITS {
            return Err(Error::new("create", ErrorKind::InvalidInput)
                .hint(format!("{permits} permits are above {}", Self::MAX_PERMITS)));
        }
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
            words.u32(AT_BELL).store(0, Relaxed);
            words.u64(AT_FREE).store(u64::from(permits), Relaxed);
            words.u32(AT_TOTAL).store(permits, Relaxed);
            Table::new(&words, AT_TABLE).init()
        })?;
        Ok(Self {
            core: Arc::new(Core { words }),
        })
    }

    four_forms! {
        /// Takes a permit.
        ///
        /// # Errors
        /// [`LimitReached`](ErrorKind::LimitReached) where
        /// [`MAX_PARTICIPANTS`](crate::MAX_PARTICIPANTS) threads take part already.
        acquire / try_acquire / acquire_timeout / acquire_deadline = acquire_until() -> Permit<'_>
    }

    /// How many permits are free, those of dead holders not yet counted.
    #[must_use]
    pub fn free(&self) -> u32 {
        ledger::free(&*self.core)
    }

    /// How many permits there are, free and held.
    #[must_use]
    pub fn permits(&self) -> u32 {
        self.core.words.u32(AT_TOTAL).load(Relaxed)
    }

    #[inline]
    fn acquire_until(&self, until: Until) -> Result<Permit<'_>> {
        let seat = table::seat(&self.core)?;
        if ledger::take(&*self.core, seat) {
            return Ok(self.permit(seat));
        }
        self.wait(seat, until)
    }

    #[cold]
    fn wait(&self, seat: usize, until: Until) -> Result<Permit<'_>> {
        let core = &*self.core;
        let took = || ledger::take(core, seat).then(|| self.permit(seat));
        table::settle_dead(core);
        if let Some(permit) = took() {
            return Ok(permit);
        }
        if until == Until::Now {
            return Err(until.over("acquire"));
        }
        let announced = core.table().announce(seat);
        loop {
            let bell = core.bell().load(SeqCst);
            if let Some(permit) = took() {
                return Ok(permit);
            }
            if announced.park(core, bell, until)? == Parked::TimedOut {
                // A wake that came with the end of the time must not be lost.
                return took().ok_or_else(|| until.over("acquire"));
            }
        }
    }

    #[inline]
    fn permit(&self, seat: usize) -> Permit<'_> {
        Permit {
            core: &self.core,
            seat: seat as u32,
            forks: forks(),
            _thread: PhantomData,
        }
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        table::leave(&self.core);
    }
}

impl Ledger for Core {
    #[inline]
    fn free(&self) -> &AtomicU64 {
        self.words.u64(AT_FREE)
    }
    #[inline]
    fn word(&self, seat: usize) -> &AtomicU64 {
        self.table().word(seat)
    }
    #[inline]
    fn seen(&self, seat: usize) -> &AtomicU64 {
        self.table().seen(seat)
    }
}

impl Seated for Core {
    #[inline]
    fn table(&self) -> Table<'_> {
        Table::new(&self.words, AT_TABLE)
    }
    #[inline]
    fn bell(&self) -> &AtomicU32 {
        self.words.u32(AT_BELL)
    }
    fn settle(&self, seat: usize, _died: bool) {
        if ledger::settle(self, seat) {
            table::ring(self.bell(), u32::MAX);
        }
    }
}

/// A permit is held by this thread until this is dropped.
#[derive(Debug)]
#[must_use = "the permit is released when this is dropped"]
pub struct Permit<'a> {
    core: &'a Core,
    seat: u32,
    forks: u32,
    /// A permit belongs to the thread at whose death it returns.
    _thread: PhantomData<*const ()>,
}

impl Permit<'_> {
    /// Gives the permit back, as dropping it does.
    pub fn release(self) {}
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        // A child forked meanwhile has a copy of this, and no permit.
        if self.forks == forks() {
            ledger::give(self.core, self.seat as usize);
            if self.core.table().has_waiters() {
                table::ring(self.core.bell(), 1);
            }
        }
    }
}
