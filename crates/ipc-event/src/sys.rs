//! Every system call of the crate: how each form reads and writes an eventfd.
//!
//! An eventfd of ours blocks, and a try reads with `RWF_NOWAIT`. The other way, `EFD_NONBLOCK`
//! and ppoll, makes a wait that has to sleep three system calls instead of one: by the example
//! `cost` 1.23 times a blocking read on one core, which is above the goal of 1.03. A write
//! takes no flags (the kernel's eventfd has `write`, not `write_iter`), and waits only where the
//! counter is full.

use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{PollFd, PollFlags, above_stdio, magic_path, os_error, wait_any};
use rustix::event::EventfdFlags;
use rustix::io::{Errno, ReadWriteFlags};
use std::io::IoSliceMut;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The offset that means the current position, as an eventfd must have it.
const CURRENT: u64 = u64::MAX;
/// What a notification writes.
const ONE: [u8; 8] = 1u64.to_ne_bytes();

/// Makes an eventfd that blocks.
pub(crate) fn eventfd(count: u32, semaphore: bool) -> Result<OwnedFd> {
    let mut flags = EventfdFlags::CLOEXEC;
    flags.set(EventfdFlags::SEMAPHORE, semaphore);
    let fd = rustix::event::eventfd(count, flags).map_err(|e| os_error("create event", e))?;
    above_stdio(fd)
}

/// Refuses what is not an eventfd.
pub(crate) fn check_eventfd(fd: BorrowedFd<'_>) -> Result<()> {
    let path = magic_path(fd);
    match rustix::fs::readlink(&path, Vec::new()) {
        Ok(target) if target.as_bytes() == b"anon_inode:[eventfd]" => Ok(()),
        Ok(target) => Err(Error::new("adopt event", ErrorKind::WrongType)
            .on(target.to_string_lossy())
            .hint("the descriptor is not an eventfd")),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::new("adopt event", ErrorKind::Unsupported)
            .hint("what a descriptor is shows in /proc, which is not mounted")),
        Err(errno) => Err(os_error("adopt event", errno)),
    }
}

/// A second descriptor of the same description.
pub(crate) fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|errno| os_error("clone event", errno))
}

/// Adds one.
#[inline]
pub(crate) fn add_one(fd: BorrowedFd<'_>, until: Until) -> Result<()> {
    if matches!(until, Until::Forever) && rustix::io::write(fd, &ONE).is_ok() {
        return Ok(());
    }
    add_one_slowly(fd, until)
}

#[cold]
fn add_one_slowly(fd: BorrowedFd<'_>, until: Until) -> Result<()> {
    if until != Until::Forever {
        ready("notify", fd, PollFlags::OUT, until)?;
    }
    loop {
        match rustix::io::write(fd, &ONE) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            // The description was made by somebody who wants no call on it to wait.
            Err(Errno::AGAIN) => ready("notify", fd, PollFlags::OUT, until)?,
            Err(errno) => return Err(os_error("notify", errno)),
        }
    }
}

/// Takes what there is.
#[inline]
pub(crate) fn take(fd: BorrowedFd<'_>, until: Until) -> Result<u64> {
    let mut count = [0; 8];
    if matches!(until, Until::Forever) && rustix::io::read(fd, &mut count).is_ok() {
        return Ok(u64::from_ne_bytes(count));
    }
    take_slowly(fd, until)
}

fn take_slowly(fd: BorrowedFd<'_>, until: Until) -> Result<u64> {
    let mut count = [0; 8];
    loop {
        let outcome = match until {
            Until::Forever => rustix::io::read(fd, &mut count),
            Until::Now | Until::At(_) => {
                let slices = &mut [IoSliceMut::new(&mut count)];
                rustix::io::preadv2(fd, slices, CURRENT, ReadWriteFlags::NOWAIT)
            }
        };
        match outcome {
            Ok(_) => return Ok(u64::from_ne_bytes(count)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => ready("wait", fd, PollFlags::IN, until)?,
            Err(errno) => return Err(os_error("wait", errno)),
        }
    }
}

/// Waits until `fd` shows `flags`.
#[cold]
fn ready(
    operation: &'static str,
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    until: Until,
) -> Result<()> {
    // A try that reads has been told by the read already.
    if until == Until::Now && flags == PollFlags::IN {
        return Err(until.over(operation));
    }
    match wait_any(&mut [PollFd::from_borrowed_fd(fd, flags)], until) {
        Ok(true) => Ok(()),
        Ok(false) => Err(until.over(operation)),
        Err(errno) => Err(os_error(operation, errno)),
    }
}
