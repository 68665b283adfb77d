//! Every system call of the crate that has no safe wrapper, and the mappings themselves.

#![allow(unsafe_code)]

mod slots;
mod window;

pub use self::slots::{Slots, WritableSlots};
pub use self::window::{Window, WritableWindow};
use crate::copy;
use ipc_core::Result;
use ipc_sys::os_error;
use rustix::fs::SealFlags;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// A mapping of shared memory that cannot lose its pages while it stands: sealed against
/// shrinking, of a size the kernel fixes, or trusted by the caller.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    writable: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Descriptor,
    Segment,
    /// Mapped by another crate, which unmaps it when this is dropped.
    #[cfg(feature = "shared-memory")]
    Upstream(#[expect(dead_code, reason = "kept for its drop")] Upstream),
}

/// A mapping of the crate `shared_memory`.
#[cfg(feature = "shared-memory")]
struct Upstream(#[expect(dead_code, reason = "kept for its drop")] shared_memory::Shmem);

#[cfg(feature = "shared-memory")]
impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shmem")
    }
}

// SAFETY: a mapping belongs to the process, not to a thread; an upstream one is a pointer, a
// descriptor and strings, of which nothing is bound to a thread either.
unsafe impl Send for Mapping {}
// SAFETY: what threads may do through a shared reference is to copy (`copy::racing`, to which a
// concurrent write is allowed), to use atomics, and to borrow bytes that nobody can write.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of what `fd` refers to, shared.
    pub(crate) fn of_descriptor(
        fd: BorrowedFd<'_>,
        len: usize,
        writable: bool,
        prefault: bool,
    ) -> Result<Self> {
        let protection = match writable {
            true => ProtFlags::READ | ProtFlags::WRITE,
            false => ProtFlags::READ,
        };
        let flags = match prefault {
            true => MapFlags::SHARED | MapFlags::POPULATE,
            false => MapFlags::SHARED,
        };
        // SAFETY: a null hint lets the kernel choose free addresses, so that nothing of ours is
        // replaced (mmap(2)).
        let mapped = unsafe { rustix::mm::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
        let start = mapped.map_err(|errno| os_error("map", errno))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| os_error("map", Errno::NOMEM))?;
        let kind = Kind::Descriptor;
        Ok(Self {
            start,
            len,
            writable,
            kind,
        })
    }

    /// Attaches the System V segment `id`, of which the caller knows that it has `len` bytes.
    pub(crate) fn of_segment(id: i32, len: usize, writable: bool) -> Result<Self> {
        let flags = if writable { 0 } else { libc::SHM_RDONLY };
        // SAFETY: a null address lets the kernel choose free ones (shmat(2)).
        let start = unsafe { libc::shmat(id, ptr::null(), flags) };
        if start as isize == -1 {
            return Err(os_error("attach", last_errno()).on(format_args!("segment {id}")));
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| os_error("attach", Errno::NOMEM))?;
        let kind = Kind::Segment;
        Ok(Self {
            start,
            len,
            writable,
            kind,
        })
    }

    /// Takes over what the crate `shared_memory` has mapped.
    #[cfg(feature = "shared-memory")]
    pub(crate) fn of_upstream(mapped: shared_memory::Shmem) -> Result<Self> {
        let len = mapped.len();
        let start = NonNull::new(mapped.as_ptr()).ok_or_else(|| os_error("map", Errno::NOMEM))?;
        let kind = Kind::Upstream(Upstream(mapped));
        Ok(Self {
            start,
            len,
            writable: true,
            kind,
        })
    }

    pub(crate) const fn is_writable(&self) -> bool {
        self.writable
    }

    /// Copies the bytes at `offset` into `buffer`.
    #[inline]
    pub(crate) fn read(&self, offset: usize, buffer: &mut [u8]) {
        let from = self.at(offset, buffer.len());
        // SAFETY: `at` has checked that `buffer.len()` bytes lie inside the mapping; `buffer` is
        // a Rust object of its own, and the shared side may be written meanwhile.
        unsafe { copy::racing(from.as_ptr(), buffer.as_mut_ptr(), buffer.len()) };
    }

    /// Copies `bytes` to `offset`.
    #[inline]
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(self.writable, "the region has checked that it may write");
        let to = self.at(offset, bytes.len());
        // SAFETY: as in `read`, and the mapping is writable.
        unsafe { copy::racing(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }

    /// The aligned word at `offset`.
    #[inline]
    pub(crate) fn atomic_u32(&self, offset: usize) -> &AtomicU32 {
        let place = self.at(offset, 4).cast::<u32>();
        assert!(place.is_aligned(), "the region has checked the alignment");
        // SAFETY: inside the mapping and aligned (both checked above), for as long as `self`
        // lives; others touch it by atomics or by the racing copy alone.
        unsafe { AtomicU32::from_ptr(place.as_ptr()) }
    }

    /// The aligned double word at `offset`.
    #[inline]
    pub(crate) fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        let place = self.at(offset, 8).cast::<u64>();
        assert!(place.is_aligned(), "the region has checked the alignment");
        // SAFETY: as in `atomic_u32`.
        unsafe { AtomicU64::from_ptr(place.as_ptr()) }
    }

    /// Lends bytes that nobody changes, of which `_proof` is the proof.
    pub(crate) fn lend(&self, offset: usize, len: usize, _proof: Unchanging) -> &[u8] {
        assert!(!self.writable, "what is lent is not written by us either");
        let place = self.at(offset, len);
        // SAFETY: inside the mapping for as long as `self` lives; the proof says that no process
        // can write, or that the caller has vouched for those that could.
        unsafe { std::slice::from_raw_parts(place.as_ptr(), len) }
    }

    /// Keeps the first `len` bytes in memory.
    pub(crate) fn lock(&self, len: usize) -> rustix::io::Result<()> {
        // SAFETY: `at` checks the range; locking changes no byte (mlock(2)).
        unsafe { rustix::mm::mlock(self.at(0, len).as_ptr().cast(), len) }
    }

    /// Tells the kernel how the first `len` bytes will be used; `advice` never drops pages.
    pub(crate) fn advise(&self, len: usize, advice: crate::Advice) -> rustix::io::Result<()> {
        use rustix::mm::Advice as Kernel;
        let advice = match advice {
            crate::Advice::Normal => Kernel::Normal,
            crate::Advice::Sequential => Kernel::Sequential,
            crate::Advice::Random => Kernel::Random,
            crate::Advice::WillNeed => Kernel::WillNeed,
            crate::Advice::HugePages => Kernel::LinuxHugepage,
            crate::Advice::NotInDumps => Kernel::LinuxDontDump,
        };
        // SAFETY: `at` checks the range, and none of these advices changes contents (madvise(2)).
        unsafe { rustix::mm::madvise(self.at(0, len).as_ptr().cast(), len, advice) }
    }

    /// Where the user's bytes are, for a measurement.
    #[cfg(test)]
    pub(crate) fn whole(&self) -> *mut u8 {
        let user = crate::DATA_OFFSET;
        self.at(user, self.len - user).as_ptr()
    }

    #[inline]
    fn at(&self, offset: usize, len: usize) -> NonNull<u8> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        assert!(inside, "the region has checked the range");
        // SAFETY: `offset` is at most `self.len`, so this stays in the mapping or at its end.
        unsafe { self.start.add(offset) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        match &self.kind {
            // Its own drop unmaps, once, when this one is over.
            #[cfg(feature = "shared-memory")]
            Kind::Upstream(_) => {}
            Kind::Descriptor => {
                // SAFETY: mapped by `of_descriptor` with this length; whatever borrows from it
                // borrows from `self`.
                let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
            }
            Kind::Segment => {
                // SAFETY: attached by `of_segment`; as above.
                unsafe { libc::shmdt(self.start.as_ptr().cast()) };
            }
        }
    }
}

