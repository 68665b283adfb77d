//! Reading, writing and reserving the bytes of an object by system calls.

use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{os_error, retry};
use rustix::fs::{FallocateFlags, Stat};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// How much is reserved by one call: a signal makes the kernel give the whole call up.
const STEP: u64 = 16 << 20;

/// Reads `buffer.len()` bytes at `at`.
pub(crate) fn read(fd: BorrowedFd<'_>, at: usize, buffer: &mut [u8]) -> Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        let read = retry(|| rustix::io::pread(fd, &mut buffer[done..], (at + done) as u64));
        match read.map_err(|errno| os_error("read", errno))? {
            0 => return Err(truncated("read")),
            read => done += read,
        }
    }
    Ok(())
}

/// Writes `bytes` at `at`, in an object that should end at `end`.
pub(crate) fn write(fd: BorrowedFd<'_>, at: usize, bytes: &[u8], end: usize) -> Result<()> {
    // A write past a truncated end would make the object longer again, and hide what happened.
    let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("write", errno))?;
    if (stat.st_size as u64) < end as u64 {
        return Err(truncated("write"));
    }
    write_new(fd, at, bytes)
}

/// Writes `bytes` at `at`, whatever the size is.
pub(crate) fn write_new(fd: BorrowedFd<'_>, at: usize, bytes: &[u8]) -> Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        let written = retry(|| rustix::io::pwrite(fd, &bytes[done..], (at + done) as u64));
        match written.map_err(|errno| os_error("write", errno))? {
            0 => return Err(os_error("write", Errno::NOSPC)),
            written => done += written,
        }
    }
    Ok(())
}

/// Gives the object storage for all bytes from `from` to `to`, so that no later access can lack
/// it.
pub(crate) fn reserve(fd: BorrowedFd<'_>, from: u64, to: u64) -> Result<()> {
    // Above this limit the kernel sends a signal that ends the process.
    if let Some(limit) = crate::sys::file_size_limit()
        && to > limit
    {
        return Err(Error::new("reserve", ErrorKind::LimitReached).hint(format!(
            "{to} bytes are above this process's limit {limit} (RLIMIT_FSIZE); raise it with \
             `ulimit -f`"
        )));
    }
    let mut at = from;
    while at < to {
        let step = STEP.min(to - at);
        match retry(|| rustix::fs::fallocate(fd, FallocateFlags::empty(), at, step)) {
            Ok(()) => {}
            // File systems without the call: what posix_fallocate(3) does there.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(fd, at, at + step)?,
            Err(errno) => return Err(no_space(errno, to)),
        }
        at += step;
    }
    Ok(())
}

/// Whether storage for the first `end` bytes is there. File systems that compress or share
/// blocks count otherwise, so this is asked of memory alone.
pub(crate) fn is_reserved(stat: &Stat, end: u64) -> bool {
    stat.st_blocks as u64 * 512 >= end
}

fn fill(fd: BorrowedFd<'_>, from: u64, to: u64) -> Result<()> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let mut at = from;
    while at < to {
        let length = (ZEROS.len() as u64).min(to - at) as usize;
        write_new(fd, at as usize, &ZEROS[..length])?;
        at += length as u64;
    }
    Ok(())
}

fn no_space(errno: Errno, bytes: u64) -> Error {
    let error = os_error("reserve", errno);
    match errno {
        Errno::NOSPC => error.hint(format!(
            "there is no room for {bytes} bytes in the file system or memory behind it"
        )),
        Errno::NOMEM => error.hint(format!("there is not memory enough for {bytes} bytes")),
        _ => error,
    }
}

#[cold]
fn truncated(operation: &'static str) -> Error {
    Error::new(operation, ErrorKind::Corrupt).hint("a peer has truncated the object")
}
