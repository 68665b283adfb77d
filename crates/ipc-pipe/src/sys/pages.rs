//! Memory that nobody can change, and how a pipe is given its very pages: vmsplice(2).

#![allow(unsafe_code)]

use super::{WriteEnd, again};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{PollFlags, os_error};
use rustix::fs::SealFlags;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::pipe::{IoSliceRaw, SpliceFlags};
use std::ffi::c_void;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// Bytes that nobody can change, in this process or another, for as long as they exist: only what
/// is made here may be given to [`WriteEnd::give`].
#[derive(Debug)]
pub(crate) enum Memory {
    Static(&'static [u8]),
    Sealed(Mapping),
}

impl Memory {
    /// All of the memory file `fd`, where its seals say that it stays as it is.
    pub(crate) fn sealed(fd: BorrowedFd<'_>) -> Result<Self> {
        const OPERATION: &str = "take sealed memory";
        // Without the first its bytes could change, without the second they could go away.
        const NEEDED: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK);
        let refuse = |kind, why| Err(Error::new(OPERATION, kind).hint(why));
        match rustix::fs::fcntl_get_seals(fd) {
            Ok(seals) if seals.contains(NEEDED) => {}
            Ok(_) => {
                return refuse(
                    ErrorKind::Denied,
                    "the memory is not sealed against writing and shrinking (F_SEAL_WRITE and \
                     F_SEAL_SHRINK), so its bytes could change while the pipe holds them",
                );
            }
            Err(Errno::INVAL) => {
                return refuse(ErrorKind::WrongType, "only memory files can be sealed");
            }
            Err(errno) => return Err(os_error(OPERATION, errno)),
        }
        let stat = rustix::fs::fstat(fd).map_err(|errno| os_error(OPERATION, errno))?;
        let Ok(length) = usize::try_from(stat.st_size) else {
            return refuse(
                ErrorKind::TooLarge,
                "it is larger than this process can map",
            );
        };
        if length == 0 {
            return Ok(Self::Static(&[]));
        }
        Mapping::of(fd, length)
            .map(Self::Sealed)
            .map_err(|errno| os_error(OPERATION, errno))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Sealed(mapping) => mapping.bytes(),
        }
    }
}

/// A sealed memory file, mapped to be read.
#[derive(Debug)]
pub(crate) struct Mapping {
    at: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is read only, and its bytes change no more: any thread may read them.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// `fd` must be sealed against writing and shrinking, and have `length` bytes, not 0.
    fn of(fd: BorrowedFd<'_>, length: usize) -> rustix::io::Result<Self> {
        // A shared mapping of a file sealed against writing is refused before Linux 6.7. A
        // private one shows the same pages as long as nobody writes through it.
        // SAFETY: the kernel chooses a free place, so no memory of ours is replaced (mmap(2)).
        let at = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                length,
                ProtFlags::READ,
                MapFlags::PRIVATE,
                fd,
                0,
            )
        }?;
        let at = NonNull::new(at.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { at, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped at `at` for as long as `self` lives; the seals, which
        // cannot be taken off, keep every process from changing them or from cutting the file.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this range is our own mapping, and no borrow of it outlives `self`. Pages that
        // a pipe holds live on with it.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast(), self.length) };
    }
}

impl WriteEnd {
    /// Gives the pipe the pages of `memory` from `from` up to `to`, as far as there is room;
    /// returns how many bytes. [`ErrorKind::Unsupported`] where the kernel has no such call.
    pub(crate) fn give(
        &self,
        memory: &Memory,
        from: usize,
        to: usize,
        until: Until,
    ) -> Result<usize> {
        let bytes = memory.bytes().get(from..to).unwrap_or(&[]);
        let flags = match until {
            Until::Forever => SpliceFlags::empty(),
            Until::Now | Until::At(_) => SpliceFlags::NONBLOCK,
        };
        // SAFETY: what a `Memory` has never changes, whoever holds its pages.
        let call = || unsafe { vmsplice(self.fd(), bytes, flags) };
        loop {
            match self.quietly(call) {
                Ok(given) => return Ok(given),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => again("send", self.fd(), PollFlags::OUT, until)?,
                // A filter of system calls, which most often says the first.
                Err(Errno::PERM | Errno::NOSYS | Errno::INVAL | Errno::OPNOTSUPP) => {
                    return Err(Error::new("send", ErrorKind::Unsupported));
                }
                Err(errno) => return Err(os_error("send", errno)),
            }
        }
    }
}

/// Gives `pipe` the pages of `bytes`.
///
/// # Safety
/// As long as the pipe may hold them, nobody changes `bytes`, or nobody minds.
unsafe fn vmsplice(
    pipe: BorrowedFd<'_>,
    bytes: &[u8],
    flags: SpliceFlags,
) -> rustix::io::Result<usize> {
    let slice = [IoSliceRaw::from_slice(bytes)];
    // SAFETY: the slice is valid for the call, after which the kernel keeps the pages alive by
    // itself; what it asks of them later is asked of our caller.
    unsafe { rustix::pipe::vmsplice(pipe, &slice, flags) }
}

/// Whether the pages that a pipe is given are the very ones: changes one that a pipe of our own
/// has, and looks at what comes out.
pub(crate) fn pages_are_shared() -> rustix::io::Result<bool> {
    const BYTES: usize = 64;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let page = Page::new(BYTES)?;
    page.fill(1);
    // SAFETY: only we read what comes out of this pipe, and the change is what we want to see.
    unsafe { vmsplice(write.as_fd(), page.bytes(), SpliceFlags::NONBLOCK) }?;
    page.fill(2);
    let mut seen = [0; BYTES];
    rustix::io::read(&read, &mut seen)?;
    Ok(seen == [2; BYTES])
}

/// A page of the probe's own, not shared with anything that lies on the heap.
struct Page {
    at: NonNull<c_void>,
    length: usize,
}

impl Page {
    fn new(length: usize) -> rustix::io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a free place, so no memory of ours is replaced (mmap(2)).
        let at = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, access, MapFlags::PRIVATE)
        }?;
        let at = NonNull::new(at).ok_or(Errno::NOMEM)?;
        Ok(Self { at, length })
    }

    fn fill(&self, byte: u8) {
        // SAFETY: `length` bytes are mapped at `at`, to be written, and no reference to them
        // exists: that of `bytes` ends with the call that it is passed to.
        unsafe { self.at.cast::<u8>().as_ptr().write_bytes(byte, self.length) };
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped at `at`, and were written by `fill`.
        unsafe { std::slice::from_raw_parts(self.at.cast().as_ptr(), self.length) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: this range is our own mapping, and no borrow of it outlives `self`.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr(), self.length) };
    }
}
