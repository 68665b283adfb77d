//! How bytes go between a pipe and another descriptor inside the kernel: splice(2) and tee(2).

use super::{IGNORED, ReadEnd, WriteEnd};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{PollFd, PollFlags, Sigpipe, os_error, wait_any, with_sigpipe_masked};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::pipe::SpliceFlags;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;

/// Of a pipe's own end this is true for one call alone, whatever its description says.
const DONT_WAIT: SpliceFlags = SpliceFlags::NONBLOCK;

/// What makes a call return that would wait for the descriptor at the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// It never waits, as files do not, or asks the flag of the call, or its own `O_NONBLOCK`.
    Asked,
    /// Nothing: the kernel takes no flag for it, and its description blocks.
    Unasked,
}

/// The descriptor at the other side, which may be anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Far<'a> {
    fd: BorrowedFd<'a>,
    flags: PollFlags,
    patience: Patience,
}

impl<'a> Far<'a> {
    pub(crate) fn source(fd: BorrowedFd<'a>) -> Result<Self> {
        Self::of("splice", fd, PollFlags::IN)
    }

    pub(crate) fn target(fd: BorrowedFd<'a>) -> Result<Self> {
        Self::of("splice", fd, PollFlags::OUT)
    }

    /// The other pipe of a tee, which asks the flag as the first does.
    pub(crate) const fn pipe(fd: BorrowedFd<'a>) -> Self {
        Self {
            fd,
            flags: PollFlags::OUT,
            patience: Patience::Asked,
        }
    }

    fn of(operation: &'static str, fd: BorrowedFd<'a>, flags: PollFlags) -> Result<Self> {
        let failed = |errno| os_error(operation, errno);
        let stat = rustix::fs::fstat(fd).map_err(failed)?;
        let own = rustix::fs::fcntl_getfl(fd).map_err(failed)?;
        let asked = own.contains(OFlags::NONBLOCK)
            || match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile | FileType::BlockDevice | FileType::Fifo => true,
                // Of sockets the kernel asks the flag in this one place.
                FileType::Socket => flags == PollFlags::IN && is_unix_stream(fd),
                _ => false,
            };
        let patience = match asked {
            true => Patience::Asked,
            false => Patience::Unasked,
        };
        Ok(Self {
            fd,
            flags,
            patience,
        })
    }
}

fn is_unix_stream(fd: BorrowedFd<'_>) -> bool {
    sockopt::socket_domain(fd) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(fd) == Ok(SocketType::STREAM)
}

impl ReadEnd {
    /// Moves up to `most` bytes to `far`; 0 is the end of the pipe.
    pub(crate) fn splice_to(&self, far: Far<'_>, most: usize, until: Until) -> Result<usize> {
        self.carry("splice", far, until, || {
            rustix::pipe::splice(self.fd(), None, far.fd, None, most, DONT_WAIT)
        })
    }

    /// Copies up to `most` bytes to the pipe `far`, and leaves them here; 0 is the end.
    pub(crate) fn tee_to(&self, far: Far<'_>, most: usize, until: Until) -> Result<usize> {
        self.carry("tee", far, until, || {
            rustix::pipe::tee(self.fd(), far.fd, most, DONT_WAIT)
        })
    }

    fn carry(
        &self,
        operation: &'static str,
        far: Far<'_>,
        until: Until,
        mut call: impl FnMut() -> rustix::io::Result<usize>,
    ) -> Result<usize> {
        // The other side may be one whose reader is gone, and no flag of these calls helps.
        let ignored = Sigpipe::judge() == Sigpipe::Ignored;
        let both = Both {
            operation,
            near: self.fd(),
            near_flags: PollFlags::IN,
            far,
        };
        both.first(until)?;
        loop {
            let outcome = match ignored {
                true => call(),
                false => with_sigpipe_masked(&mut call),
            };
            match outcome {
                // Nothing was moved: is it the end, no sender yet, or no room for a moment?
                Ok(0) | Err(Errno::AGAIN) if self.is_at_end(operation)? => return Ok(0),
                Ok(0) | Err(Errno::AGAIN) => both.wait(until)?,
                Ok(moved) => return Ok(moved),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(refused(operation, errno)),
            }
        }
    }
}

