//! Every system call of the crate. The kernel's own interface is used where the C library's
//! would change the answer: its sigtimedwait(3) turns one code into another, and its sets hold
//! 1,024 signals where there are 64.
//!
//! A receive is rt_sigtimedwait(2) in each form, one call, at most as expensive as a read of the
//! signalfd (the bench compares both): no flag of a description is needed for a try, and no
//! second call for a timeout.

#![allow(unsafe_code)]

use crate::Signal;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{above_stdio, os_error};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Size of the kernel's sets in bytes.
const SET_BYTES: usize = size_of::<u64>();

/// The kernel's `siginfo_t` as far as it is used here (sigaction(2), asm-generic/siginfo.h).
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Info {
    pub(crate) signal: i32,
    errno: i32,
    pub(crate) code: i32,
    #[cfg(target_pointer_width = "64")]
    _hole: i32,
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    /// A union of an int and a pointer: the int is its first four bytes.
    value: Value,
    _rest: [usize; REST_WORDS],
}

#[repr(C)]
#[derive(Clone, Copy)]
union Value {
    int: i32,
    _pointer: usize,
}

#[cfg(target_pointer_width = "64")]
const REST_WORDS: usize = 12;
#[cfg(not(target_pointer_width = "64"))]
const REST_WORDS: usize = 26;

const _: () = assert!(size_of::<Info>() == 128 && size_of::<libc::siginfo_t>() == 128);

impl Info {
    /// The value; whatever else stands in its place for other codes.
    pub(crate) fn value(&self) -> i32 {
        // SAFETY: an int of any bits is valid, and all bytes of the struct are initialised: by
        // `queued`, or zeroed before the kernel wrote to it.
        unsafe { self.value.int }
    }

    fn queued(signal: i32, value: i32) -> Self {
        let mut whole = Value { _pointer: 0 };
        whole.int = value;
        Self {
            signal,
            errno: 0,
            code: libc::SI_QUEUE,
            #[cfg(target_pointer_width = "64")]
            _hole: 0,
            pid: own_process(),
            uid: rustix::process::getuid().as_raw(),
            value: whole,
            _rest: [0; REST_WORDS],
        }
    }
}

/// How a mask changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Block,
    Unblock,
}

/// Changes the mask of this thread and returns the one before.
pub(crate) fn change_mask(change: Change, set: u64) -> u64 {
    let how = match change {
        Change::Block => libc::SIG_BLOCK,
        Change::Unblock => libc::SIG_UNBLOCK,
    };
    let mut before = 0_u64;
    // SAFETY: both sets are words of the size that is passed, and outlive the call
    // (rt_sigprocmask(2)); it cannot fail with a valid `how` and size. Signals of the C library
    // are in no set that is passed.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &set, &mut before, SET_BYTES) };
    before
}

/// What is pending for this thread or its process.
pub(crate) fn pending() -> u64 {
    let mut set = 0_u64;
    // SAFETY: `set` is a word of the size that is passed, and outlives the call.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &mut set, SET_BYTES) };
    set
}

/// Whether this process ignores the signal.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; `action` is valid for writes (sigaction(2)).
    let asked = unsafe { libc::sigaction(signal.number(), ptr::null(), action.as_mut_ptr()) };
    // SAFETY: zeroed above, which is a valid `sigaction`, and possibly overwritten by the kernel.
    let action = unsafe { action.assume_init() };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// A descriptor that is readable while a signal of the set is pending.
pub(crate) fn signalfd(set: u64) -> Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC;
    // SAFETY: `set` is a word of the size that is passed, and outlives the call (signalfd4(2)).
    let fd = unsafe { libc::syscall(libc::SYS_signalfd4, -1, &set, SET_BYTES, flags) };
    let fd = i32::try_from(check(fd).map_err(|errno| os_error("receive signals", errno))?)
        .expect("a descriptor's number is an int");
    // SAFETY: the kernel has just made it, for nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    above_stdio(fd)
}

/// Takes the next pending signal of the set.
#[inline]
pub(crate) fn take(set: u64, until: Until) -> Result<Info> {
    let mut info = MaybeUninit::<Info>::zeroed();
    loop {
        let left = until.remaining().map(timespec);
        let timeout = left.as_ref().map_or(ptr::null(), ptr::from_ref);
        let place = info.as_mut_ptr();
        // SAFETY: the set has the size that is passed, `place` has room for a whole `siginfo_t`
        // (asserted above), `timeout` is null or valid; all outlive the call (sigtimedwait(2)).
        let got =
            unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, &set, place, timeout, SET_BYTES) };
        match check(got) {
            // SAFETY: zeroed before the kernel wrote to it; all bits are valid.
            Ok(_) => return Ok(unsafe { info.assume_init() }),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // A timeout longer than the kernel's clock was cut: look at the deadline again.
                if until.is_over() {
                    return Err(until.over("wait"));
                }
            }
            Err(errno) => return Err(os_error("wait", errno)),
        }
    }
}

/// Whom a signal is sent to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom<'a> {
    Process(i32),
    Thread { process: i32, thread: i32 },
    Group(i32),
    Pidfd(BorrowedFd<'a>),
}

