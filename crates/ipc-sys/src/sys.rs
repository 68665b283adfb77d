//! The system calls that have no safe wrapper: signal dispositions, masks and a limit.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

/// Whether SIGPIPE is ignored by this process.
pub(crate) fn sigpipe_is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; `action` is valid for writes of a `sigaction`
    // (sigaction(2)). All-zero bytes are a valid `sigaction`, so it is initialised either way.
    let asked = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed above and possibly overwritten by the kernel: initialised.
    let action = unsafe { action.assume_init() };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// SIGPIPE is blocked in this thread while this lives.
pub(crate) struct MaskedSigpipe {
    before: libc::sigset_t,
    was_pending: bool,
    /// A mask belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl MaskedSigpipe {
    pub(crate) fn new() -> Self {
        let set = sigpipe_set();
        let was_pending = sigpipe_is_pending();
        let mut before = empty_set();
        // SAFETY: both sets are initialised and outlive the call (pthread_sigmask(3)).
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, &mut before) };
        Self {
            before,
            was_pending,
            _thread: PhantomData,
        }
    }
}

impl Drop for MaskedSigpipe {
    fn drop(&mut self) {
        if !self.was_pending && sigpipe_is_pending() {
            let set = sigpipe_set();
            let now = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: `set` and `now` are initialised and outlive the call; a null info is
            // allowed (sigtimedwait(2)). The write's SIGPIPE is directed at this thread, where
            // it is blocked and pending, so this takes exactly it.
            while unsafe { libc::sigtimedwait(&set, ptr::null_mut(), &now) } < 0
                && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
            {
            }
        }
        // SAFETY: `before` was filled by the kernel in `new`; a null old set is allowed.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `set` is valid for writes (sigemptyset(3)).
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: zeroed above, which is a valid bit set, and emptied.
    unsafe { set.assume_init() }
}

fn sigpipe_set() -> libc::sigset_t {
    let mut set = empty_set();
    // SAFETY: `set` is initialised and SIGPIPE is a valid number (sigaddset(3)).
    unsafe { libc::sigaddset(&mut set, libc::SIGPIPE) };
    set
}

fn sigpipe_is_pending() -> bool {
    let mut set = empty_set();
    // SAFETY: `set` is valid for writes (sigpending(2)).
    unsafe { libc::sigpending(&mut set) };
    // SAFETY: `set` is initialised and SIGPIPE is a valid number (sigismember(3)).
    unsafe { libc::sigismember(&set, libc::SIGPIPE) == 1 }
}

/// How many descriptors this process may have; `None` where a sandbox forbids to ask.
pub(crate) fn descriptor_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes (getrlimit(2)).
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    (asked == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}
