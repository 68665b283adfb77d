//! Locks, segments and queues of published crates, whose interfaces are unsafe.

use std::{
    io,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    ptr,
};

use posix_sync::mutex::{
    BorrowedMutex, MutexBuilder, MutexSharing, MutexType, RawMutexAlloc, robustness_markers::Robust,
};
use posixmq::PosixMq;
use raw_sync::locks::{LockImpl, LockInit, Mutex};
use shared_memory::{Shmem, ShmemConf};

use super::Region;

/// A mutex of `raw_sync` in a region.
#[expect(missing_debug_implementations, reason = "the crate's lock has none")]
pub struct RawSync {
    lock: Box<dyn LockImpl>,
    /// Where the lock lives.
    _region: Region,
}

// SAFETY: the lock is a process-shared pthread mutex in the mapping that the value owns, made to
// be used by any thread; the crate only does not say so of its trait object.
unsafe impl Send for RawSync {}

impl RawSync {
    /// Makes it at `offset`, where nothing is.
    pub fn create(region: Region, offset: usize) -> io::Result<RawSync> {
        let at = region.mutex(offset).cast::<u8>();
        // SAFETY: `mutex` checked bounds and alignment; the region outlives the lock in the result.
        let made = unsafe { Mutex::new(at, at) };
        RawSync::of(made, region)
    }

    /// Finds the one that the other side has made at `offset`.
    pub fn open(region: Region, offset: usize) -> io::Result<RawSync> {
        let at = region.mutex(offset).cast::<u8>();
        // SAFETY: as for `create`; the other side made the lock before it gave the region.
        let found = unsafe { Mutex::from_existing(at, at) };
        RawSync::of(found, region)
    }

    fn of<E: ToString>(
        lock: Result<(Box<dyn LockImpl>, usize), E>,
        region: Region,
    ) -> io::Result<Self> {
        let (lock, _) = lock.map_err(|error| io::Error::other(error.to_string()))?;
        let _region = region;
        Ok(RawSync { lock, _region })
    }

    /// Takes it and releases it.
    #[inline]
    pub fn cycle(&self) -> io::Result<()> {
        match self.lock.lock() {
            Ok(guard) => {
                drop(guard);
                Ok(())
            }
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }
}

/// A robust mutex of `posix-sync` in a region.
#[derive(Debug)]
pub struct PosixSync {
    region: Region,
    offset: usize,
}

impl PosixSync {
    /// Makes it at `offset`, where nothing is.
    pub fn create(region: Region, offset: usize) -> PosixSync {
        let at = region.mutex(offset).cast::<RawMutexAlloc>();
        let builder = MutexBuilder::<Robust>::new()
            .with_sharing(MutexSharing::Shared)
            .with_type(MutexType::ErrorCheck);
        // SAFETY: `mutex` checked bounds and alignment, and nobody uses the place yet.
        unsafe { builder.build_borrowed(at, &region) };
        PosixSync { region, offset }
    }

    /// Finds the one that the other side has made at `offset`.
    pub fn open(region: Region, offset: usize) -> PosixSync {
        PosixSync { region, offset }
    }

    /// Takes it and releases it.
    #[inline]
    pub fn cycle(&self) -> io::Result<()> {
        let at = self.region.mutex(self.offset).cast::<RawMutexAlloc>();
        // SAFETY: a robust mutex was made here before the region was handed over.
        let mutex = unsafe { BorrowedMutex::<Robust>::from_raw(at, &self.region) };
        // SAFETY: both sides use it by this crate alone, and it is error-checking.
        match unsafe { mutex.lock() } {
            Ok(guard) => {
                drop(guard);
                Ok(())
            }
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }
}

/// A segment of `shared_memory`, used by the side that makes it.
#[expect(missing_debug_implementations, reason = "the crate's mapping has none")]
pub struct Segment(Shmem);

// SAFETY: the mapping belongs to this value alone, and what it keeps are plain addresses and a
// descriptor; the crate only does not say so.
unsafe impl Send for Segment {}

impl Segment {
    /// Makes one of at least `len` bytes, with all pages present, which the crate does not do.
    pub fn create(name: &str, len: usize) -> io::Result<Segment> {
        let made = ShmemConf::new().os_id(name).size(len.max(1)).create();
        let segment = Segment(made.map_err(|error| io::Error::other(error.to_string()))?);
        segment.touch();
        Ok(segment)
    }

    /// Removes what a process that was killed has left under that name.
    pub fn sweep(name: &str) {
        // Mostly there is nothing.
        let _ = std::fs::remove_file(format!("/dev/shm{name}"));
    }

    /// Copies `bytes` to its start.
    ///
    /// # Panics
    /// Where it is shorter.
    #[inline]
    pub fn write(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.0.len(), "a segment holds one message");
        // SAFETY: bounds are checked; private memory and the mapping cannot overlap; one thread
        // alone uses the segment.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.as_ptr(), bytes.len()) }
    }

    /// Copies from its start into `bytes`.
    ///
    /// # Panics
    /// Where it is shorter.
    #[inline]
    pub fn read(&self, bytes: &mut [u8]) {
        assert!(bytes.len() <= self.0.len(), "a segment holds one message");
        // SAFETY: as for `write`.
        unsafe { ptr::copy_nonoverlapping(self.0.as_ptr(), bytes.as_mut_ptr(), bytes.len()) }
    }

    fn touch(&self) {
        for at in (0..self.0.len()).step_by(4096) {
            // SAFETY: inside the mapping.
            let place = unsafe { self.0.as_ptr().add(at) };
            // SAFETY: a byte of the mapping, which nobody else uses yet.
            unsafe { place.write_volatile(0) };
        }
    }
}

/// A queue of `posixmq` over a queue's descriptor.
pub fn posixmq(queue: OwnedFd) -> PosixMq {
    // SAFETY: on Linux a queue is a file descriptor, which `queue` gives up.
    unsafe { PosixMq::from_raw_fd(queue.into_raw_fd()) }
}
