//! The mutex: one thread of all processes at the data, and what its death leaves.

use crate::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::atomic::fence;
use crate::header::{self, HEADER_BYTES, Identity};
use crate::lock::Lock;
use crate::sys::{ALIGN_BYTES, Taken, Words, forks};
use crate::{Options, Plain};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::Region;
use ipc_sys::crash_point;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

const KIND: u32 = 1;
/// An owner died, and nobody has said yet that the data is in order.
const AT_ORPHANED: usize = HEADER_BYTES;
/// The commit word: not nought while the owner changes the data.
const AT_CHANGING: usize = HEADER_BYTES + 4;
const AT_LOCK: usize = HEADER_BYTES + 16;
const AT_DATA: usize = 2 * ALIGN_BYTES;

/// The lock's flag in the header: the kernel hands it from owner to owner.
const HANDED_OVER: u32 = 1;

/// A lock around a `T` in a region, held by one thread of all processes at a time.
///
/// The kernel knows its owner. When the owner dies, wherever it is, the next in line gets it at
/// once: [`lock`](Mutex::lock) says `PeerDied` and holds nothing, until somebody has taken the
/// lock by [`recover`](Mutex::recover), looked after the data, and said so. A commit word beside
/// the data tells whether the owner died in the middle of a change.
///
/// ```
/// let region = ipc_shm::anonymous(4096)?;
/// let counter = ipc_sem::Mutex::<u64>::create_trusted(&region, 0, 7)?;
/// *counter.lock()? += 1;
/// let same = ipc_sem::Mutex::<u64>::open_trusted(&region, 0)?;
/// assert_eq!(*same.lock()?, 8);
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Mutex<T> {
    words: Words,
    #[cfg(feature = "lock-cycles")]
    name: crate::cycles::LockName,
    _data: PhantomData<T>,
}

/// Whether a dead owner was changing the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It was not: what is there is what the last change made.
    Whole,
    /// It was: the data is part old, part new.
    Torn,
}

impl<T: Plain> Mutex<T> {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = (AT_DATA + size_of::<T>()).next_multiple_of(ALIGN_BYTES);

    /// Makes one at `offset` of `region`, with the default options. All who can write to the
    /// region are trusted: a lock survives their death, not their scribbling.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`].
    pub fn create_trusted(region: &Region, offset: usize, value: T) -> Result<Self> {
        Options::new().create_mutex_trusted(region, offset, value)
    }

    /// Opens the one at `offset` of `region`, waiting for a creator that is at it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where none was made; [`ErrorKind::PeerDied`] where its creator
    /// died half-way; [`ErrorKind::WrongType`] where it is something else or holds another type;
    /// [`ErrorKind::Corrupt`]; [`ErrorKind::Unsupported`] from another PID namespace, by which
    /// the kernel's thread ids mean other threads.
    pub fn open_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::open(&words, Self::identity(offset)?)?;
        Ok(Self::new(words, region, offset))
    }

    pub(crate) fn create(
        region: &Region,
        offset: usize,
        value: T,
        handed_over: bool,
    ) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        let identity = Self::identity(offset)?;
        let flags = if handed_over { HANDED_OVER } else { 0 };
        header::create(&words, identity, flags, || {
            words.u32(AT_ORPHANED).store(0, Relaxed);
            words.u32(AT_CHANGING).store(0, Relaxed);
            words.lock(AT_LOCK).init(handed_over)?;
            words.write(AT_DATA, value);
            Ok(())
        })?;
        Ok(Self::new(words, region, offset))
    }

    four_forms! {
        /// Takes the lock.
        ///
        /// # Errors
        /// [`PeerDied`](ErrorKind::PeerDied) where an owner died and nobody has
        /// [recovered](Mutex::recover) the data yet: nothing is held then.
        /// [`Deadlock`](ErrorKind::Deadlock) where the thread holds it already.
        lock / try_lock / lock_timeout / lock_deadline = lock_until() -> Guard<'_, T>
    }

    four_forms! {
        /// Takes the lock, whatever its last owner left. [`Recovery::damage`] says what that is:
        /// of all who come here after a death, one at a time sees damage, until one says that it
        /// is [repaired](Recovery::repaired).
        ///
        /// # Errors
        /// As [`lock`](Mutex::lock), but for `PeerDied`.
        recover / try_recover / recover_timeout / recover_deadline
            = recover_until() -> Recovery<'_, T>
    }

    #[inline]
    fn lock_until(&self, until: Until) -> Result<Guard<'_, T>> {
        let guard = self.take(until)?;
        if self.words.u32(AT_ORPHANED).load(Relaxed) != 0 {
            drop(guard);
            return Err(orphaned());
        }
        Ok(guard)
    }

    fn recover_until(&self, until: Until) -> Result<Recovery<'_, T>> {
        Ok(Recovery {
            guard: self.take(until)?,
        })
    }

    #[inline]
    fn take(&self, until: Until) -> Result<Guard<'_, T>> {
        if self.take_lock(until)? == Taken::OwnerDied {
            self.adopt();
        }
        crash_point!("mutex.taken");
        Ok(Guard {
            mutex: self,
            forks: forks(),
            changed: 0,
            _thread: PhantomData,
        })
    }

    #[inline]
    fn take_lock(&self, until: Until) -> Result<Taken> {
        #[cfg(feature = "lock-cycles")]
        return self.name.take(until, |until| self.robust().take(until));
        #[cfg(not(feature = "lock-cycles"))]
        self.robust().take(until)
    }

    #[inline]
    fn release_lock(&self) {
        #[cfg(feature = "lock-cycles")]
        self.name.released();
        // Its sleepers are woken by the lock's own word, whoever counts them.
        self.words.robust(AT_LOCK).release();
    }

    /// The order matters: should this process die in between, the lock is still found as the
    /// dead owner's, and this is done again.
    #[cold]
    fn adopt(&self) {
        crash_point!("mutex.found");
        self.words.u32(AT_ORPHANED).store(1, Release);
        crash_point!("mutex.orphaned");
        self.robust().mark_consistent();
        crash_point!("mutex.adopted");
    }

    #[inline]
    fn robust(&self) -> Lock<'_> {
        self.words.lock(AT_LOCK)
    }

    fn new(words: Words, _region: &Region, _offset: usize) -> Self {
        Self {
            words,
            #[cfg(feature = "lock-cycles")]
            name: crate::cycles::LockName::of(_region, _offset),
            _data: PhantomData,
        }
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<T>(KIND, Self::SIZE_BYTES, offset)
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        self.words.leak_where_held(AT_LOCK);
    }
}

