//! The lock that many readers or one writer hold, of all processes.

use crate::Plain;
use crate::atomic::Ordering::{Relaxed, Release, SeqCst};
use crate::atomic::{AtomicU32, fence};
use crate::header::{self, HEADER_BYTES, Identity};
use crate::lock::Lock;
use crate::mutex::{Damage, orphaned};
use crate::sys::{ALIGN_BYTES, Taken, Words, forks};
use crate::table::{self, Parked, Seated, TABLE_BYTES, Table};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::Region;
use ipc_sys::crash_point;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

const KIND: u32 = 7;
const AT_BELL: usize = HEADER_BYTES;
/// Whether a writer is there, and how far it has come.
const AT_WRITER: usize = HEADER_BYTES + 4;
const AT_ORPHANED: usize = HEADER_BYTES + 8;
const AT_CHANGING: usize = HEADER_BYTES + 12;
const AT_LOCK: usize = HEADER_BYTES + 16;
const AT_TABLE: usize = 2 * HEADER_BYTES;
const AT_DATA: usize = AT_TABLE + TABLE_BYTES;

const NOBODY: u32 = 0;
const COMING: u32 = 1;
const WRITING: u32 = 2;

/// A lock around a `T` in a region, held by many readers or one writer.
///
/// A reader that dies leaves nothing behind: who wants to write goes on at once. A writer that
/// dies leaves the data to be looked after: everybody is told `PeerDied` until somebody has
/// [recovered](RwLock::recover) it. Writers are not starved: readers that come while one waits
/// queue behind it.
///
/// ```
/// let region = ipc_shm::anonymous(1 << 16)?;
/// let table = ipc_sem::RwLock::create_trusted(&region, 0, [1u32, 2, 3])?;
/// assert_eq!(table.read()?[2], 3);
/// table.write()?[2] = 4;
/// assert_eq!(*table.read()?, [1, 2, 4]);
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct RwLock<T: Plain> {
    core: Arc<Core>,
    _data: PhantomData<T>,
}

#[derive(Debug)]
struct Core {
    words: Words,
}

impl<T: Plain> RwLock<T> {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = (AT_DATA + size_of::<T>()).next_multiple_of(ALIGN_BYTES);

    /// Makes one around `value` at `offset` of `region`. All who can write to the region are
    /// trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted).
    pub fn create_trusted(region: &Region, offset: usize, value: T) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
            for at in [AT_BELL, AT_WRITER, AT_ORPHANED, AT_CHANGING] {
                words.u32(at).store(0, Relaxed);
            }
            words.lock(AT_LOCK).init(false)?;
            words.write(AT_DATA, value);
            Table::new(&words, AT_TABLE).init()
        })?;
        Ok(Self {
            core: Arc::new(Core { words }),
            _data: PhantomData,
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
            _data: PhantomData,
        })
    }

    four_forms! {
        /// Takes the lock to read. A thread that reads already may do so again.
        ///
        /// # Errors
        /// [`PeerDied`](ErrorKind::PeerDied) where a writer died and nobody has recovered the
        /// data yet; [`Deadlock`](ErrorKind::Deadlock) where this thread writes;
        /// [`LimitReached`](ErrorKind::LimitReached) where
        /// [`MAX_PARTICIPANTS`](crate::MAX_PARTICIPANTS) threads take part already.
        read / try_read / read_timeout / read_deadline = read_until() -> ReadGuard<'_, T>
    }

    four_forms! {
        /// Takes the lock to write.
        ///
        /// # Errors
        /// As [`read`](RwLock::read); [`Deadlock`](ErrorKind::Deadlock) where this thread reads
        /// or writes already.
        write / try_write / write_timeout / write_deadline = write_until() -> WriteGuard<'_, T>
    }

    four_forms! {
        /// Takes the lock to write, whatever a dead writer left, as
        /// [`Mutex::recover`](crate::Mutex::recover) does.
        ///
        /// # Errors
        /// As [`write`](RwLock::write), but for `PeerDied`.
        recover / try_recover / recover_timeout / recover_deadline
            = recover_until() -> WriteRecovery<'_, T>
    }

    fn read_until(&self, until: Until) -> Result<ReadGuard<'_, T>> {
        let core = &*self.core;
        let seat = table::seat(&self.core)?;
        core.begin_reading(seat, until)?;
        let guard = ReadGuard {
            lock: self,
            seat,
            forks: forks(),
            _thread: PhantomData,
        };
        if core.is_orphaned() {
            Err(orphaned())
        } else {
            Ok(guard)
        }
    }

    fn write_until(&self, until: Until) -> Result<WriteGuard<'_, T>> {
        let guard = self.take(until)?;
        if self.core.is_orphaned() {
            Err(orphaned())
        } else {
            Ok(guard)
        }
    }

    fn recover_until(&self, until: Until) -> Result<WriteRecovery<'_, T>> {
        Ok(WriteRecovery {
            guard: self.take(until)?,
        })
    }

    fn take(&self, until: Until) -> Result<WriteGuard<'_, T>> {
        let seat = table::seat(&self.core)?;
        self.core.begin_writing(seat, until)?;
        Ok(WriteGuard {
            lock: self,
            forks: forks(),
            _thread: PhantomData,
        })
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<T>(KIND, Self::SIZE_BYTES, offset)
    }
}

