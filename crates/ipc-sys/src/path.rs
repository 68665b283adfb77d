//! Objects at paths: the last component is never followed, and identity is the inode.

use crate::descriptor::magic_path;
use crate::{above_stdio, os_error, retry};
use ipc_core::{Error, ErrorKind, Mode, Result};
use rustix::fs::{AtFlags, CWD, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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
    At::path(path).open_reference(operation, path)
}

/// Opens for use what `place` (from [`open_place`]) refers to, whatever its name means by now.
///
/// # Errors
/// As open(2); `ENXIO` of a FIFO without a reader comes through unchanged.
pub fn open_at(place: BorrowedFd<'_>, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = magic_path(place);
    let flags = flags | OFlags::CLOEXEC;
    retry(|| rustix::fs::open(&path, flags, rustix::fs::Mode::empty()))
}

/// Sets the permission bits of what `place` (from [`open_place`]) refers to.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where `/proc` is not mounted; [`ErrorKind::Denied`] for another
/// owner's object.
pub fn set_mode(operation: &'static str, place: impl AsFd, mode: Mode) -> Result<()> {
    let bits = rustix::fs::Mode::from_raw_mode(mode.bits());
    match rustix::fs::chmod(magic_path(place), bits) {
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
    At::path(path).unlink_same(operation, path, inode)
}

/// Where the kernel looks a name up: a path of the caller's from where the process stands, or
/// one component beneath a directory that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    directory: BorrowedFd<'a>,
    name: &'a Path,
    beneath: bool,
}

impl<'a> At<'a> {
    pub(crate) const fn path(path: &'a Path) -> Self {
        Self {
            directory: CWD,
            name: path,
            beneath: false,
        }
    }

    /// `name` must be one component.
    pub(crate) const fn beneath(directory: BorrowedFd<'a>, name: &'a Path) -> Self {
        Self {
            directory,
            name,
            beneath: true,
        }
    }

    /// Opens it, never through a link in the last place; beneath a directory through none at all
    /// and never out of it.
    pub(crate) fn open(self, flags: OFlags, mode: u32) -> rustix::io::Result<OwnedFd> {
        let mode = rustix::fs::Mode::from_raw_mode(mode);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if self.beneath {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let open = || rustix::fs::openat2(self.directory, self.name, flags, mode, resolve);
            match retry(open) {
                // A sandbox that does not know the call. One component has nothing to be
                // resolved but itself, which is not followed.
                Err(Errno::NOSYS | Errno::PERM) => {}
                outcome => return outcome,
            }
        }
        retry(|| rustix::fs::openat(self.directory, self.name, flags, mode))
    }

    pub(crate) fn open_reference(
        self,
        operation: &'static str,
        shown: &Path,
    ) -> Result<(OwnedFd, Stat)> {
        let fail = |errno| os_error(operation, errno).on(shown.display());
        let fd = above_stdio(self.open(OFlags::PATH, 0).map_err(fail)?)?;
        let stat = rustix::fs::fstat(&fd).map_err(fail)?;
        Ok((fd, stat))
    }

    pub(crate) fn stat(self) -> rustix::io::Result<Stat> {
        rustix::fs::statat(self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(crate) fn make_directory(self, mode: u32) -> rustix::io::Result<()> {
        let mode = rustix::fs::Mode::from_raw_mode(mode);
        rustix::fs::mkdirat(self.directory, self.name, mode)
    }

    pub(crate) fn make_fifo(self, mode: Mode) -> rustix::io::Result<()> {
        let mode = rustix::fs::Mode::from_raw_mode(mode.bits());
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(self.directory, self.name, kind, mode, 0)
    }

    pub(crate) fn unlink_same(
        self,
        operation: &'static str,
        shown: &Path,
        inode: Inode,
    ) -> Result<bool> {
        let fail = |errno| os_error(operation, errno).on(shown.display());
        match self.stat() {
            Ok(stat) if Inode::from(&stat) == inode => {}
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
            Err(errno) => return Err(fail(errno)),
        }
        match rustix::fs::unlinkat(self.directory, self.name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(fail(errno)),
        }
    }
}