/// The error of a verb that finds a lock whose owner died.
#[cold]
pub(crate) fn orphaned() -> Error {
    Error::new("lock", ErrorKind::PeerDied)
        .hint("an owner died with it; take it by `recover` and look after the data")
}

/// The lock is held by this thread until this is dropped.
///
/// It lends the data: whoever can write to the region and does not take the lock breaks the rule
/// that the constructor's name speaks of.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard<'a, T: Plain> {
    mutex: &'a Mutex<T>,
    forks: u32,
    /// The data was lent to be changed, and the commit word says so.
    changed: u32,
    /// A robust lock belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl<T: Plain> Guard<'_, T> {
    /// Whether the thread has the lock: a child forked meanwhile has a copy of this that has not.
    fn holds(&self) -> bool {
        self.forks == forks()
    }

    /// Releases the lock and takes it again by `wait`'s end; for a condition variable.
    pub(crate) fn released<R>(&mut self, wait: impl FnOnce() -> R) -> (R, Result<()>) {
        self.commit();
        self.mutex.release_lock();
        crash_point!("condvar.released");
        let outcome = wait();
        crash_point!("condvar.awake");
        let taken = self.mutex.robust().take(Until::Forever);
        #[cfg(feature = "lock-cycles")]
        if taken.is_ok() {
            self.mutex.name.held();
        }
        if taken.as_ref().is_ok_and(|taken| *taken == Taken::OwnerDied) {
            self.mutex.adopt();
        }
        let whole = self.mutex.words.u32(AT_ORPHANED).load(Relaxed) == 0;
        let held = taken.and_then(|_| if whole { Ok(()) } else { Err(orphaned()) });
        (outcome, held)
    }

    /// What was changed so far is whole.
    #[inline]
    fn commit(&mut self) {
        // What a dead owner left half-way is not made whole by the next one's release.
        if self.changed != 0 {
            self.changed = 0;
            if self.mutex.words.u32(AT_ORPHANED).load(Relaxed) == 0 {
                self.mutex.words.u32(AT_CHANGING).store(0, Release);
                crash_point!("mutex.committed");
            }
        }
    }
}

impl<T: Plain> Deref for Guard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        self.mutex.words.lend(AT_DATA)
    }
}

impl<T: Plain> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.changed = 1;
        self.mutex.words.u32(AT_CHANGING).store(1, Relaxed);
        crash_point!("mutex.changing");
        // The word is seen before any byte of the change is.
        fence(Release);
        self.mutex.words.lend_mut(AT_DATA)
    }
}

impl<T: Plain> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.holds() {
            self.commit();
            self.mutex.release_lock();
            crash_point!("mutex.released");
        }
    }
}

/// The lock is held, and the data may be what a dead owner left.
#[derive(Debug)]
#[must_use = "what is not repaired stays damaged"]
pub struct Recovery<'a, T: Plain> {
    guard: Guard<'a, T>,
}

impl<'a, T: Plain> Recovery<'a, T> {
    /// What the dead owner left; `None` where none died, or another has repaired it already.
    #[must_use]
    pub fn damage(&self) -> Option<Damage> {
        let words = &self.guard.mutex.words;
        if words.u32(AT_ORPHANED).load(Relaxed) == 0 {
            return None;
        }
        match words.u32(AT_CHANGING).load(Acquire) {
            0 => Some(Damage::Whole),
            _ => Some(Damage::Torn),
        }
    }

    /// Says that the data is in order: from now on the lock is like any other. A recovery that
    /// is dropped without it, or whose process dies, leaves the damage to the next.
    pub fn repaired(self) -> Guard<'a, T> {
        let words = &self.guard.mutex.words;
        words.u32(AT_CHANGING).store(0, Release);
        crash_point!("mutex.whole");
        words.u32(AT_ORPHANED).store(0, Release);
        crash_point!("mutex.repaired");
        self.guard
    }
}

impl<T: Plain> Deref for Recovery<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: Plain> DerefMut for Recovery<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
