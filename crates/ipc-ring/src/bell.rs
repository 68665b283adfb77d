//! A pipe by which one side wakes the other, and by whose end the other sees that it is gone.

use crate::timed::Timed;
use ipc_core::{Result, Until};
use ipc_sys::{
    PollFd, PollFlags, Sigpipe, above_stdio, os_error, reopen_nonblocking, wait_any,
    with_sigpipe_masked,
};
use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev2};
use rustix::pipe::{PipeFlags, pipe_with};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The offset that means the current position, as a pipe must have it.
const CURRENT: u64 = u64::MAX;

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
    timed: Timed,
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
    Ok((
        Rope::given(above_stdio(write)?),
        Bell {
            fd: above_stdio(read)?,
            timed: Timed::default(),
        },
    ))
}

impl Rope {
    /// The writing end of a pipe.
    pub(crate) fn given(fd: OwnedFd) -> Self {
        let masked = Sigpipe::judge() != Sigpipe::Ignored;
        Self { fd, masked }
    }

    /// Rings; false where nobody hears it any more. Who waits is told of that by the wait; and
    /// where the pipe is full, a wake-up is waiting already.
    #[cold]
    pub(crate) fn ring(&self) -> bool {
        let rung = match self.masked {
            false => self.put(),
            true => with_sigpipe_masked(|| self.put()),
        };
        rung != Err(Errno::PIPE)
    }

    /// Whether somebody hears it.
    pub(crate) fn is_heard(&self) -> bool {
        !has_ended(&self.fd)
    }

    /// Puts a byte, without blocking. The description may be another's, who may have it block.
    fn put(&self) -> std::result::Result<usize, Errno> {
        let slices = &[IoSlice::new(&[1])];
        let put = || pwritev2(&self.fd, slices, CURRENT, ReadWriteFlags::NOWAIT);
        match ipc_sys::retry(put) {
            // Kernels before 6.4 know no such flag of pipes; what has room does not block either.
            Err(Errno::OPNOTSUPP) => {
                let fds = &mut [PollFd::new(&self.fd, PollFlags::OUT)];
                match wait_any(fds, Until::Now) {
                    Ok(true) => ipc_sys::retry(|| rustix::io::write(&self.fd, &[1])),
                    Ok(false) => Err(Errno::AGAIN),
                    Err(errno) => Err(errno),
                }
            }
            rung => rung,
        }
    }
}

/// Whether the last of the other end of this pipe is gone.
fn has_ended(pipe: &OwnedFd) -> bool {
    let fds = &mut [PollFd::new(pipe, PollFlags::empty())];
    wait_any(fds, Until::Now).unwrap_or(false)
}

impl Bell {
    /// The reading end of a pipe.
    #[cfg(not(ipc_model))]
    pub(crate) fn given(fd: OwnedFd) -> Self {
        let timed = Timed::default();
        Self { fd, timed }
    }

    /// Sleeps until it is rung; `None` where the time is over before.
    pub(crate) fn sleep(&self, until: Until) -> Result<Option<Woken>> {
        if let Until::At(deadline) = until
            && let Some(woken) = self.timed.sleep(self, deadline)
        {
            return woken;
        }
        if until != Until::Forever {
            let fds = &mut [PollFd::new(&self.fd, PollFlags::IN)];
            match wait_any(fds, until) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(errno) => return Err(os_error("wait", errno)),
            }
        }
        self.hear().map(Some)
    }

    /// Whether whoever could ring is gone; what has been rung is left as it is.
    pub(crate) fn is_alone(&self) -> bool {
        has_ended(&self.fd)
    }

    /// Takes what has been rung; blocks where nothing has.
    pub(crate) fn hear(&self) -> Result<Woken> {
        match ipc_sys::retry(|| rustix::io::read(&self.fd, &mut [0; 64])) {
            Ok(0) => Ok(Woken::Alone),
            Ok(_) => Ok(Woken::Rung),
            Err(errno) => Err(os_error("wait", errno)),
        }
    }

    /// Takes what has been rung, if anything has.
    pub(crate) fn try_hear(&self) -> Result<Option<Woken>> {
        let (mut rung, flags) = ([0; 64], ReadWriteFlags::NOWAIT);
        let slices = &mut [IoSliceMut::new(&mut rung)];
        match ipc_sys::retry(|| preadv2(&self.fd, slices, CURRENT, flags)) {
            Ok(0) => Ok(Some(Woken::Alone)),
            Ok(_) => Ok(Some(Woken::Rung)),
            Err(Errno::AGAIN) => Ok(None),
            // As of pipes that are written to: kernels before 6.4 know no such flag.
            Err(Errno::OPNOTSUPP) => self.hear_if_rung(),
            Err(errno) => Err(os_error("wait", errno)),
        }
    }

    fn hear_if_rung(&self) -> Result<Option<Woken>> {
        let fds = &mut [PollFd::new(&self.fd, PollFlags::IN)];
        match wait_any(fds, Until::Now) {
            Ok(true) => self.hear().map(Some),
            Ok(false) | Err(Errno::AGAIN) => Ok(None),
            Err(errno) => Err(os_error("wait", errno)),
        }
    }
}

impl Bell {
    /// Rings our own bell, whose rope the other side has: by a writing end that is there for this
    /// alone, so that the other side's is the last again.
    #[cold]
    pub(crate) fn ring_here(&self) {
        let writer = reopen_nonblocking(self.fd.as_fd(), OFlags::WRONLY);
        // Without /proc nobody is woken here before the other side answers to the end.
        if let Ok(fd) = writer {
            Rope::given(fd).ring();
        }
    }
}

impl AsFd for Rope {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
