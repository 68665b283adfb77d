//! Every system call of the crate: pipes, their ends, and how each form reads and writes.

mod pages;
mod splicing;

pub(crate) use self::pages::{Memory, pages_are_shared};
pub(crate) use self::splicing::Far;

use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{
    PollFd, PollFlags, Sigpipe, above_stdio, os_error, reopen_nonblocking, wait_any,
    with_sigpipe_masked,
};
use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, ReadWriteFlags};
use rustix::pipe::PipeFlags;
use std::cell::RefCell;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// `RWF_NOSIGNAL` (Linux 6.18): no SIGPIPE from this write.
const NOSIGNAL: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x100);
/// The offset that means the current position, as a pipe must have it.
const CURRENT: u64 = u64::MAX;

/// A pipe: the end to read, the end to write.
pub(crate) fn pipe(packets: bool) -> Result<(OwnedFd, OwnedFd)> {
    let packets = if packets {
        PipeFlags::DIRECT
    } else {
        PipeFlags::empty()
    };
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | packets)
        .map_err(|errno| os_error("create pipe", errno))?;
    Ok((above_stdio(read)?, above_stdio(write)?))
}

/// Which end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Checks that a descriptor from elsewhere is the `access` end of a pipe, and one that keeps
/// records apart where `packets` are expected.
pub(crate) fn check_end(fd: &OwnedFd, access: Access, packets: bool) -> Result<()> {
    const OPERATION: &str = "adopt pipe";
    let stat = rustix::fs::fstat(fd).map_err(|errno| os_error(OPERATION, errno))?;
    let flags = rustix::fs::fcntl_getfl(fd).map_err(|errno| os_error(OPERATION, errno))?;
    let refuse = |kind, why| Err(Error::new(OPERATION, kind).hint(why));
    if FileType::from_raw_mode(stat.st_mode) != FileType::Fifo {
        return refuse(ErrorKind::WrongType, "the descriptor is no pipe");
    }
    let mode = flags & OFlags::RWMODE;
    let (wanted, why) = match access {
        Access::Read => (
            OFlags::RDONLY,
            "the descriptor is not the reading end of its pipe",
        ),
        Access::Write => (
            OFlags::WRONLY,
            "the descriptor is not the writing end of its pipe",
        ),
    };
    if mode != wanted && mode != OFlags::RDWR || flags.contains(OFlags::PATH) {
        return refuse(ErrorKind::WrongType, why);
    }
    if packets && !flags.contains(OFlags::DIRECT) {
        let why = "the pipe was not made in record mode: make it so, or send framed messages";
        return refuse(ErrorKind::InvalidInput, why);
    }
    Ok(())
}

/// What both ends have: a descriptor, and a way to try it without waiting.
#[derive(Debug)]
struct End {
    /// Always there, but in the moment when it is taken out to be given away.
    fd: Option<OwnedFd>,
    /// The kernel refuses `RWF_NOWAIT` on this pipe (before Linux 6.5, and on FIFOs).
    no_nowait: AtomicBool,
    /// A second description of the same pipe that does not block, for such kernels.
    twin: OnceLock<OwnedFd>,
    /// The flags of the twin: it must keep records apart as the first does.
    twin_flags: OFlags,
}

impl End {
    fn new(fd: OwnedFd, packets: bool) -> Self {
        let packets = if packets {
            OFlags::DIRECT
        } else {
            OFlags::empty()
        };
        Self {
            fd: Some(fd),
            no_nowait: AtomicBool::new(false),
            twin: OnceLock::new(),
            twin_flags: OFlags::NONBLOCK | packets,
        }
    }

    #[inline]
    fn fd(&self) -> BorrowedFd<'_> {
        self.fd
            .as_ref()
            .expect("taken only when the endpoint is consumed")
            .as_fd()
    }

    fn take_fd(&mut self) -> OwnedFd {
        self.fd
            .take()
            .expect("taken once, by the conversion that consumes the endpoint")
    }

    /// One try that does not wait: by a flag for this call, else by the twin.
    fn attempt<T>(
        &self,
        access: OFlags,
        by_flag: impl FnOnce() -> rustix::io::Result<T>,
        by_twin: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<rustix::io::Result<T>> {
        if !self.no_nowait.load(Ordering::Relaxed) {
            match by_flag() {
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    self.no_nowait.store(true, Ordering::Relaxed);
                }
                outcome => return Ok(outcome),
            }
        }
        if self.twin.get().is_none() {
            let twin = reopen_nonblocking(self.fd(), access)?;
            rustix::fs::fcntl_setfl(&twin, self.twin_flags).map_err(|e| os_error("reopen", e))?;
            // Of two threads that come here at once one twin is dropped again.
            let _ = self.twin.set(twin);
        }
        Ok(by_twin(self.twin.get().expect("set above").as_fd()))
    }
}

