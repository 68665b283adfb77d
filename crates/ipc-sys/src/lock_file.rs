//! A file whose lock says that the owner of the object beside it lives.

use crate::path::Inode;
use crate::{Place, ToPlace, above_stdio, os_error, set_mode};
use ipc_core::{Error, ErrorKind, Mode, Result};
use rustix::fs::{FileType, FlockOperation, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// An exclusive lock on a file of its own, held until this is dropped or the process dies.
///
/// The file is removed by the drop, in the process that took the lock: a forked child's copy
/// leaves it alone. After a kill the file stays, unlocked, and the next owner takes it over.
#[derive(Debug)]
pub struct LockFile {
    place: Place,
    inode: Inode,
    owner: u32,
    _locked: OwnedFd,
}

impl LockFile {
    /// Takes the lock at `place` without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where a live owner holds it; [`ErrorKind::Denied`] where the
    /// file is another user's, or others may open it; [`ErrorKind::WrongType`] where it is no
    /// regular file.
    pub fn acquire(place: impl ToPlace) -> Result<Self> {
        let place = place.to_place().absolute();
        loop {
            let file = above_stdio(open_or_create(&place)?)?;
            let fail = |errno| os_error("lock", errno).on(place.display());
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::AGAIN) => {
                    return Err(Error::new("lock", ErrorKind::AlreadyExists)
                        .on(place.display())
                        .hint("a live owner holds it"));
                }
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(fail(errno)),
            }
            let inode = Inode::from(&rustix::fs::fstat(&file).map_err(fail)?);
            // The owner before us may have removed the file between our open and our lock: then
            // we hold the lock of a file without a name, and the next one would not see it.
            match place.stat() {
                Ok(named) if Inode::from(&named) == inode => {
                    let owner = std::process::id();
                    return Ok(Self {
                        place,
                        inode,
                        owner,
                        _locked: file,
                    });
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Still locked here: who opens the file now finds it without a name and tries again.
            let _ = self.place.unlink_same("unlink", self.inode);
        }
    }
}

fn open_or_create(place: &Place) -> Result<OwnedFd> {
    let fail = |errno| os_error("lock", errno).on(place.display());
    let common = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut repaired = false;
    loop {
        match place.open(common | OFlags::CREATE | OFlags::EXCL, Mode::PRIVATE.bits()) {
            Ok(file) => {
                // Whatever the umask took away.
                let bits = rustix::fs::Mode::from_raw_mode(Mode::PRIVATE.bits());
                rustix::fs::fchmod(&file, bits).map_err(fail)?;
                return Ok(file);
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        match place.open(common, 0) {
            Ok(file) => {
                check(&rustix::fs::fstat(&file).map_err(fail)?, place)?;
                return Ok(file);
            }
            Err(Errno::NOENT) => {}
            Err(Errno::NXIO) => return Err(os_error("lock", Errno::NOTSOCK).on(place.display())),
            Err(Errno::ACCESS) if !repaired => {
                repaired = true;
                finish(place)?;
            }
            Err(errno) => return Err(fail(errno)),
        }
    }
}

/// Our own file that we may not open: its maker was killed between making it and setting its
/// mode, under a umask that kept even the owner out.
#[cold]
fn finish(place: &Place) -> Result<()> {
    let (reference, stat) = match place.open_reference("lock") {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        outcome => outcome?,
    };
    check(&stat, place)?;
    set_mode("lock", &reference, Mode::PRIVATE)
}

fn check(stat: &Stat, place: &Place) -> Result<()> {
    let refuse = |kind, why| Err(Error::new("lock", kind).on(place.display()).hint(why));
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return refuse(ErrorKind::WrongType, "the lock file is not a regular file");
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return refuse(ErrorKind::Denied, "the lock file belongs to another user");
    }
    if stat.st_nlink > 1 {
        return refuse(
            ErrorKind::Denied,
            "the lock file has a second name (hard link)",
        );
    }
    // Whoever may open it may hold its lock, and so keep the owner out for ever.
    if stat.st_mode & 0o077 != 0 {
        return refuse(
            ErrorKind::Denied,
            "others may open the lock file (its mode should be 0600)",
        );
    }
    Ok(())
}