/// The proof that bytes do not change any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unchanging(());

impl Unchanging {
    /// By the kernel: with these two seals no process can write or shrink, and with the first no
    /// writable mapping is left.
    pub(crate) fn by_seal(fd: impl AsFd) -> Option<Self> {
        let seals = rustix::fs::fcntl_get_seals(fd).ok()?;
        let needed = SealFlags::WRITE | SealFlags::SHRINK;
        seals.contains(needed).then_some(Self(()))
    }

    /// By the caller's word, given through an option whose name says so.
    pub(crate) const fn by_trust() -> Self {
        Self(())
    }
}

/// A number that this process has and no other. Process ids are used again, and mean another
/// process in another namespace; a forked copy, which has all our memory, finds nothing where
/// the number was, and draws its own.
pub(crate) fn process_token() -> u64 {
    static PLACE: AtomicPtr<u64> = AtomicPtr::new(ptr::null_mut());
    let known = PLACE.load(Ordering::Acquire);
    let place = if known.is_null() {
        let Ok(fresh) = wiped_on_fork() else {
            return std::process::id().into();
        };
        // Of two threads one page stays; the other, once in a process's life, is not missed.
        let raced =
            PLACE.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire);
        raced.map_or_else(|other| other, |_| fresh)
    } else {
        known
    };
    // SAFETY: the start of a page of ours that stays mapped, aligned, and is used as this
    // atomic alone; where the kernel has wiped it, it is a valid zero.
    let token = unsafe { AtomicU64::from_ptr(place) };
    let drawn = RandomState::new().hash_one(std::process::id()) | 1;
    match token.compare_exchange(0, drawn, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => drawn,
        Err(token) => token,
    }
}