/// Sends a signal without a value.
#[inline]
pub(crate) fn send(whom: Whom<'_>, signal: i32) -> rustix::io::Result<()> {
    let sent = match whom {
        // SAFETY: kill(2) takes integers only.
        Whom::Process(pid) => unsafe { libc::syscall(libc::SYS_kill, pid, signal) },
        // SAFETY: as above; a negative number is the group, and `Target` refuses 0 and 1.
        Whom::Group(group) => unsafe { libc::syscall(libc::SYS_kill, -group, signal) },
        // SAFETY: tgkill(2) takes integers only.
        Whom::Thread { process, thread } => unsafe {
            libc::syscall(libc::SYS_tgkill, process, thread, signal)
        },
        Whom::Pidfd(fd) => {
            let nothing = ptr::null::<Info>();
            let fd = fd.as_raw_fd();
            // SAFETY: a null info is allowed (pidfd_send_signal(2)); the descriptor is borrowed.
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, nothing, 0) }
        }
    };
    check(sent).map(drop)
}

/// Queues a signal with a value; nothing can be queued to a group.
#[inline]
pub(crate) fn queue(whom: Whom<'_>, signal: i32, value: i32) -> rustix::io::Result<()> {
    let info = Info::queued(signal, value);
    let sent = match whom {
        Whom::Group(_) => return Err(Errno::OPNOTSUPP),
        // SAFETY: `info` is a whole `siginfo_t` and outlives the call (rt_sigqueueinfo(2)).
        Whom::Process(pid) => unsafe {
            libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &info)
        },
        // SAFETY: as above (rt_tgsigqueueinfo(2)).
        Whom::Thread { process, thread } => unsafe {
            libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, &info)
        },
        Whom::Pidfd(fd) => {
            let fd = fd.as_raw_fd();
            // SAFETY: as above (pidfd_send_signal(2)); the descriptor is borrowed.
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, &info, 0) }
        }
    };
    check(sent).map(drop)
}

impl Whom<'_> {
    /// Why `signal` could not be sent.
    pub(crate) fn failure(self, signal: Signal, errno: Errno) -> Error {
        let whom = match self {
            Self::Process(pid) => format!("process {pid}"),
            Self::Thread { process, thread } => format!("thread {thread} of process {process}"),
            Self::Group(group) => format!("process group {group}"),
            Self::Pidfd(_) => "the process of the pidfd".into(),
        };
        let source = std::io::Error::from(errno);
        let (kind, hint) = match (errno, self) {
            (Errno::SRCH, Self::Pidfd(_)) => (ErrorKind::PeerDied, "it is dead and gone".into()),
            (Errno::SRCH, _) => (ErrorKind::NotFound, "there is none".into()),
            (Errno::BADF, Self::Pidfd(_)) => {
                (ErrorKind::WrongType, "the descriptor is not a pidfd".into())
            }
            (Errno::AGAIN, _) => (ErrorKind::LimitReached, self.queue_is_full()),
            (Errno::PERM, _) => (
                ErrorKind::Denied,
                format!("{signal} to another user's process needs CAP_KILL"),
            ),
            _ => return os_error("notify", errno).on(whom),
        };
        Error::new("notify", kind)
            .on(whom)
            .hint(hint)
            .caused_by(source)
    }

    /// The queue is the receiver's, and so is the limit.
    fn queue_is_full(self) -> String {
        let pid = match self {
            Self::Process(pid) | Self::Thread { process: pid, .. } => Some(pid),
            Self::Group(_) | Self::Pidfd(_) => None,
        };
        let limit = pid.and_then(pending_limit).map_or_else(
            || "all that its limit allows".to_owned(),
            |limit| format!("the {limit} that its limit allows"),
        );
        format!(
            "signals are queued for its user, {limit} (RLIMIT_SIGPENDING of the receiver); let it \
             receive, or raise the limit with `ulimit -i`"
        )
    }
}

/// How many signals may be queued for the user of a process, as that process has it.
fn pending_limit(pid: i32) -> Option<u64> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let resource = libc::RLIMIT_SIGPENDING;
    // SAFETY: a null new limit only asks; `limit` is valid for writes (prlimit(2)).
    let asked = unsafe { libc::prlimit64(pid, resource, ptr::null(), &mut limit) };
    (asked == 0 && limit.rlim_cur != libc::RLIM64_INFINITY).then_some(limit.rlim_cur)
}

/// This process; asked each time, since a fork changes it.
pub(crate) fn own_process() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// This thread.
pub(crate) fn own_thread() -> i32 {
    // SAFETY: gettid(2) takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

fn timespec(duration: Duration) -> libc::timespec {
    // The kernel refuses what its own clock cannot hold: wait in steps of at most a year.
    let capped = duration.min(Duration::from_secs(365 * 24 * 3600));
    libc::timespec {
        tv_sec: capped.as_secs() as _,
        tv_nsec: capped.subsec_nanos() as _,
    }
}

fn check(answer: libc::c_long) -> rustix::io::Result<libc::c_long> {
    if answer >= 0 {
        return Ok(answer);
    }
    let number = std::io::Error::last_os_error().raw_os_error();
    Err(Errno::from_raw_os_error(number.unwrap_or(libc::EIO)))
}
