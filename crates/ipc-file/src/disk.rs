//! The real disk: a directory that is open, and the files in it.

use crate::sys::{self, Bytes, Hold};
use crate::vfs::{How, Identity, Kind, Vfs, VfsFile, failed};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, retry};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Where the places of locks stand: far behind any byte that a file can have.
const LOCKS_AT: i64 = i64::MAX - 4096;

/// A directory, held open: what happens to its own name does not matter any more.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: OwnedFd,
    /// What the caller knows it by, for errors only.
    path: PathBuf,
}

impl Disk {
    /// Opens a directory; its path may lead through links.
    pub(crate) fn open(operation: &'static str, path: &Path) -> Result<Self> {
        // An empty parent is the directory that the process works in.
        let at = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = retry(|| rustix::fs::open(at, flags, Mode::empty()))
            .map_err(|errno| failed(operation, at, &errno.into()))?;
        Ok(Self {
            directory: above_stdio(directory).map_err(|error| error.on(at.display()))?,
            path: path.to_owned(),
        })
    }

    /// The directory of `path` and the name in it, which may have any bytes.
    pub(crate) fn of(operation: &'static str, path: &Path) -> Result<(Self, PathBuf)> {
        let bytes = path.as_os_str().as_bytes();
        let name = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or(bytes);
        if matches!(name, b"" | b"." | b"..") {
            return Err(Error::new(operation, ErrorKind::InvalidInput)
                .on(path.display())
                .hint("a path needs the name of a file at its end"));
        }
        let parent = OsStr::from_bytes(&bytes[..bytes.len() - name.len()]);
        let disk = Self::open(operation, Path::new(parent))?;
        Ok((disk, PathBuf::from(OsStr::from_bytes(name))))
    }

    /// Opens a file.
    pub(crate) fn open_file(&self, name: &Path, how: How) -> io::Result<DiskFile> {
        let (flags, mode) = match how {
            How::Read => (OFlags::RDONLY, 0),
            How::Write => (OFlags::RDWR, 0),
            How::Create(mode) => (OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, mode),
        };
        let mode = Mode::from_raw_mode(mode);
        let fd = above_stdio(self.openat(name, flags, mode)?).map_err(io::Error::from)?;
        if matches!(how, How::Create(_)) {
            // Whatever the umask took away.
            rustix::fs::fchmod(&fd, mode)?;
        }
        Ok(DiskFile(fd))
    }

    /// A directory in it, which is not followed through a link.
    pub(crate) fn open_directory(&self, name: &Path) -> io::Result<Self> {
        let fd = self.openat(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let directory = above_stdio(fd).map_err(io::Error::from)?;
        Ok(Self {
            directory,
            path: self.path.join(name),
        })
    }

    /// Its own identity.
    pub(crate) fn stat(&self) -> io::Result<Identity> {
        Ok(identity(&rustix::fs::fstat(&self.directory)?))
    }

    fn openat(&self, name: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
        let mut flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if !flags.contains(OFlags::PATH) {
            // To open a FIFO would wait.
            flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
        }
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let within = || rustix::fs::openat2(&self.directory, name, flags, mode, beneath);
        match retry(within) {
            // A sandbox that does not know the call; names of ours have no links to follow but
            // in directories that only their owner can change.
            Err(Errno::NOSYS | Errno::PERM) => {
                retry(|| rustix::fs::openat(&self.directory, name, flags, mode))
            }
            outcome => outcome,
        }
    }
}

impl Vfs for Disk {
    fn shown(&self, name: &Path) -> PathBuf {
        if name.as_os_str().is_empty() {
            return self.path.clone();
        }
        self.path.join(name)
    }

    fn open(&self, name: &Path, how: How) -> io::Result<Box<dyn VfsFile>> {
        Ok(Box::new(self.open_file(name, how)?))
    }

    fn identity(&self, name: &Path) -> io::Result<Option<Identity>> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(identity(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat(
            &self.directory,
            from,
            &self.directory,
            to,
        )?)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (directory, flags) = (&self.directory, rustix::fs::RenameFlags::NOREPLACE);
        match rustix::fs::renameat_with(directory, from, directory, to, flags) {
            Ok(()) => Ok(()),
            // A file system without it, such as NFS: two names for a moment.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(directory, from, directory, to, AtFlags::empty())?;
                self.unlink(from)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn unlink(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(
            &self.directory,
            name,
            AtFlags::empty(),
        )?)
    }

    fn make_directory(&self, name: &Path) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.directory, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        // Whatever the umask took away; by a descriptor, which needs no right to read.
        let place = self.openat(name, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        ipc_sys::set_mode("make directory", &place, ipc_core::Mode::new(0o700)?)?;
        Ok(())
    }

    fn list(&self, name: &Path) -> io::Result<Vec<OsString>> {
        let name = if name.as_os_str().is_empty() {
            Path::new(".")
        } else {
            name
        };
        let fd = self.openat(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    fn sync_directory(&self, name: &Path) -> io::Result<()> {
        if name.as_os_str().is_empty() {
            return Ok(retry(|| rustix::fs::fsync(&self.directory))?);
        }
        let fd = self.openat(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(retry(|| rustix::fs::fsync(&fd))?)
    }
}

impl AsFd for Disk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct DiskFile(pub(crate) OwnedFd);

impl VfsFile for DiskFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(retry(|| rustix::io::pread(&self.0, &mut *buffer, offset))?)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        Ok(retry(|| rustix::io::pwrite(&self.0, bytes, offset))?)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Ok(retry(|| rustix::fs::ftruncate(&self.0, length))?)
    }

    fn len(&self) -> io::Result<u64> {
        let length = rustix::fs::fstat(&self.0)?.st_size;
        Ok(u64::try_from(length).unwrap_or_default())
    }

    fn sync(&self) -> io::Result<()> {
        // Not again after EINTR by ourselves either: what it says is final.
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.0, Mode::from_raw_mode(mode))?)
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(identity(&rustix::fs::fstat(&self.0)?))
    }

    fn lock(&self, places: Range<u8>, alone: bool, wait: bool) -> io::Result<bool> {
        let hold = if alone { Hold::Exclusive } else { Hold::Shared };
        Ok(sys::lock_bytes(self.0.as_fd(), at(&places), hold, wait)?)
    }

    fn unlock(&self, places: Range<u8>) -> io::Result<()> {
        Ok(sys::unlock_bytes(self.0.as_fd(), at(&places))?)
    }

    fn others_lock(&self, places: Range<u8>) -> io::Result<bool> {
        Ok(sys::others_lock(self.0.as_fd(), at(&places))?)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

fn at(places: &Range<u8>) -> Bytes {
    Bytes {
        start: LOCKS_AT + i64::from(places.start),
        // A length of nought would be all that follows.
        length: i64::from(places.end.saturating_sub(places.start).max(1)),
    }
}

/// What stat(2) said, as far as it matters here.
pub(crate) fn identity(stat: &Stat) -> Identity {
    Identity {
        device: stat.st_dev,
        inode: stat.st_ino,
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            _ => Kind::Other,
        },
        names: stat.st_nlink,
        ours: stat.st_uid == rustix::process::geteuid().as_raw(),
        mode: stat.st_mode & 0o777,
    }
}