impl WriteEnd {
    /// Moves up to `most` bytes from `far` into the pipe; 0 is the end of `far`.
    pub(crate) fn splice_from(&self, far: Far<'_>, most: usize, until: Until) -> Result<usize> {
        const OPERATION: &str = "splice";
        let both = Both {
            operation: OPERATION,
            near: self.fd(),
            near_flags: PollFlags::OUT,
            far,
        };
        both.first(until)?;
        let call = || rustix::pipe::splice(far.fd, None, self.fd(), None, most, DONT_WAIT);
        loop {
            match self.quietly(call) {
                Ok(moved) => return Ok(moved),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => both.wait(until)?,
                Err(errno) => return Err(refused(OPERATION, errno)),
            }
        }
    }

    /// A call that takes no flag against SIGPIPE.
    pub(super) fn quietly<T>(&self, call: impl FnOnce() -> T) -> T {
        match self.sigpipe.load(Ordering::Relaxed) {
            IGNORED => call(),
            _ => with_sigpipe_masked(call),
        }
    }
}

/// Both sides of a call, either of which may have to be waited for.
struct Both<'a> {
    operation: &'static str,
    near: BorrowedFd<'a>,
    near_flags: PollFlags,
    far: Far<'a>,
}

impl Both<'_> {
    /// Before the first call. One that waits for the other side inside the kernel holds the pipe's
    /// lock there, and keeps everyone from the pipe, so the waiting is done before.
    fn first(&self, until: Until) -> Result<()> {
        match (self.far.patience, until) {
            (Patience::Asked, _) => Ok(()),
            (Patience::Unasked, Until::Forever) => self.wait(until),
            (Patience::Unasked, _) => Err(Error::new(self.operation, ErrorKind::Unsupported).hint(
                "the kernel cannot try this descriptor without waiting for it: set O_NONBLOCK on \
                 it, where its other users expect that, or take the form that waits for ever",
            )),
        }
    }

    /// Waits until each side was ready once.
    fn wait(&self, until: Until) -> Result<()> {
        if until == Until::Now {
            return Err(until.over(self.operation));
        }
        let (mut near, mut far) = (self.near_flags, self.far.flags);
        while !(near.is_empty() && far.is_empty()) {
            let mut fds = [
                PollFd::from_borrowed_fd(self.near, near),
                PollFd::from_borrowed_fd(self.far.fd, far),
            ];
            // A reading end that is ready says so again with each look: leave it out then. A
            // writing one stays, since it tells when nobody reads any more.
            let looked = match near.is_empty() && self.near_flags == PollFlags::IN {
                true => &mut fds[1..],
                false if far.is_empty() => &mut fds[..1],
                false => &mut fds[..],
            };
            match wait_any(looked, until) {
                Ok(true) => {}
                Ok(false) => return Err(until.over(self.operation)),
                Err(errno) => return Err(os_error(self.operation, errno)),
            }
            let [now_near, now_far] = [fds[0].revents(), fds[1].revents()];
            if self.near_flags == PollFlags::OUT && now_near.contains(PollFlags::ERR) {
                return Err(Error::new(self.operation, ErrorKind::Closed));
            }
            if !now_near.is_empty() {
                near = PollFlags::empty();
            }
            if !now_far.is_empty() {
                far = PollFlags::empty();
            }
        }
        Ok(())
    }
}

#[cold]
fn refused(operation: &'static str, errno: Errno) -> Error {
    let refuse = |kind, why| {
        Error::new(operation, kind)
            .hint(why)
            .caused_by(errno.into())
    };
    match errno {
        Errno::INVAL => refuse(
            ErrorKind::WrongType,
            "the kernel cannot move bytes between a pipe and this descriptor: it is the same \
             pipe, a file open for appending, or a kind that has no such way; receive and send",
        ),
        Errno::BADF => refuse(
            ErrorKind::InvalidInput,
            "the descriptor is not open in this direction",
        ),
        errno => os_error(operation, errno),
    }
}
