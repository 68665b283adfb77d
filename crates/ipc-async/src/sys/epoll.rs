//! The kernel's side of a wait set: epoll(7), and an eventfd by which threads wake each other.

use ipc_core::{Error, ErrorKind, Result, Until};
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

pub(crate) use rustix::event::epoll::{Event, EventData, EventFlags};

/// What the bell's events carry.
pub(crate) const BELL: u64 = u64::MAX;
/// No event.
pub(crate) const NOTHING: Event = Event {
    flags: EventFlags::empty(),
    data: EventData::new_u64(0),
};

/// An epoll instance and a bell in it.
#[derive(Debug)]
pub(crate) struct Epoll {
    fd: OwnedFd,
    bell: OwnedFd,
}

impl Epoll {
    pub(crate) fn new() -> Result<Self> {
        let make = || {
            let fd = above_stdio(epoll::create(epoll::CreateFlags::CLOEXEC)?)?;
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            let bell = above_stdio(eventfd(0, flags)?)?;
            epoll::add(&fd, &bell, EventData::new_u64(BELL), EventFlags::IN)?;
            Ok(Self { fd, bell })
        };
        make().map_err(|errno| failed("create", errno))
    }

    /// Watches `fd`, or watches it otherwise where it is watched already.
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, data: u64, flags: EventFlags) -> Result<()> {
        let data = EventData::new_u64(data);
        let watched = match epoll::add(&self.fd, fd, data, flags) {
            Err(Errno::EXIST) => epoll::modify(&self.fd, fd, data, flags),
            outcome => outcome,
        };
        watched.map_err(|errno| failed("add", errno))
    }

    /// Watches `fd`, which is watched already, otherwise.
    pub(crate) fn rewatch(&self, fd: BorrowedFd<'_>, data: u64, flags: EventFlags) -> Result<()> {
        let data = EventData::new_u64(data);
        let watched = epoll::modify(&self.fd, fd, data, flags);
        watched.map_err(|errno| failed("watch", errno))
    }

    pub(crate) fn forget(&self, fd: BorrowedFd<'_>) {
        // It fails for what is not there, and then there is nothing to do.
        let _ = epoll::delete(&self.fd, fd);
    }

    /// Waits for events; returns how many came, none when `until` is over.
    #[inline]
    pub(crate) fn wait(&self, events: &mut [Event], until: Until) -> Result<usize> {
        loop {
            let remaining = until.remaining();
            let timeout = remaining.map(timespec);
            match epoll::wait(&self.fd, &mut *events, timeout.as_ref()) {
                // A time-out longer than the kernel's clock is cut: look at the deadline again.
                Ok(0) if until.remaining().is_none_or(|left| !left.is_zero()) => {}
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed("wait", errno)),
            }
        }
    }

    /// Wakes one thread that waits, or the next that does.
    #[cold]
    pub(crate) fn ring(&self) {
        // It is full only where it was rung before.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Takes what was rung.
    #[cold]
    pub(crate) fn hear(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }
}

/// Moves a new descriptor above the standard ones, which others may close or replace.
fn above_stdio(fd: OwnedFd) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), 3)
}

fn timespec(duration: Duration) -> Timespec {
    // The kernel refuses what its own clock cannot hold: wait in steps of at most a year.
    let capped = duration.min(Duration::from_secs(365 * 24 * 3600));
    Timespec {
        tv_sec: capped.as_secs() as _,
        tv_nsec: capped.subsec_nanos() as _,
    }
}

#[cold]
fn failed(operation: &'static str, errno: Errno) -> Error {
    let (kind, hint) = match errno {
        Errno::PERM => (
            ErrorKind::Unsupported,
            "this descriptor cannot be waited for, as a regular file's",
        ),
        Errno::MFILE => (
            ErrorKind::LimitReached,
            "this process has all the descriptors it may have (RLIMIT_NOFILE); close some, or raise \
             the limit with `ulimit -n`",
        ),
        Errno::NFILE => (
            ErrorKind::LimitReached,
            "the host's file table is full (sysctl fs.file-max)",
        ),
        Errno::NOSPC => (
            ErrorKind::LimitReached,
            "this user watches all it may (sysctl fs.epoll.max_user_watches)",
        ),
        Errno::BADF => (ErrorKind::InvalidInput, "the descriptor is closed"),
        Errno::NOMEM => (ErrorKind::LimitReached, "the kernel has no memory for it"),
        _ => (ErrorKind::Other, "epoll refuses it"),
    };
    Error::new(operation, kind)
        .on("wait set")
        .hint(hint)
        .caused_by(errno.into())
}
