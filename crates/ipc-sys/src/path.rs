//! Objects at paths: the last component is never followed, and identity is the inode.

use crate::{above_stdio, os_error, retry};
use ipc_core::{Error, ErrorKind, Mode, Result};
use rustix::fs::{AtFlags, CWD, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Which file an object is, whatever its name may point to by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    device: u64,
    number: u64,
}

impl From<&Stat> for Inode {
    fn from(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            number: stat.st_ino,
        }
    }
}

/// Opens what stands at `path` for reference only (`O_PATH`): no permission is needed, a device
/// is not touched, a FIFO does not block, a link in the last place is not followed but opened.
///
/// # Errors
/// [`ErrorKind::NotFound`], [`ErrorKind::Denied`] on the way there.
pub fn open_place(operation: &'static str, path: &Path) -> Result<(OwnedFd, Stat)> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = retry(|| rustix::fs::open(path, flags, rustix::fs::Mode::empty()))
        .map_err(|errno| os_error(operation, errno).on(path.display()))?;
    let fd = above_stdio(fd)?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| os_error(operation, e).on(path.display()))?;
    Ok((fd, stat))
}

/// Opens for use what `place` (from [`open_place`]) refers to, whatever its name means by now.
///
/// # Errors
/// As open(2); `ENXIO` of a FIFO without a reader comes through unchanged.
pub fn open_at(place: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    retry(|| {
        rustix::fs::open(
            magic(place),
            flags | OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
    })
}

/// Sets the permission bits of what `place` (from [`open_place`]) refers to.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where `/proc` is not mounted; [`ErrorKind::Denied`] for another
/// owner's object.
pub fn set_mode(operation: &'static str, place: impl AsFd, mode: Mode) -> Result<()> {
    let bits = rustix::fs::Mode::from_raw_mode(mode.bits());
    match rustix::fs::chmod(magic(place.as_fd()), bits) {
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::new(operation, ErrorKind::Unsupported)
            .hint("setting a mode without a race needs /proc, which is not mounted")),
        outcome => outcome.map_err(|errno| os_error(operation, errno)),
    }
}

/// Unlinks `path` where it is still `inode`; whether it did.
///
/// # Errors
/// As unlink(2), but a name that is gone is no error.
pub fn unlink_same(operation: &'static str, path: &Path, inode: Inode) -> Result<bool> {
    let fail = |errno| os_error(operation, errno).on(path.display());
    match rustix::fs::lstat(path) {
        Ok(stat) if Inode::from(&stat) == inode => {}
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        Err(errno) => return Err(fail(errno)),
    }
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(fail(errno)),
    }
}

fn magic(place: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", place.as_raw_fd())
}
