//! The event: a flag in a region that some set and others await.

use crate::atomic::AtomicU32;
use crate::atomic::Ordering::{Relaxed, SeqCst};
use crate::header::{self, HEADER_BYTES, Identity};
use crate::sys::Words;
use crate::table::{self, Parked, Seated, TABLE_BYTES, Table};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::Region;
use ipc_sys::crash_point;
use std::sync::Arc;

const KIND: u32 = 3;
const AT_SET: usize = HEADER_BYTES;
/// How many that had announced to notify have died.
const AT_DEATHS: usize = HEADER_BYTES + 4;
/// What sleepers sleep on. It is not the flag: a death must change it, too, or one that is about
/// to sleep would miss it.
const AT_BELL: usize = HEADER_BYTES + 8;
const AT_TABLE: usize = 2 * HEADER_BYTES;

/// The header's flag: one wait takes the notification.
const TAKEN_BY_ONE: u32 = 1;
/// In a seat's word: this one notifies.
const NOTIFIER: u64 = 1;

/// A flag in a region that some set and others await, without a system call while nobody waits.
///
/// It stays set until [`reset`](Event::reset), or, made so by
/// [`Options::taken_by_one`](crate::Options::taken_by_one), until one wait has taken it. A thread
/// that has notified, or has said that it will, is a peer of those that wait: its death ends
/// their waits.
///
/// ```
/// let region = ipc_shm::anonymous(1 << 16)?;
/// let started = ipc_sem::Event::create_trusted(&region, 0)?;
/// started.notify()?;
/// started.wait()?;
/// started.wait()?;
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Event {
    core: Arc<Core>,
    taken_by_one: bool,
}

#[derive(Debug)]
struct Core {
    words: Words,
}

impl Event {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = AT_TABLE + TABLE_BYTES;

    /// Makes one, not set, at `offset` of `region`, with the default options. All who can write
    /// to the region are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted).
    pub fn create_trusted(region: &Region, offset: usize) -> Result<Self> {
        Self::create(region, offset, false)
    }

    /// Opens the one at `offset` of `region`.
    ///
    /// # Errors
    /// As [`Mutex::open_trusted`](crate::Mutex::open_trusted).
    pub fn open_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        let flags = header::open(&words, Self::identity(offset)?)?;
        Ok(Self {
            core: Arc::new(Core { words }),
            taken_by_one: flags & TAKEN_BY_ONE != 0,
        })
    }

    pub(crate) fn create(region: &Region, offset: usize, taken_by_one: bool) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        let flags = if taken_by_one { TAKEN_BY_ONE } else { 0 };
        header::create(&words, Self::identity(offset)?, flags, || {
            words.u32(AT_SET).store(0, Relaxed);
            words.u32(AT_DEATHS).store(0, Relaxed);
            words.u32(AT_BELL).store(0, Relaxed);
            Table::new(&words, AT_TABLE).init()
        })?;
        Ok(Self {
            core: Arc::new(Core { words }),
            taken_by_one,
        })
    }

    four_forms! {
        /// Waits until the event is set.
        ///
        /// # Errors
        /// [`PeerDied`](ErrorKind::PeerDied) where a thread that has notified here before, or
        /// has [announced](Event::announce) that it will, dies meanwhile and the event is not
        /// set.
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> ()
    }

    /// Sets the event and wakes who waits: all, or one where one wait takes it.
    ///
    /// # Errors
    /// [`LimitReached`](ErrorKind::LimitReached) where
    /// [`MAX_PARTICIPANTS`](crate::MAX_PARTICIPANTS) threads take part already.
    pub fn notify(&self) -> Result<()> {
        self.announce()?;
        crash_point!("event.announced");
        self.core.set().store(1, SeqCst);
        crash_point!("event.set");
        if self.core.table().has_waiters() {
            table::ring(
                self.core.bell(),
                if self.taken_by_one { 1 } else { u32::MAX },
            );
        }
        Ok(())
    }

    /// Says that this thread is going to notify: from now on its death ends the waits of others.
    ///
    /// # Errors
    /// As [`notify`](Event::notify).
    pub fn announce(&self) -> Result<()> {
        let seat = table::seat(&self.core)?;
        self.core.table().word(seat).store(NOTIFIER, SeqCst);
        Ok(())
    }

    /// Clears the event; whether it was set.
    pub fn reset(&self) -> bool {
        self.core.set().swap(0, SeqCst) != 0
    }

    /// Whether the event is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.core.set().load(SeqCst) != 0
    }

    #[inline]
    fn wait_until(&self, until: Until) -> Result<()> {
        if self.took() {
            Ok(())
        } else {
            self.sleep(until)
        }
    }

    #[cold]
    fn sleep(&self, until: Until) -> Result<()> {
        let core = &*self.core;
        if until == Until::Now {
            return Err(until.over("wait"));
        }
        let seat = table::seat(&self.core)?;
        let deaths = core.deaths().load(SeqCst);
        let announced = core.table().announce(seat);
        loop {
            let bell = core.bell().load(SeqCst);
            if self.took() {
                return Ok(());
            }
            if core.deaths().load(SeqCst) != deaths {
                return Err(Error::new("wait", ErrorKind::PeerDied)
                    .hint("a thread that notifies this event died"));
            }
            if announced.park(core, bell, until)? == Parked::TimedOut {
                return if self.took() {
                    Ok(())
                } else {
                    Err(until.over("wait"))
                };
            }
        }
    }

    #[inline]
    fn took(&self) -> bool {
        if self.taken_by_one {
            self.core
                .set()
                .compare_exchange(1, 0, SeqCst, SeqCst)
                .is_ok()
        } else {
            self.is_set()
        }
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        table::leave(&self.core);
    }
}

impl Core {
    #[inline]
    fn set(&self) -> &AtomicU32 {
        self.words.u32(AT_SET)
    }
    fn deaths(&self) -> &AtomicU32 {
        self.words.u32(AT_DEATHS)
    }
}

impl Seated for Core {
    #[inline]
    fn table(&self) -> Table<'_> {
        Table::new(&self.words, AT_TABLE)
    }
    fn bell(&self) -> &AtomicU32 {
        self.words.u32(AT_BELL)
    }
    fn settle(&self, seat: usize, died: bool) {
        let word = self.table().word(seat);
        if died && word.load(SeqCst) == NOTIFIER {
            self.deaths().fetch_add(1, SeqCst);
        }
        crash_point!("event.mourned");
        word.store(0, SeqCst);
    }
}
