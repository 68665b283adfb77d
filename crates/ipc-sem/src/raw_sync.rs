//! A lock shared with programs that use the crate `raw_sync`, made by us so that it is robust.
//!
//! That crate would make a lock that a killed holder keeps for ever. So the lock is made here,
//! robust and error-checking, and the other program takes it by the crate's `from_existing`: its
//! data follows the lock, as in that crate's own examples. Its events and reader-writer locks are
//! not offered: they cannot be made to survive a death.

use crate::glance;
use crate::header::{self, Identity};
use crate::mutex::orphaned;
use crate::sys::{Robust, Taken, Words, forks, hand_over};
use crate::{ALIGN_BYTES, Plain};
use ::raw_sync::locks::LockImpl;
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::Region;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Relaxed, Release};

const KIND: u32 = 16;
const AT_LOCK: usize = 0;
/// Right behind the lock, which takes so many bytes.
const AT_DATA: usize = 40;
/// Behind the data, where the crate does not look: what a header says elsewhere.
const IN_STATE: usize = 0;
const IN_ORPHANED: usize = 4;
const IN_NAMESPACE: usize = 8;
const IN_LAYOUT: usize = 16;
const TAIL_BYTES: usize = 24;
const _: () = assert!(size_of::<libc::pthread_mutex_t>() == AT_DATA);

/// A lock around a `T` that programs on the crate `raw_sync` take as well.
///
/// The other program finds the lock at the object's offset, and the `T` 40 bytes behind it. It
/// must not call that crate's `Mutex::new`, which would make the lock anew. When its own take
/// finds a dead owner, that crate says so in an error and *keeps* the lock without a guard: until
/// that process ends nobody else gets it.
///
/// ```
/// let region = ipc_shm::anonymous(4096)?;
/// let counter = ipc_sem::raw_sync::Mutex::<u64>::create_trusted(&region, 0, 7)?;
/// *counter.lock()? += 1;
/// let theirs = counter.upstream()?; // a `raw_sync::locks::LockImpl`
/// assert!(theirs.lock().is_ok());
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Mutex<T> {
    words: Words,
    _data: PhantomData<T>,
}

impl<T: Plain> Mutex<T> {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = (Self::TAIL + TAIL_BYTES).next_multiple_of(ALIGN_BYTES);

    const TAIL: usize = (AT_DATA + size_of::<T>()).next_multiple_of(8);

    /// Makes one at `offset` of `region`, in memory that is zero. All who can write to the region
    /// are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted);
    /// [`ErrorKind::InvalidInput`] where `T` wants an alignment above 8.
    pub fn create_trusted(region: &Region, offset: usize, value: T) -> Result<Self> {
        let layout = Self::layout(offset)?;
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        let state = words.u32(Self::TAIL + IN_STATE);
        header::claim(state)?;
        let build = || {
            words.u32(Self::TAIL + IN_ORPHANED).store(0, Relaxed);
            let namespace = header::pid_namespace();
            words
                .u64(Self::TAIL + IN_NAMESPACE)
                .store(namespace, Relaxed);
            words.u32(Self::TAIL + IN_LAYOUT).store(layout, Relaxed);
            words.write(AT_DATA, value);
            words.robust(AT_LOCK).init(false)
        };
        header::publish(state, build())?;
        Ok(Self::new(words))
    }

    /// Opens the one at `offset` of `region`, made by [`create_trusted`](Mutex::create_trusted).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where none was made, or by the crate itself, whose locks are not
    /// robust; [`ErrorKind::WrongType`] where it holds another type;
    /// [`ErrorKind::PeerDied`] where its creator died half-way; [`ErrorKind::Unsupported`] from
    /// another PID namespace.
    pub fn open_trusted(region: &Region, offset: usize) -> Result<Self> {
        let layout = Self::layout(offset)?;
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::await_ready(words.u32(Self::TAIL + IN_STATE))?;
        if words.u32(Self::TAIL + IN_LAYOUT).load(Relaxed) != layout {
            return Err(
                Error::new("open", ErrorKind::WrongType).hint("it holds another type of data")
            );
        }
        header::same_namespace(words.u64(Self::TAIL + IN_NAMESPACE).load(Relaxed))?;
        Ok(Self::new(words))
    }

