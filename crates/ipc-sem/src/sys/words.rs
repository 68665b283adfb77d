//! A part of a region that holds one object: its words, its locks and its data.

use super::{Robust, TID_MASK, watch_forks};
use crate::Plain;
use crate::lock::{AT_SLEEPERS, Lock};
use ipc_core::{Error, ErrorKind, Result};
use ipc_shm::Region;
use rustix::fs::Access;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What every object's place is a multiple of: a cache line.
pub(crate) const ALIGN_BYTES: usize = 64;

/// The memory of one object, mapped for as long as this lives.
#[derive(Debug)]
pub(crate) struct Words {
    region: Region,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; what is reached through `Words` is
// atomics, locks that the C library makes safe to share, and data under such a lock.
unsafe impl Send for Words {}
// SAFETY: as above.
unsafe impl Sync for Words {}

impl Words {
    /// The `len` bytes at `offset` of `region`, which must be mapped writable.
    pub(crate) fn new(region: &Region, offset: usize, len: usize) -> Result<Self> {
        let refuse = |why: String| Err(Error::new("place", ErrorKind::InvalidInput).hint(why));
        if !offset.is_multiple_of(ALIGN_BYTES) || !len.is_multiple_of(ALIGN_BYTES) {
            return refuse(format!(
                "offset {offset} is not a multiple of {ALIGN_BYTES}"
            ));
        }
        let Some(last) = offset.checked_add(len).and_then(|end| end.checked_sub(8)) else {
            return refuse(format!("offset {offset} is beyond every region"));
        };
        // The region checks that both ends are inside it, mapped, and writable.
        region.atomic_u64(last)?;
        let start = NonNull::from(region.atomic_u64(offset)?).cast::<u8>();
        if !start.addr().get().is_multiple_of(ALIGN_BYTES) {
            return refuse("the region is not mapped on a cache line".into());
        }
        watch_forks();
        Ok(Self {
            region: region.clone(),
            start,
            len,
        })
    }

    /// The word `at` bytes behind the start.
    #[inline]
    pub(crate) fn u32(&self, at: usize) -> &AtomicU32 {
        let word = self.place(at, 4, 4).cast::<AtomicU32>();
        // SAFETY: `place` has checked that the word is inside and aligned; the region is mapped
        // for as long as `self` lives, and every process reaches its words by atomics only.
        unsafe { word.as_ref() }
    }

    /// The double word `at` bytes behind the start.
    #[inline]
    pub(crate) fn u64(&self, at: usize) -> &AtomicU64 {
        let word = self.place(at, 8, 8).cast::<AtomicU64>();
        // SAFETY: as for `u32`.
        unsafe { word.as_ref() }
    }

    /// Where the object begins: mapped, and on a cache line, while `self` lives.
    #[cfg(feature = "raw-sync")]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The robust lock `at` bytes behind the start.
    #[inline]
    pub(crate) fn robust(&self, at: usize) -> Robust<'_> {
        let bytes = size_of::<libc::pthread_mutex_t>();
        Robust::new(
            self.place(at, bytes, align_of::<libc::pthread_mutex_t>())
                .cast(),
        )
    }

    /// The robust lock `at` bytes behind the start, with the count of those that wait behind it.
    #[inline]
    pub(crate) fn lock(&self, at: usize) -> Lock<'_> {
        let both = self.place(at, AT_SLEEPERS + 4, align_of::<libc::pthread_mutex_t>());
        // SAFETY: inside the object, which `place` has checked up to the word's end.
        let sleepers = unsafe { both.add(AT_SLEEPERS) }.cast::<AtomicU32>();
        // SAFETY: as for `u32`; 40 bytes behind a multiple of 8 it is aligned.
        Lock::new(Robust::new(both.cast()), unsafe { sleepers.as_ref() })
    }

    /// Where a semaphore of the C library stands `at` bytes behind the start: valid and aligned
    /// while `self` lives.
    pub(crate) fn sem(&self, at: usize) -> NonNull<libc::sem_t> {
        self.place(at, size_of::<libc::sem_t>(), align_of::<libc::sem_t>())
            .cast()
    }

    /// Puts a `T` `at` bytes behind the start, before anybody else can reach it.
    pub(crate) fn write<T: Plain>(&self, at: usize, value: T) {
        let place = self.place(at, size_of::<T>(), align_of::<T>()).cast::<T>();
        // SAFETY: inside the object, aligned and mapped (`place`); the object is not published
        // yet, so nobody else reads or writes it.
        unsafe { place.write(value) }
    }

    /// Lends the `T` `at` bytes behind the start to the holder of its lock.
    #[inline]
    pub(crate) fn lend<T: Plain>(&self, at: usize) -> &T {
        let place = self.place(at, size_of::<T>(), align_of::<T>()).cast::<T>();
        // SAFETY: inside the object, aligned and mapped while `self` lives (`place`); any bytes
        // are a `T` (`Plain`). Nobody writes meanwhile: the caller holds the lock, and the
        // constructor named `trusted` says that whoever maps the region keeps to the locks.
        unsafe { place.as_ref() }
    }

    /// Lends the `T` `at` bytes behind the start to the exclusive holder of its lock.
    #[inline]
    #[allow(
        clippy::mut_from_ref,
        reason = "the lock in the memory is what makes it exclusive"
    )]
    pub(crate) fn lend_mut<T: Plain>(&self, at: usize) -> &mut T {
        let mut place = self.place(at, size_of::<T>(), align_of::<T>()).cast::<T>();
        // SAFETY: as for `lend`; the caller holds the lock exclusively and borrows its guard
        // mutably for as long as the result lives.
        unsafe { place.as_mut() }
    }

    /// Called when a handle goes, and with it every guard that is not forgotten: where a thread
    /// of this process holds the robust lock `at` bytes behind the start all the same, the region
    /// stays mapped for ever, since that thread's list of robust locks goes through the memory.
    pub(crate) fn leak_where_held(&self, at: usize) {
        let holder = self.robust(at).word().load(Ordering::Relaxed) & TID_MASK;
        let is_ours = || match rustix::fs::access("/proc/self", Access::EXISTS) {
            Ok(()) => {
                rustix::fs::access(format!("/proc/self/task/{holder}"), Access::EXISTS).is_ok()
            }
            // Nobody can say: a leak does less harm than a list into nowhere.
            Err(_) => true,
        };
        if holder != 0 && is_ours() {
            std::mem::forget(self.region.clone());
        }
    }

    #[inline]
    fn place(&self, at: usize, len: usize, align: usize) -> NonNull<u8> {
        let inside = at <= self.len && len <= self.len - at;
        assert!(
            inside && at.is_multiple_of(align) && align <= ALIGN_BYTES,
            "the layout of an object is inside the object"
        );
        // SAFETY: `at` is inside the `len` bytes from `start`, which are one mapping.
        unsafe { self.start.add(at) }
    }
}
