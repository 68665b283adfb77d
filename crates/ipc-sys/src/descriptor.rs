//! Descriptors that stand where they cannot be mistaken for standard streams.

use crate::{os_error, retry};
use ipc_core::{Error, ErrorKind, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The first number that is no standard stream.
const FIRST_FREE: i32 = 3;

/// Moves `fd` above 2 where a process that was started with closed standard streams got it there:
/// a library that prints to descriptor 2 must not write into a channel.
///
/// # Errors
/// [`ErrorKind::LimitReached`] where there is no descriptor left.
#[inline]
pub fn above_stdio(fd: OwnedFd) -> Result<OwnedFd> {
    if fd.as_raw_fd() >= FIRST_FREE {
        Ok(fd)
    } else {
        moved(&fd)
    }
}

#[cold]
fn moved(fd: &OwnedFd) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, FIRST_FREE).map_err(|e| os_error("move descriptor", e))
}

/// The path under which the kernel finds again what `fd` refers to, for calls that take only a
/// path: no name is looked up on the way, so nobody can put another object in between. It needs
/// `/proc` to be mounted, and means something in this process alone.
pub fn magic_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// A second open description of what `fd` refers to, with `O_NONBLOCK`: for try-forms where the
/// kernel has no flag for one call. The description of `fd` itself stays as it is, since a child
/// or a peer may share it. `access` is `OFlags::RDONLY` or `OFlags::WRONLY`.
///
/// # Errors
/// [`ErrorKind::Closed`] for the writing end of a pipe that nobody reads;
/// [`ErrorKind::Unsupported`] where `/proc` is not mounted; else as open(2).
pub fn reopen_nonblocking(fd: BorrowedFd<'_>, access: OFlags) -> Result<OwnedFd> {
    let path = magic_path(fd);
    let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match retry(|| rustix::fs::open(&path, flags, Mode::empty())) {
        Ok(twin) => above_stdio(twin),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::new("reopen", ErrorKind::Unsupported)
            .hint("a try form of this object needs /proc on this kernel, which is not mounted")),
        // A pipe without a reader cannot be opened to write: what a write would say, too.
        Err(Errno::NXIO) => Err(Error::new("reopen", ErrorKind::Closed)),
        Err(errno) => Err(os_error("reopen", errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reopened_end_is_nonblocking_and_the_original_is_not() {
        let (read, _write) = rustix::pipe::pipe().expect("a pipe");
        let twin = reopen_nonblocking(read.as_fd(), OFlags::RDONLY).expect("/proc is mounted");
        assert_eq!(rustix::io::read(&twin, &mut [0u8; 1]), Err(Errno::AGAIN));
        let flags = rustix::fs::fcntl_getfl(&read).expect("flags");
        assert!(!flags.contains(OFlags::NONBLOCK));
    }
}
