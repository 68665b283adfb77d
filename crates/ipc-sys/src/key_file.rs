//! A file that leads from a name to a System V object: its key, written before the object is made.

use crate::{above_stdio, os_error, retry};
use ipc_core::{Error, ErrorKind, Result};
use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
/// `key state`: eight hexadecimal digits, a space, a digit and a line break.
const LENGTH: usize = 11;

/// What a key file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key of the object, positive and random: nobody has it by chance, as `ftok` keys are
    /// had, and nobody can take it first.
    pub number: i32,
    /// Whether the object was made whole. If not, its maker is at work or has died.
    pub is_ready: bool,
}

/// A key file, locked: one process at a time makes or removes the object of a name.
///
/// A maker writes the key, makes the object under it, and marks the file. Killed at any point it
/// leaves a file by which the next maker, or whoever removes the name, finds what there is.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    locked: OwnedFd,
    key: Option<Key>,
}

impl KeyFile {
    /// Opens the key file at `path` without locking it; `None` where its maker has died, or is
    /// about to write the key.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Corrupt`] where it has no key;
    /// [`ErrorKind::WrongType`] where it is no file; [`ErrorKind::Denied`] for another user's.
    pub fn read(path: &Path) -> Result<Option<Key>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = retry(|| rustix::fs::open(path, flags, Mode::empty()))
            .map_err(|errno| os_error("open key file", errno).on(path.display()))?;
        let file = check(above_stdio(file)?, path)?;
        content(&file, path)
    }

    /// Locks the key file at `path`, made where it is missing. It waits for who has it locked, a
    /// few system calls.
    ///
    /// # Errors
    /// As [`read`](KeyFile::read).
    pub fn lock(path: &Path) -> Result<Self> {
        Self::acquire(path, OFlags::CREATE)
    }

    /// Locks the key file at `path`, which must exist.
    ///
    /// # Errors
    /// As [`read`](KeyFile::read).
    pub fn lock_existing(path: &Path) -> Result<Self> {
        Self::acquire(path, OFlags::empty())
    }

    /// What it says; `None` where nothing was written yet.
    #[must_use]
    pub const fn key(&self) -> Option<Key> {
        self.key
    }

    /// Writes a fresh key, of an object that is not made yet.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] and the like.
    pub fn begin(&mut self) -> Result<i32> {
        // The highest bit is left out, which has no meaning but looks like an error in tools; the
        // lowest is set, since 0 is the key of objects without one.
        let random = RandomState::new().build_hasher().finish() as u32;
        let number = (random & 0x7fff_ffff | 1) as i32;
        self.write(Key {
            number,
            is_ready: false,
        })?;
        Ok(number)
    }

    /// Marks the object as whole.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] before [`begin`](KeyFile::begin); else as that.
    pub fn finish(mut self) -> Result<()> {
        let key = self.key.ok_or_else(|| {
            Error::new("finish key file", ErrorKind::InvalidInput).hint("it was not begun")
        })?;
        self.write(Key {
            is_ready: true,
            ..key
        })
    }

    /// Removes the file; whoever waits for its lock makes a new one.
    ///
    /// # Errors
    /// As unlink(2).
    pub fn remove(self) -> Result<()> {
        rustix::fs::unlinkat(CWD, &self.path, AtFlags::empty())
            .map_err(|errno| os_error("unlink key file", errno).on(self.path.display()))
    }

    fn acquire(path: &Path, create: OFlags) -> Result<Self> {
        let fail = |errno| os_error("lock key file", errno).on(path.display());
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | create;
        loop {
            let locked = retry(|| rustix::fs::open(path, flags, PRIVATE)).map_err(fail)?;
            let locked = check(above_stdio(locked)?, path)?;
            retry(|| rustix::fs::flock(&locked, FlockOperation::LockExclusive)).map_err(fail)?;
            // Who had the lock before us may have removed the file: then ours has no name.
            let stat = rustix::fs::fstat(&locked).map_err(fail)?;
            if stat.st_nlink == 0 {
                continue;
            }
            // Whatever the umask took away.
            rustix::fs::fchmod(&locked, PRIVATE).map_err(fail)?;
            let key = content(&locked, path)?;
            return Ok(Self {
                path: path.into(),
                locked,
                key,
            });
        }
    }

    fn write(&mut self, key: Key) -> Result<()> {
        let text = format!("{:08x} {}\n", key.number, u8::from(key.is_ready));
        let written = retry(|| rustix::io::pwrite(&self.locked, text.as_bytes(), 0));
        match written {
            Ok(LENGTH) => {}
            Ok(_) => return Err(os_error("write key file", Errno::NOSPC).on(self.path.display())),
            Err(errno) => return Err(os_error("write key file", errno).on(self.path.display())),
        }
        self.key = Some(key);
        Ok(())
    }
}