impl<T: Plain> Drop for RwLock<T> {
    fn drop(&mut self) {
        table::leave(&self.core);
        self.core.words.leak_where_held(AT_LOCK);
    }
}

impl Core {
    fn begin_reading(&self, seat: usize, until: Until) -> Result<()> {
        let mine = self.table().word(seat);
        let reads = mine.load(Relaxed);
        if reads > 0 {
            mine.store(reads + 1, Relaxed);
            return Ok(());
        }
        // Seen by a writer that comes later; one that came before is seen by the load.
        mine.swap(1, SeqCst);
        crash_point!("read.said");
        if self.writer().load(SeqCst) == NOBODY {
            return Ok(());
        }
        self.end_reading(seat);
        crash_point!("read.withdrawn");
        // Behind the writer, on a lock that its death opens.
        self.take_lock(until)?;
        crash_point!("read.next");
        mine.store(1, SeqCst);
        crash_point!("read.admitted");
        self.lock().release();
        Ok(())
    }

    fn end_reading(&self, seat: usize) {
        let mine = self.table().word(seat);
        match mine.load(Relaxed) {
            0 => {}
            1 => {
                mine.swap(0, SeqCst);
                crash_point!("read.ended");
                if self.writer().load(SeqCst) == COMING {
                    table::ring(self.bell(), u32::MAX);
                }
            }
            reads => mine.store(reads - 1, Relaxed),
        }
    }

    fn begin_writing(&self, seat: usize, until: Until) -> Result<()> {
        if self.table().word(seat).load(Relaxed) > 0 {
            return Err(Error::new("write", ErrorKind::Deadlock)
                .hint("this thread reads, and would wait for itself"));
        }
        self.take_lock(until)?;
        crash_point!("write.locked");
        self.writer().swap(COMING, SeqCst);
        crash_point!("write.coming");
        match self.await_readers(seat, until) {
            Ok(()) => {
                self.writer().store(WRITING, SeqCst);
                crash_point!("write.writing");
                Ok(())
            }
            Err(error) => {
                self.writer().store(NOBODY, SeqCst);
                crash_point!("write.refused");
                self.lock().release();
                Err(error)
            }
        }
    }

    fn await_readers(&self, seat: usize, until: Until) -> Result<()> {
        if !self.has_readers() {
            return Ok(());
        }
        let announced = self.table().announce(seat);
        loop {
            let bell = self.bell().load(SeqCst);
            table::settle_dead(self);
            if !self.has_readers() {
                return Ok(());
            }
            if until == Until::Now {
                return Err(until.over("write"));
            }
            if announced.park(self, bell, until)? == Parked::TimedOut && self.has_readers() {
                return Err(until.over("write"));
            }
        }
    }

