//! A pipe by which one side wakes the other, and by whose end the other sees that it is gone.

use ipc_core::{Result, Until};
use ipc_sys::{PollFd, PollFlags, Sigpipe, above_stdio, os_error, wait_any, with_sigpipe_masked};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The side that rings: the only writer, so that its death is the end of the pipe.
#[derive(Debug)]
pub(crate) struct Rope {
    fd: OwnedFd,
    masked: bool,
}

/// The side that is rung.
#[derive(Debug)]
pub(crate) struct Bell {
    fd: OwnedFd,
}

/// What a sleep ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// It was rung for, or perhaps for an earlier sleep.
    Rung,
    /// Whoever could ring is gone.
    Alone,
}

/// A bell and its rope.
pub(crate) fn bell() -> Result<(Rope, Bell)> {
    let failed = |errno| os_error("create", errno);
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    let (read, write) = (above_stdio(read)?, above_stdio(write)?);
    // A peer that lets it fill up has a wake-up waiting; the description is ours alone.
    rustix::fs::fcntl_setfl(&write, OFlags::NONBLOCK).map_err(failed)?;
    let masked = Sigpipe::judge() != Sigpipe::Ignored;
    Ok((Rope { fd: write, masked }, Bell { fd: read }))
}

impl Rope {
    /// Rings; one that nobody hears any more is no failure, since the next wait tells.
    #[cold]
    pub(crate) fn ring(&self) {
        let ring = || ipc_sys::retry(|| rustix::io::write(&self.fd, &[1]));
        let _ = match self.masked {
            false => ring(),
            true => with_sigpipe_masked(ring),
        };
    }
}

impl Bell {
    /// Sleeps until it is rung.
    pub(crate) fn sleep(&self, until: Until) -> Result<Woken> {
        if until != Until::Forever {
            let fds = &mut [PollFd::new(&self.fd, PollFlags::IN)];
            match wait_any(fds, until) {
                Ok(true) => {}
                Ok(false) => return Err(until.over("wait")),
                Err(errno) => return Err(os_error("wait", errno)),
            }
        }
        self.hear()
    }

    /// Takes what has been rung; blocks where nothing has.
    fn hear(&self) -> Result<Woken> {
        match ipc_sys::retry(|| rustix::io::read(&self.fd, &mut [0; 64])) {
            Ok(0) => Ok(Woken::Alone),
            Ok(_) => Ok(Woken::Rung),
            Err(errno) => Err(os_error("wait", errno)),
        }
    }

    /// Takes what has been rung, if anything has.
    pub(crate) fn try_hear(&self) -> Result<Option<Woken>> {
        let fds = &mut [PollFd::new(&self.fd, PollFlags::IN)];
        match wait_any(fds, Until::Now) {
            Ok(true) => self.hear().map(Some),
            Ok(false) | Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(os_error("wait", errno)),
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
