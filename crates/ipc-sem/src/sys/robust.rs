//! The C library's robust mutex in shared memory: the kernel says that its owner died.
//!
//! A robust list of our own would disable the C library's (there is one a thread), and with it
//! every other robust mutex of the process. So ours are the C library's.

use super::monotonic;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// In a lock's word: somebody sleeps on it (`FUTEX_WAITERS`).
pub(crate) const WAITERS: u32 = libc::FUTEX_WAITERS;
/// In a lock's word: its owner died (`FUTEX_OWNER_DIED`).
pub(crate) const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;
/// In a lock's word: the thread that holds it (`FUTEX_TID_MASK`).
pub(crate) const TID_MASK: u32 = libc::FUTEX_TID_MASK;

unsafe extern "C" {
    /// pthread_mutex_clocklock(3), glibc 2.30: the libc crate does not have it.
    fn pthread_mutex_clocklock(
        mutex: *mut libc::pthread_mutex_t,
        clock: libc::clockid_t,
        deadline: *const libc::timespec,
    ) -> libc::c_int;
}

/// How a lock was found when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// As its last owner left it.
    Whole,
    /// Its owner died; it must be [marked consistent](Robust::mark_consistent) before release.
    OwnerDied,
}

/// A robust lock in mapped memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Robust<'a> {
    mutex: NonNull<libc::pthread_mutex_t>,
    _mapped: PhantomData<&'a super::Words>,
}

impl<'a> Robust<'a> {
    pub(super) fn new(mutex: NonNull<libc::pthread_mutex_t>) -> Self {
        Self {
            mutex,
            _mapped: PhantomData,
        }
    }

    /// Makes it, free. Nobody else may reach it yet.
    pub(crate) fn init(self, inherits_priority: bool) -> Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let place = attributes.as_mut_ptr();
        // SAFETY: `place` is valid for writes (pthread_mutexattr_init(3)).
        check(unsafe { libc::pthread_mutexattr_init(place) })?;
        // SAFETY: initialised above (pthread_mutexattr_setpshared(3)).
        check(unsafe { libc::pthread_mutexattr_setpshared(place, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: initialised above (pthread_mutexattr_setrobust(3)).
        check(unsafe { libc::pthread_mutexattr_setrobust(place, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: initialised above (pthread_mutexattr_settype(3)).
        check(unsafe { libc::pthread_mutexattr_settype(place, libc::PTHREAD_MUTEX_ERRORCHECK) })?;
        if inherits_priority {
            let protocol = libc::PTHREAD_PRIO_INHERIT;
            // SAFETY: initialised above (pthread_mutexattr_setprotocol(3)).
            check(unsafe { libc::pthread_mutexattr_setprotocol(place, protocol) })?;
        }
        // SAFETY: the mutex' place is mapped, writable and aligned, nobody uses it yet; the
        // attributes are initialised (pthread_mutex_init(3)).
        check(unsafe { libc::pthread_mutex_init(self.mutex.as_ptr(), place) })
    }

    /// Takes it. The caller keeps the memory mapped until it has released it.
    ///
    /// # Errors
    /// `WouldBlock`, `TimedOut`, `Deadlock` where the thread holds it, `Corrupt`.
    #[inline]
    pub(crate) fn take(self, until: Until) -> Result<Taken> {
        let outcome = match until {
            // SAFETY: an initialised mutex in mapped memory (the header is checked before an
            // object is used; pthread_mutex_lock(3)).
            Until::Forever => unsafe { libc::pthread_mutex_lock(self.mutex.as_ptr()) },
            // SAFETY: as above.
            Until::Now => unsafe { libc::pthread_mutex_trylock(self.mutex.as_ptr()) },
            Until::At(_) => self.take_in_time(until),
        };
        match outcome {
            0 => Ok(Taken::Whole),
            libc::EOWNERDEAD => Ok(Taken::OwnerDied),
            errno => Err(self.refusal(errno, until)),
        }
    }

    /// Takes it where it is to be had at once, and builds no error where it is not.
    #[inline]
    pub(crate) fn try_take(self) -> Option<Taken> {
        // SAFETY: as for `take`.
        match unsafe { libc::pthread_mutex_trylock(self.mutex.as_ptr()) } {
            0 => Some(Taken::Whole),
            libc::EOWNERDEAD => Some(Taken::OwnerDied),
            _ => None,
        }
    }

    /// Says that what the dead owner left is in order, or will be put in order under this lock.
    pub(crate) fn mark_consistent(self) {
        // SAFETY: as for `take`; by anyone but the owner it is refused (EINVAL).
        unsafe { libc::pthread_mutex_consistent(self.mutex.as_ptr()) };
    }

    /// Releases it. In a thread that does not hold it nothing happens.
    #[inline]
    pub(crate) fn release(self) {
        // SAFETY: as for `take`; an error-checking mutex refuses all but its owner (EPERM).
        unsafe { libc::pthread_mutex_unlock(self.mutex.as_ptr()) };
    }

    /// Its word: the owner's thread id, and the two flags that the kernel knows. The layout is
    /// that of the robust futex protocol, and the word is the first of glibc's mutex.
    #[inline]
    pub(crate) fn word(self) -> &'a AtomicU32 {
        // SAFETY: the mutex is mapped for 'a and aligned to at least 4; its first word is
        // reached by atomics only, here and in the C library.
        unsafe { self.mutex.cast::<AtomicU32>().as_ref() }
    }

    #[cold]
    fn take_in_time(self, until: Until) -> libc::c_int {
        let Some(at) = monotonic(until) else {
            return libc::EINVAL;
        };
        let deadline = libc::timespec {
            tv_sec: at.tv_sec,
            tv_nsec: at.tv_nsec,
        };
        // SAFETY: as for `take`; `deadline` outlives the call.
        unsafe { pthread_mutex_clocklock(self.mutex.as_ptr(), libc::CLOCK_MONOTONIC, &deadline) }
    }

    #[cold]
    fn refusal(self, errno: libc::c_int, until: Until) -> Error {
        let held_here = || {
            let holder = self.word().load(Ordering::Relaxed) & TID_MASK;
            holder
                == rustix::thread::gettid()
                    .as_raw_nonzero()
                    .get()
                    .unsigned_abs()
        };
        let kind = match errno {
            libc::EDEADLK => ErrorKind::Deadlock,
            libc::EBUSY | libc::ETIMEDOUT if held_here() => ErrorKind::Deadlock,
            libc::EBUSY | libc::ETIMEDOUT => return until.over("lock"),
            libc::EINVAL if matches!(until, Until::At(_)) => {
                return Error::new("lock", ErrorKind::Unsupported)
                    .hint("this kernel has no timed wait for a lock that inherits priority");
            }
            libc::ENOTRECOVERABLE => {
                return Error::new("lock", ErrorKind::Corrupt)
                    .hint("a program without this crate has given the lock up");
            }
            libc::EINVAL => ErrorKind::Corrupt,
            errno => return os_error("lock", Errno::from_raw_os_error(errno)),
        };
        Error::new("lock", kind)
    }
}

fn check(outcome: libc::c_int) -> Result<()> {
    match outcome {
        0 => Ok(()),
        errno => Err(os_error("create lock", Errno::from_raw_os_error(errno))),
    }
}
