//! The C library's semaphores, named and in shared memory.

use super::{Words, monotonic};
use ipc_core::{Error, ErrorKind, Mode, Result, Until};
use ipc_sys::{above_stdio, os_error, retry};
use rustix::fs::{AtFlags, CWD, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

unsafe extern "C" {
    /// sem_clockwait(3), glibc 2.30: the libc crate does not have it.
    fn sem_clockwait(
        semaphore: *mut libc::sem_t,
        clock: libc::clockid_t,
        deadline: *const libc::timespec,
    ) -> libc::c_int;
}

/// A semaphore of the C library: a named one that is open, or one in a region.
#[derive(Debug)]
pub(crate) struct PosixSemaphore {
    semaphore: NonNull<libc::sem_t>,
    /// Where it stands in a region; without, it is a named one of ours to close.
    _region: Option<Words>,
    is_named: bool,
}

// SAFETY: a POSIX semaphore is made for many threads (sem_overview(7)).
unsafe impl Send for PosixSemaphore {}
// SAFETY: as above.
unsafe impl Sync for PosixSemaphore {}

impl PosixSemaphore {
    /// Makes a named one, which must be new.
    pub(crate) fn create(name: &CStr, mode: Mode, count: u32) -> rustix::io::Result<Self> {
        loop {
            match publish(name, mode, count) {
                Ok(()) => {}
                Err(Errno::EXIST) => return Err(Errno::EXIST),
                Err(_) => return Self::create_by_library(name, mode, count),
            }
            match Self::open(name) {
                // Removed since.
                Err(Errno::NOENT) => {}
                opened => return opened,
            }
        }
    }

    fn create_by_library(name: &CStr, mode: Mode, count: u32) -> rustix::io::Result<Self> {
        let flags = libc::O_CREAT | libc::O_EXCL;
        // SAFETY: `name` is NUL-terminated and outlives the call; with O_CREAT the mode and the
        // count follow (sem_open(3)).
        let opened = unsafe { libc::sem_open(name.as_ptr(), flags, mode.bits(), count) };
        Self::named(opened)
    }

    /// Opens a named one, which must exist.
    pub(crate) fn open(name: &CStr) -> rustix::io::Result<Self> {
        // SAFETY: `name` is NUL-terminated and outlives the call (sem_open(3)).
        let opened = unsafe { libc::sem_open(name.as_ptr(), 0) };
        Self::named(opened)
    }

    /// The one `at` bytes behind the start of `words`, which somebody has made there.
    pub(crate) fn in_region(words: Words, at: usize) -> Self {
        let semaphore = words.sem(at);
        Self {
            semaphore,
            _region: Some(words),
            is_named: false,
        }
    }

    #[inline]
    pub(crate) fn take(&self, until: Until) -> Result<()> {
        // SAFETY: an open semaphore, or an initialised one in mapped memory (sem_wait(3)).
        let wait = || unsafe { libc::sem_wait(self.semaphore.as_ptr()) };
        if matches!(until, Until::Forever) && wait() == 0 {
            return Ok(());
        }
        self.take_slowly(until)
    }

    #[cold]
    fn take_slowly(&self, until: Until) -> Result<()> {
        loop {
            let outcome = match until {
                // SAFETY: an open semaphore, or an initialised one in mapped memory
                // (sem_wait(3)).
                Until::Forever => unsafe { libc::sem_wait(self.semaphore.as_ptr()) },
                // SAFETY: as above.
                Until::Now => unsafe { libc::sem_trywait(self.semaphore.as_ptr()) },
                Until::At(_) => self.take_in_time(until),
            };
            if outcome == 0 {
                return Ok(());
            }
            match last_errno() {
                Errno::INTR => {}
                Errno::AGAIN | Errno::TIMEDOUT => return Err(until.over("acquire")),
                errno => return Err(os_error("acquire", errno)),
            }
        }
    }

    #[inline]
    pub(crate) fn give(&self) -> Result<()> {
        // SAFETY: as for `take` (sem_post(3)).
        if unsafe { libc::sem_post(self.semaphore.as_ptr()) } == 0 {
            return Ok(());
        }
        Err(Self::refusal())
    }

    #[cold]
    fn refusal() -> Error {
        match last_errno() {
            Errno::OVERFLOW => Error::new("release", ErrorKind::LimitReached)
                .hint("the count is at its largest, 2147483647 (SEM_VALUE_MAX)"),
            errno => os_error("release", errno),
        }
    }

    pub(crate) fn count(&self) -> u32 {
        let mut count = 0;
        // SAFETY: as for `take`; `count` is valid for writes (sem_getvalue(3)).
        unsafe { libc::sem_getvalue(self.semaphore.as_ptr(), &mut count) };
        count.unsigned_abs()
    }

    fn named(opened: *mut libc::sem_t) -> rustix::io::Result<Self> {
        match NonNull::new(opened) {
            Some(semaphore) if opened != libc::SEM_FAILED => Ok(Self {
                semaphore,
                _region: None,
                is_named: true,
            }),
            _ => Err(last_errno()),
        }
    }

    #[cold]
    fn take_in_time(&self, until: Until) -> libc::c_int {
        let Some(at) = monotonic(until) else {
            return -1;
        };
        let deadline = libc::timespec {
            tv_sec: at.tv_sec,
            tv_nsec: at.tv_nsec,
        };
        // SAFETY: as for `take`; `deadline` outlives the call.
        unsafe { sem_clockwait(self.semaphore.as_ptr(), libc::CLOCK_MONOTONIC, &deadline) }
    }
}

impl Drop for PosixSemaphore {
    fn drop(&mut self) {
        if self.is_named {
            // SAFETY: opened by us, and used no more (sem_close(3)).
            unsafe { libc::sem_close(self.semaphore.as_ptr()) };
        }
    }
}

/// Puts a semaphore under its name at once and whole: the C library writes it to a file aside
/// first, which a death in between leaves for ever.
fn publish(name: &CStr, mode: Mode, count: u32) -> rustix::io::Result<()> {
    let mut semaphore = MaybeUninit::<libc::sem_t>::zeroed();
    // SAFETY: the place is valid for writes and nobody else's; the flag says that processes
    // share it (sem_init(3)).
    if unsafe { libc::sem_init(semaphore.as_mut_ptr(), 1, count) } != 0 {
        return Err(last_errno());
    }
    // SAFETY: every byte is initialised, to zero and then by the C library.
    let bytes = unsafe {
        std::slice::from_raw_parts(semaphore.as_ptr().cast::<u8>(), size_of::<libc::sem_t>())
    };
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let private = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let file = retry(|| rustix::fs::open("/dev/shm", flags, private))?;
    let file = above_stdio(file).map_err(|_| Errno::MFILE)?;
    if retry(|| rustix::io::pwrite(&file, bytes, 0))? != bytes.len() {
        return Err(Errno::NOSPC);
    }
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(mode.bits()))?;
    let name = [b"/dev/shm/sem.", &name.to_bytes()[1..]].concat();
    let place = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, place, CWD, name, AtFlags::SYMLINK_FOLLOW)
}

/// Makes a semaphore in memory that nobody else can reach yet.
pub(crate) fn init_semaphore(words: &Words, at: usize, count: u32) -> Result<()> {
    // SAFETY: the place is mapped, writable and aligned; the flag says that processes share it
    // (sem_init(3)).
    match unsafe { libc::sem_init(words.sem(at).as_ptr(), 1, count) } {
        0 => Ok(()),
        _ => Err(os_error("create", last_errno())),
    }
}

/// Removes the name of a semaphore.
pub(crate) fn unlink_semaphore(name: &CStr) -> rustix::io::Result<()> {
    // SAFETY: `name` is NUL-terminated and outlives the call (sem_unlink(3)).
    match unsafe { libc::sem_unlink(name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