/// Waits for `flags` on `fd`, then says whether to try again.
fn again(
    operation: &'static str,
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    until: Until,
) -> Result<()> {
    if until == Until::Now {
        return Err(until.over(operation));
    }
    match wait_any(&mut [PollFd::from_borrowed_fd(fd, flags)], until) {
        Ok(true) => Ok(()),
        Ok(false) => Err(until.over(operation)),
        Err(errno) => Err(os_error(operation, errno)),
    }
}

/// The end to read.
#[derive(Debug)]
pub(crate) struct ReadEnd(End);

impl ReadEnd {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(End::new(fd, false))
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    pub(crate) fn into_fd(mut self) -> OwnedFd {
        self.0.take_fd()
    }

    /// The blocking form, one plain call; `None` where it failed: what it said, it says again.
    #[inline(always)]
    pub(crate) fn try_plain(&self, buffer: &mut [u8]) -> Option<usize> {
        rustix::io::read(self.fd(), buffer).ok()
    }

    /// Reads at least one byte into `buffer` and then `spill`; 0 is the end of the stream.
    pub(crate) fn read(&self, buffer: &mut [u8], spill: &mut [u8], until: Until) -> Result<usize> {
        loop {
            let outcome = match until {
                Until::Forever if spill.is_empty() => rustix::io::read(self.fd(), &mut *buffer),
                Until::Forever => rustix::io::readv(self.fd(), &mut slices_mut(buffer, spill)),
                Until::Now | Until::At(_) => self.attempt(buffer, spill)?,
            };
            match outcome {
                Ok(read) => return Ok(read),
                Err(Errno::INTR) => {}
                // A blocking form comes here too where somebody set O_NONBLOCK on what we share.
                Err(Errno::AGAIN) => again("recv", self.fd(), PollFlags::IN, until)?,
                Err(errno) => return Err(os_error("recv", errno)),
            }
        }
    }

    /// Reads without waiting: `None` where there is nothing now, `Some(None)` where it is not for
    /// a try to tell what there is.
    #[inline]
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> Option<Option<usize>> {
        match self.attempt(buffer, &mut []) {
            Ok(Err(Errno::AGAIN | Errno::INTR)) => None,
            Ok(Ok(read @ 1..)) => Some(Some(read)),
            _ => Some(None),
        }
    }

    /// Whether nothing is left, and its last writer has gone; no writer yet is no end.
    pub(crate) fn is_at_end(&self, operation: &'static str) -> Result<bool> {
        let look = || {
            let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN)];
            wait_any(&mut fds, Until::Now).map_err(|errno| os_error(operation, errno))?;
            Ok(fds[0].revents())
        };
        let now = look()?;
        let left = now.contains(PollFlags::HUP) && !now.contains(PollFlags::IN);
        // The kernel looks for bytes and then for writers, under no lock: what the last one sent
        // in between shows to the next look.
        Ok(left && !look()?.contains(PollFlags::IN))
    }

    /// Waits for data, or for the last writer's leaving.
    pub(crate) fn wait_for_writer(&self, until: Until) -> Result<()> {
        again("recv", self.fd(), PollFlags::IN, until)
    }

    fn attempt(&self, buffer: &mut [u8], spill: &mut [u8]) -> Result<rustix::io::Result<usize>> {
        let count = if spill.is_empty() { 1 } else { 2 };
        let both = RefCell::new(slices_mut(buffer, spill));
        self.0.attempt(
            OFlags::RDONLY,
            || {
                let slices = &mut both.borrow_mut()[..count];
                rustix::io::preadv2(self.fd(), slices, CURRENT, ReadWriteFlags::NOWAIT)
            },
            |twin| rustix::io::readv(twin, &mut both.borrow_mut()[..count]),
        )
    }
}

/// The end to write.
#[derive(Debug)]
pub(crate) struct WriteEnd {
    end: End,
    /// How SIGPIPE is avoided; see [`Sigpipe`].
    sigpipe: AtomicU8,
}

const IGNORED: u8 = 0;
const FLAGGED: u8 = 1;
const MASKED: u8 = 2;

impl WriteEnd {
    pub(crate) fn new(fd: OwnedFd, packets: bool) -> Self {
        let sigpipe = match Sigpipe::judge() {
            Sigpipe::Ignored => IGNORED,
            Sigpipe::Flagged => FLAGGED,
            Sigpipe::Masked => MASKED,
        };
        let end = End::new(fd, packets);
        Self {
            end,
            sigpipe: AtomicU8::new(sigpipe),
        }
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.end.fd()
    }

    pub(crate) fn take_fd(&mut self) -> OwnedFd {
        self.end.take_fd()
    }

    pub(crate) fn has_fd(&self) -> bool {
        self.end.fd.is_some()
    }