    four_forms! {
        /// Takes the lock.
        ///
        /// # Errors
        /// [`PeerDied`](ErrorKind::PeerDied) where an owner died and nobody has
        /// [recovered](Mutex::recover) the data yet: nothing is held then.
        /// [`Deadlock`](ErrorKind::Deadlock) where the thread holds it already;
        /// [`Corrupt`](ErrorKind::Corrupt) where a program on the crate gave it up after a death.
        lock / try_lock / lock_timeout / lock_deadline = lock_until() -> Guard<'_, T>
    }

    four_forms! {
        /// Takes the lock, whatever its last owner left.
        ///
        /// # Errors
        /// As [`lock`](Mutex::lock), but for `PeerDied`.
        recover / try_recover / recover_timeout / recover_deadline
            = recover_until() -> Recovery<'_, T>
    }

    /// The lock as the crate's own type, to be used by code of this process that is written for
    /// it. Its guards and this type's exclude each other.
    ///
    /// Its timed form fails by chance, and a guard of it panics where the lock was released by
    /// hand: so are they upstream.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the crate lays a lock out in another way.
    pub fn upstream(&self) -> Result<Upstream<'_>> {
        Ok(Upstream {
            lock: hand_over(&self.words, AT_DATA)?,
            _mutex: PhantomData,
        })
    }

    fn lock_until(&self, until: Until) -> Result<Guard<'_, T>> {
        let guard = self.take(until)?;
        if guard.mutex.is_orphaned() {
            drop(guard);
            return Err(orphaned());
        }
        Ok(guard)
    }

    fn recover_until(&self, until: Until) -> Result<Recovery<'_, T>> {
        let guard = self.take(until)?;
        Ok(Recovery { guard })
    }

    fn take(&self, until: Until) -> Result<Guard<'_, T>> {
        if glance::take(self.robust(), until)? == Taken::OwnerDied {
            // In this order: should this process die in between, the next one does it again.
            self.orphaned().store(1, Release);
            self.robust().mark_consistent();
        }
        Ok(Guard {
            mutex: self,
            forks: forks(),
            _thread: PhantomData,
        })
    }

    fn robust(&self) -> Robust<'_> {
        self.words.robust(AT_LOCK)
    }

    fn orphaned(&self) -> &std::sync::atomic::AtomicU32 {
        self.words.u32(Self::TAIL + IN_ORPHANED)
    }

    fn is_orphaned(&self) -> bool {
        self.orphaned().load(Relaxed) != 0
    }

    fn new(words: Words) -> Self {
        Self {
            words,
            _data: PhantomData,
        }
    }

    /// What tells its type from others; it takes no part in where the crate looks.
    fn layout(offset: usize) -> Result<u32> {
        if align_of::<T>() > 8 {
            return Err(Error::new("place", ErrorKind::InvalidInput)
                .hint("data behind a lock of raw_sync is aligned to at most 8 bytes"));
        }
        Ok(Identity::of::<T>(KIND, Self::SIZE_BYTES, offset)?.layout)
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        self.words.leak_where_held(AT_LOCK);
    }
}

/// The lock as the crate `raw_sync` has it, for as long as ours lives.
pub struct Upstream<'a> {
    lock: Box<dyn LockImpl>,
    _mutex: PhantomData<&'a ()>,
}

impl Deref for Upstream<'_> {
    type Target = dyn LockImpl;
    fn deref(&self) -> &(dyn LockImpl + 'static) {
        &*self.lock
    }
}

impl std::fmt::Debug for Upstream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

/// The lock is held by this thread until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard<'a, T: Plain> {
    mutex: &'a Mutex<T>,
    forks: u32,
    /// A robust lock belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl<T: Plain> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.mutex.words.lend(AT_DATA)
    }
}

impl<T: Plain> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.mutex.words.lend_mut(AT_DATA)
    }
}

impl<T: Plain> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // In a child forked meanwhile it is the parent that holds it.
        if self.forks == forks() {
            self.mutex.robust().release();
        }
    }
}

/// The lock is held, and the data may be what a dead owner left half-way: the other program
/// writes down no commits, so that nobody can say.
#[derive(Debug)]
#[must_use = "what is not repaired stays damaged"]
pub struct Recovery<'a, T: Plain> {
    guard: Guard<'a, T>,
}

impl<'a, T: Plain> Recovery<'a, T> {
    /// Whether an owner died, and nobody has said yet that the data is in order.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.guard.mutex.is_orphaned()
    }

    /// Says that the data is in order: from now on the lock is like any other.
    pub fn repaired(self) -> Guard<'a, T> {
        self.guard.mutex.orphaned().store(0, Release);
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