/// A page of zeros, and of zeros again in each forked copy of this process.
fn wiped_on_fork() -> rustix::io::Result<*mut u64> {
    const BYTES: usize = 4096;
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh page at an address of the kernel's choice (mmap(2)).
    let page = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), BYTES, protection, MapFlags::PRIVATE)
    }?;
    // SAFETY: the page is ours alone, and private, as this advice demands (madvise(2)).
    unsafe { rustix::mm::madvise(page, BYTES, rustix::mm::Advice::LinuxWipeOnFork) }?;
    Ok(page.cast())
}

/// The lock of an open description on one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    Shared,
    Exclusive,
    Release,
}

/// Sets `lock` on byte `byte` of `fd`'s description without waiting; false where another
/// description's lock is in the way.
pub(crate) fn set_lock(fd: BorrowedFd<'_>, byte: u64, lock: Lock) -> rustix::io::Result<bool> {
    let request = flock(byte, lock);
    // SAFETY: `request` is an initialised `flock` whose pid is 0, as this command demands, and
    // outlives the call (fcntl_locking(2)).
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &request) };
    match checked(set) {
        Ok(_) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether another description holds any lock on byte `byte`.
pub(crate) fn is_locked(fd: BorrowedFd<'_>, byte: u64) -> rustix::io::Result<bool> {
    let mut request = flock(byte, Lock::Exclusive);
    // SAFETY: as in `set_lock`; the kernel writes its answer into `request`.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &mut request) })?;
    Ok(i32::from(request.l_type) != libc::F_UNLCK)
}

fn flock(byte: u64, lock: Lock) -> libc::flock {
    let kind = match lock {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
        Lock::Release => libc::F_UNLCK,
    };
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}

/// The largest file that this process may make, if there is a limit. Where a sandbox forbids to
/// ask, none is known.
pub(crate) fn file_size_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is valid for writes (getrlimit(2)); on failure it stays as it is.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) };
    (asked == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// What the kernel knows of a System V segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) id: i32,
    pub(crate) size_bytes: usize,
    pub(crate) uid: u32,
    pub(crate) mode: u32,
}

/// Makes a segment under `key`, which must be new; [`libc::IPC_PRIVATE`] always is.
pub(crate) fn make_segment(key: i32, size_bytes: usize, mode: u32) -> rustix::io::Result<i32> {
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | (mode & 0o777) as i32;
    // SAFETY: shmget(2) touches no memory of ours.
    checked(unsafe { libc::shmget(key, size_bytes, flags) })
}

/// The id of the segment under `key`.
pub(crate) fn find_segment(key: i32) -> rustix::io::Result<i32> {
    // SAFETY: shmget(2) touches no memory of ours.
    checked(unsafe { libc::shmget(key, 0, 0) })
}

/// Asks the kernel about segment `id`.
pub(crate) fn stat_segment(id: i32) -> rustix::io::Result<Segment> {
    let mut stat = std::mem::MaybeUninit::<libc::shmid_ds>::zeroed();
    // SAFETY: `stat` is valid for writes of a `shmid_ds` (shmctl(2)).
    checked(unsafe { libc::shmctl(id, libc::IPC_STAT, stat.as_mut_ptr()) })?;
    // SAFETY: zeroed, which is valid for numbers, and filled by the kernel.
    let stat = unsafe { stat.assume_init() };
    Ok(Segment {
        id,
        size_bytes: stat.shm_segsz,
        uid: stat.shm_perm.uid,
        mode: stat.shm_perm.mode.into(),
    })
}

/// Marks segment `id` to be removed when nobody is attached any more; its key is free at once.
pub(crate) fn remove_segment(id: i32) -> rustix::io::Result<()> {
    // SAFETY: this command ignores the buffer (shmctl(2)).
    checked(unsafe { libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()) }).map(drop)
}

fn checked(outcome: i32) -> rustix::io::Result<i32> {
    if outcome < 0 {
        return Err(last_errno());
    }
    Ok(outcome)
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
