//! A file whose lock says that the owner of the object beside it lives.

use crate::path::{Inode, unlink_same};
use crate::{above_stdio, os_error, retry};
use ipc_core::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An exclusive lock on a file of its own, held until this is dropped or the process dies.
///
/// The file is removed by the drop, in the process that took the lock: a forked child's copy
/// leaves it alone. After a kill the file stays, unlocked, and the next owner takes it over.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    inode: Inode,
    owner: u32,
    _locked: OwnedFd,
}

impl LockFile {
    /// Takes the lock at `path` without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where a live owner holds it; [`ErrorKind::Denied`] where the
    /// file is another user's; [`ErrorKind::WrongType`] where it is no regular file.
    pub fn acquire(path: &Path) -> Result<Self> {
        loop {
            let file = above_stdio(open_or_create(path)?)?;
            let fail = |errno| os_error("lock", errno).on(path.display());
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::AGAIN) => {
                    return Err(Error::new("lock", ErrorKind::AlreadyExists)
                        .on(path.display())
                        .hint("a live owner holds it"));
                }
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(fail(errno)),
            }
            let inode = Inode::from(&rustix::fs::fstat(&file).map_err(fail)?);
            // The owner before us may have removed the file between our open and our lock: then
            // we hold the lock of a file without a name, and the next one would not see it.
            match rustix::fs::lstat(path) {
                Ok(named) if Inode::from(&named) == inode => {
                    let owner = std::process::id();
                    return Ok(Self {
                        path: path.into(),
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
            let _ = unlink_same("unlink", &self.path, self.inode);
        }
    }
}

fn open_or_create(path: &Path) -> Result<OwnedFd> {
    let fail = |errno| os_error("lock", errno).on(path.display());
    let common = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    loop {
        match retry(|| rustix::fs::open(path, common | OFlags::CREATE | OFlags::EXCL, PRIVATE)) {
            Ok(file) => {
                // Whatever the umask took away.
                rustix::fs::fchmod(&file, PRIVATE).map_err(fail)?;
                return Ok(file);
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        match retry(|| rustix::fs::open(path, common, Mode::empty())) {
            Ok(file) => return check(file, path),
            Err(Errno::NOENT) => {}
            Err(Errno::NXIO) => return Err(os_error("lock", Errno::NOTSOCK).on(path.display())),
            Err(errno) => return Err(fail(errno)),
        }
    }
}

fn check(file: OwnedFd, path: &Path) -> Result<OwnedFd> {
    let stat = rustix::fs::fstat(&file).map_err(|e| os_error("lock", e).on(path.display()))?;
    let refuse = |kind, why| Err(Error::new("lock", kind).on(path.display()).hint(why));
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
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
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone_and_nothing_stays_behind() {
        let dir = std::env::temp_dir().join(format!("ipc-sys-lock-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let path = dir.join("a lock");
        let first = LockFile::acquire(&path).expect("free");
        let error = LockFile::acquire(&path).expect_err("held");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        drop(first);
        drop(LockFile::acquire(&path).expect("free again"));
        assert!(!path.exists());
        std::os::unix::fs::symlink("/etc/passwd", &path).expect("a link");
        assert_eq!(
            LockFile::acquire(&path).expect_err("a link").kind(),
            ErrorKind::WrongType
        );
        std::fs::remove_dir_all(&dir).expect("clean up");
    }
}