    /// The blocking form, one plain call where no SIGPIPE comes of it; `None` where it failed:
    /// what it said, it says again.
    #[inline(always)]
    pub(crate) fn try_plain(&self, bytes: &[u8]) -> Option<usize> {
        if self.sigpipe.load(Ordering::Relaxed) != IGNORED {
            return None;
        }
        rustix::io::write(self.fd(), bytes).ok()
    }

    /// Writes what there is room for of `head` and `body`, at least one byte of a non-empty pair.
    pub(crate) fn write(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        loop {
            let outcome = match (until, self.sigpipe.load(Ordering::Relaxed)) {
                (Until::Forever, IGNORED) => plain_write(self.fd(), head, body),
                (Until::Forever, _) => self.quiet_write(head, body, ReadWriteFlags::empty()),
                (Until::Now | Until::At(_), _) => self.attempt(head, body)?,
            };
            match outcome {
                Ok(written) => return Ok(written),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => again("send", self.fd(), PollFlags::OUT, until)?,
                Err(errno) => return Err(os_error("send", errno)),
            }
        }
    }

    /// Writes without waiting, as [`try_read`](ReadEnd::try_read) reads.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> Option<Option<usize>> {
        match self.attempt(&[], bytes) {
            Ok(Err(Errno::AGAIN | Errno::INTR)) => None,
            Ok(Ok(written @ 1..)) => Some(Some(written)),
            _ => Some(None),
        }
    }

    pub(crate) fn capacity_bytes(&self) -> Result<usize> {
        rustix::pipe::fcntl_getpipe_size(self.fd()).map_err(|e| os_error("capacity", e))
    }

    pub(crate) fn set_capacity_bytes(&self, bytes: usize) -> rustix::io::Result<usize> {
        rustix::pipe::fcntl_setpipe_size(self.fd(), bytes)
    }

    /// A write that raises no SIGPIPE in a process that does not ignore it.
    fn quiet_write(
        &self,
        head: &[u8],
        body: &[u8],
        flags: ReadWriteFlags,
    ) -> rustix::io::Result<usize> {
        if self.sigpipe.load(Ordering::Relaxed) == FLAGGED {
            let flags = flags | NOSIGNAL;
            match flagged_write(self.fd(), head, body, flags) {
                // The kernel may mean the other flag: the next try tells.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                    self.sigpipe.store(MASKED, Ordering::Relaxed);
                }
                outcome => return outcome,
            }
        }
        with_sigpipe_masked(|| {
            if flags.is_empty() {
                return plain_write(self.fd(), head, body);
            }
            flagged_write(self.fd(), head, body, flags)
        })
    }

    fn attempt(&self, head: &[u8], body: &[u8]) -> Result<rustix::io::Result<usize>> {
        let ignored = self.sigpipe.load(Ordering::Relaxed) == IGNORED;
        self.end.attempt(
            OFlags::WRONLY,
            || match ignored {
                true => flagged_write(self.fd(), head, body, ReadWriteFlags::NOWAIT),
                false => self.quiet_write(head, body, ReadWriteFlags::NOWAIT),
            },
            |twin| match ignored {
                true => plain_write(twin, head, body),
                false => with_sigpipe_masked(|| plain_write(twin, head, body)),
            },
        )
    }
}

#[inline]
fn plain_write(fd: BorrowedFd<'_>, head: &[u8], body: &[u8]) -> rustix::io::Result<usize> {
    match head {
        [] => rustix::io::write(fd, body),
        _ => rustix::io::writev(fd, &slices(head, body)),
    }
}

fn flagged_write(
    fd: BorrowedFd<'_>,
    head: &[u8],
    body: &[u8],
    flags: ReadWriteFlags,
) -> rustix::io::Result<usize> {
    match head {
        [] => rustix::io::pwritev2(fd, &[IoSlice::new(body)], CURRENT, flags),
        _ => rustix::io::pwritev2(fd, &slices(head, body), CURRENT, flags),
    }
}

fn slices<'a>(head: &'a [u8], body: &'a [u8]) -> [IoSlice<'a>; 2] {
    [IoSlice::new(head), IoSlice::new(body)]
}

fn slices_mut<'a>(first: &'a mut [u8], second: &'a mut [u8]) -> [IoSliceMut<'a>; 2] {
    [IoSliceMut::new(first), IoSliceMut::new(second)]
}

/// Makes the writer's end of a FIFO that we have opened ourselves keep records apart. The flag
/// cannot be given to open(2), which refuses it for FIFOs.
pub(crate) fn set_packets(fd: &OwnedFd) -> Result<()> {
    rustix::fs::fcntl_setfl(fd, OFlags::DIRECT).map_err(|errno| os_error("open FIFO", errno))
}

/// Clears `O_NONBLOCK` on a FIFO's end that we have opened ourselves a moment ago.
pub(crate) fn set_blocking(fd: &OwnedFd) -> Result<()> {
    rustix::fs::fcntl_setfl(fd, OFlags::empty()).map_err(|errno| os_error("open FIFO", errno))
}