    /// Takes the writers' lock; what a dead writer left is written down before the lock is like
    /// any other.
    fn take_lock(&self, until: Until) -> Result<()> {
        if self.lock().take(until)? == Taken::OwnerDied {
            // One that died before it wrote, or a reader that died on its way, left the data as
            // it was.
            if self.writer().load(SeqCst) == WRITING {
                self.words.u32(AT_ORPHANED).store(1, SeqCst);
            }
            crash_point!("write.inherited");
            self.writer().store(NOBODY, SeqCst);
            crash_point!("write.cleared");
            self.lock().mark_consistent();
        }
        Ok(())
    }

    fn end_writing(&self) {
        if !self.is_orphaned() {
            self.words.u32(AT_CHANGING).store(0, Release);
        }
        crash_point!("write.committed");
        self.writer().store(NOBODY, SeqCst);
        crash_point!("write.ended");
        self.lock().release();
    }

    fn has_readers(&self) -> bool {
        let table = self.table();
        table.seats().any(|seat| table.word(seat).load(SeqCst) != 0)
    }

    fn is_orphaned(&self) -> bool {
        self.words.u32(AT_ORPHANED).load(SeqCst) != 0
    }

    fn writer(&self) -> &AtomicU32 {
        self.words.u32(AT_WRITER)
    }

    fn lock(&self) -> Lock<'_> {
        self.words.lock(AT_LOCK)
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
        self.table().word(seat).store(0, SeqCst);
    }
}

/// The lock is held to read until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReadGuard<'a, T: Plain> {
    lock: &'a RwLock<T>,
    seat: usize,
    forks: u32,
    _thread: PhantomData<*const ()>,
}

impl<T: Plain> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.lock.core.words.lend(AT_DATA)
    }
}

impl<T: Plain> Drop for ReadGuard<'_, T> {
    fn drop(&mut self) {
        // In a child forked meanwhile it is the parent that reads.
        if self.forks == forks() {
            self.lock.core.end_reading(self.seat);
        }
    }
}

/// The lock is held to write until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct WriteGuard<'a, T: Plain> {
    lock: &'a RwLock<T>,
    forks: u32,
    _thread: PhantomData<*const ()>,
}

impl<T: Plain> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.lock.core.words.lend(AT_DATA)
    }
}

impl<T: Plain> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        let words = &self.lock.core.words;
        words.u32(AT_CHANGING).store(1, Relaxed);
        crash_point!("write.changing");
        // The word is seen before any byte of the change is.
        fence(Release);
        words.lend_mut(AT_DATA)
    }
}

impl<T: Plain> Drop for WriteGuard<'_, T> {
    fn drop(&mut self) {
        if self.forks == forks() {
            self.lock.core.end_writing();
        }
    }
}

/// The lock is held to write, and the data may be what a dead writer left.
#[derive(Debug)]
#[must_use = "what is not repaired stays damaged"]
pub struct WriteRecovery<'a, T: Plain> {
    guard: WriteGuard<'a, T>,
}

impl<'a, T: Plain> WriteRecovery<'a, T> {
    /// What the dead writer left; `None` where none died, or another has repaired it already.
    #[must_use]
    pub fn damage(&self) -> Option<Damage> {
        let core = &self.guard.lock.core;
        core.is_orphaned()
            .then(|| match core.words.u32(AT_CHANGING).load(SeqCst) {
                0 => Damage::Whole,
                _ => Damage::Torn,
            })
    }

    /// Says that the data is in order: from now on the lock is like any other.
    pub fn repaired(self) -> WriteGuard<'a, T> {
        let words = &self.guard.lock.core.words;
        words.u32(AT_CHANGING).store(0, SeqCst);
        crash_point!("write.whole");
        words.u32(AT_ORPHANED).store(0, SeqCst);
        self.guard
    }
}

impl<T: Plain> Deref for WriteRecovery<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: Plain> DerefMut for WriteRecovery<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