fn content(file: &OwnedFd, path: &Path) -> Result<Option<Key>> {
    let mut text = [0; LENGTH + 1];
    let length = retry(|| rustix::io::pread(file, &mut text, 0))
        .map_err(|errno| os_error("read key file", errno).on(path.display()))?;
    match &text[..length] {
        [] => Ok(None),
        [digits @ .., b' ', state @ (b'0' | b'1'), b'\n']
            if digits.len() == 8 && digits.iter().all(u8::is_ascii_hexdigit) =>
        {
            let digits = std::str::from_utf8(digits).ok();
            let number = digits.and_then(|digits| i32::from_str_radix(digits, 16).ok());
            number
                .filter(|number| *number > 0)
                .map(|number| {
                    Some(Key {
                        number,
                        is_ready: *state == b'1',
                    })
                })
                .ok_or_else(|| corrupt(path))
        }
        _ => Err(corrupt(path)),
    }
}

fn corrupt(path: &Path) -> Error {
    Error::new("read key file", ErrorKind::Corrupt)
        .on(path.display())
        .hint("it does not hold the key of an object")
}

fn check(file: OwnedFd, path: &Path) -> Result<OwnedFd> {
    let stat =
        rustix::fs::fstat(&file).map_err(|e| os_error("open key file", e).on(path.display()))?;
    let refuse = |kind, why| {
        Err(Error::new("open key file", kind)
            .on(path.display())
            .hint(why))
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return refuse(ErrorKind::WrongType, "it is not a regular file");
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return refuse(ErrorKind::Denied, "it belongs to another user");
    }
    if stat.st_nlink > 1 {
        return refuse(ErrorKind::Denied, "it has a second name (hard link)");
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_and_marked_and_what_is_no_key_is_refused() {
        let dir = std::env::temp_dir().join(format!("ipc-sys-key-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let path = dir.join("a key");
        assert_eq!(
            KeyFile::read(&path).expect_err("none").kind(),
            ErrorKind::NotFound
        );
        let mut made = KeyFile::lock(&path).expect("new");
        assert_eq!(KeyFile::read(&path).expect("empty"), None);
        let number = made.begin().expect("written");
        let half = KeyFile::read(&path).expect("there").expect("a key");
        assert_eq!((half.number, half.is_ready), (number, false));
        made.finish().expect("written");
        let found = KeyFile::lock_existing(&path).expect("there");
        assert_eq!(found.key().map(|key| key.is_ready), Some(true));
        drop(found);
        for bad in [
            "x",
            "00000000 1\n",
            "ffffffff 1\n",
            "00000001 2\n",
            "00000001 1\n\n",
        ] {
            std::fs::write(&path, bad).expect("ours");
            let error = KeyFile::lock(&path).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad:?}");
            assert_eq!(
                KeyFile::read(&path).expect_err(bad).kind(),
                ErrorKind::Corrupt
            );
        }
        std::fs::write(&path, "").expect("ours");
        KeyFile::lock(&path).expect("there").remove().expect("ours");
        assert!(!path.exists());
        std::os::unix::fs::symlink("/etc/passwd", &path).expect("a link");
        assert_eq!(
            KeyFile::lock(&path).expect_err("a link").kind(),
            ErrorKind::WrongType
        );
        std::fs::remove_dir_all(&dir).expect("clean up");
    }
}
