//! Names of System V sets: a file with the id, and no set that a death makes nobody's.
//!
//! While the set `pool` is made or removed the file `pool~key` stands beside the file `pool`, and
//! is locked by who does it. It says the key of the set before there is a set. So what a maker
//! that dies leaves is found by the next one, by that key.

use crate::sys;
use crate::sysv::Set;
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{Inode, above_stdio, os_error, retry};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Leave to make or to remove the set of a name, until it is dropped.
#[derive(Debug)]
pub(crate) struct Making {
    path: PathBuf,
    file: OwnedFd,
}

impl Making {
    /// None where another process is at it. What a dead one has left is put in order.
    pub(crate) fn begin(path: &Path) -> Result<Option<Self>> {
        let aside = beside(path, "~key");
        let fail = |errno| os_error("name set", errno).on(path.display());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        loop {
            let file = retry(|| rustix::fs::open(&aside, flags, PRIVATE)).map_err(fail)?;
            let file = above_stdio(file)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(errno) => return Err(fail(errno)),
            }
            let ours = rustix::fs::fstat(&file).map_err(fail)?;
            match rustix::fs::lstat(&aside) {
                Ok(named) if Inode::from(&named) == Inode::from(&ours) => {}
                // Removed by who had the lock before us.
                Ok(_) | Err(Errno::NOENT) => continue,
                Err(errno) => return Err(fail(errno)),
            }
            rustix::fs::fchmod(&file, PRIVATE).map_err(fail)?;
            let making = Self {
                path: path.into(),
                file,
            };
            making.reclaim()?;
            return Ok(Some(making));
        }
    }

    /// Notes the key of the set, before the set is made.
    pub(crate) fn note(&self, key: i32) -> Result<()> {
        let text = format!("{key}\n");
        let noted = rustix::fs::ftruncate(&self.file, 0)
            .and_then(|()| retry(|| rustix::io::pwrite(&self.file, text.as_bytes(), 0)));
        noted.map(drop).map_err(|errno| self.fail(errno))
    }

    /// Gives the name to a set: whoever finds the file finds the whole id.
    pub(crate) fn publish(&self, set: &Set, key: i32) -> Result<()> {
        let fail = |errno| self.fail(errno);
        let aside = beside(&self.path, "~new");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = retry(|| rustix::fs::open(&aside, flags, PRIVATE)).map_err(fail)?;
        let file = above_stdio(file)?;
        rustix::fs::fchmod(&file, PRIVATE).map_err(fail)?;
        let text = format!("{} {key}\n", set.id());
        retry(|| rustix::io::write(&file, text.as_bytes())).map_err(fail)?;
        rustix::fs::linkat(CWD, &aside, CWD, &self.path, AtFlags::empty()).map_err(fail)
    }

    /// Takes the name away.
    pub(crate) fn remove(&self) -> Result<()> {
        let removed = rustix::fs::unlinkat(CWD, &self.path, AtFlags::empty());
        removed.map_err(|errno| os_error("unlink set", errno).on(self.path.display()))
    }

    /// Removes the set that a dead maker had made and not yet named.
    fn reclaim(&self) -> Result<()> {
        let mut text = [0; 16];
        let length = retry(|| rustix::io::pread(&self.file, &mut text, 0));
        let length = length.map_err(|errno| self.fail(errno))?;
        let text = std::str::from_utf8(&text[..length]).ok();
        let Some(key) = text.and_then(|text| text.trim_end().parse::<i32>().ok()) else {
            return Ok(());
        };
        if read(&self.path).is_ok_and(|(_, named)| named == key) {
            return Ok(());
        }
        if let Some(id) = sys::find_set(key)
            && sys::stat_set(id)?.sem_perm.uid == rustix::process::geteuid().as_raw()
        {
            sys::remove_set(id)?;
        }
        Ok(())
    }

    fn fail(&self, errno: Errno) -> Error {
        os_error("name set", errno).on(self.path.display())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // The key last, and before the lock.
        for end in ["~new", "~key"] {
            let _ = rustix::fs::unlinkat(CWD, beside(&self.path, end), AtFlags::empty());
        }
    }
}

/// The id and the key that the file of a name holds.
pub(crate) fn read(path: &Path) -> Result<(i32, i32)> {
    let fail = |errno| os_error("open set", errno).on(path.display());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = retry(|| rustix::fs::open(path, flags, Mode::empty())).map_err(fail)?;
    let file = above_stdio(file)?;
    let mut text = [0; 64];
    let length = retry(|| rustix::io::read(&file, &mut text)).map_err(fail)?;
    let text = std::str::from_utf8(&text[..length]).ok();
    let numbers = text.and_then(|text| text.trim_end().split_once(' '));
    let numbers = numbers.map(|(id, key)| (id.parse::<i32>(), key.parse::<i32>()));
    match numbers {
        Some((Ok(id), Ok(key))) => Ok((id, key)),
        _ => Err(Error::new("open set", ErrorKind::Corrupt)
            .on(path.display())
            .hint("its file does not hold the id of a set")),
    }
}

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A file that no [`Name`](ipc_core::Name) means.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}
