//! What durable code needs of a directory: a trait, so that a test can be the disk.

use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// What kind of object stands at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a FIFO, a socket, a device.
    Other,
}

/// Which object it is, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file system.
    pub device: u64,
    /// The object on it.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// How many names it has.
    pub names: u64,
    /// Whether it belongs to the effective user.
    pub ours: bool,
    /// Its permission bits.
    pub mode: u32,
}

impl Identity {
    /// Whether both are the same object, whatever else has changed.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// How a file is opened. The last component of its name is never followed through a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// What is there, to be read.
    Read,
    /// What is there, to be read and written.
    Write,
    /// A new one with these permission bits, to be read and written.
    Create(u32),
}

/// A directory with files, and one level of directories in it: the disk, or a test's imitation.
///
/// Every name is relative to it. What [`Log`](crate::Log), [`Document`](crate::Document) and
/// [`Spool`](crate::Spool) make durable, they make so by these calls alone, in the order in
/// which they are made here.
pub trait Vfs: Debug + Send + Sync {
    /// How a name is shown in errors: as the path that leads to it, where that is known.
    fn shown(&self, name: &Path) -> PathBuf {
        name.to_owned()
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As open(2).
    fn open(&self, name: &Path, how: How) -> io::Result<Box<dyn VfsFile>>;
    /// What stands at a name, if anything; a link in the last place is not followed.
    ///
    /// # Errors
    /// As stat(2).
    fn identity(&self, name: &Path) -> io::Result<Option<Identity>>;
    /// Renames, replacing what stands at `to`.
    ///
    /// # Errors
    /// As rename(2).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames, where nothing stands at `to`.
    ///
    /// # Errors
    /// As rename(2); `AlreadyExists` where something does.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name.
    ///
    /// # Errors
    /// As unlink(2).
    fn unlink(&self, name: &Path) -> io::Result<()>;
    /// Makes a directory with mode 0700, or gives that mode to one that exists.
    ///
    /// # Errors
    /// As mkdir(2).
    fn make_directory(&self, name: &Path) -> io::Result<()>;
    /// The names in a directory; the empty name is the directory itself.
    ///
    /// # Errors
    /// As readdir(3).
    fn list(&self, name: &Path) -> io::Result<Vec<OsString>>;
    /// Makes the names of a directory durable; the empty name is the directory itself.
    ///
    /// # Errors
    /// As fsync(2). A failed one is final.
    fn sync_directory(&self, name: &Path) -> io::Result<()>;
}

/// An open file of a [`Vfs`].
pub trait VfsFile: Debug + Send + Sync {
    /// Reads at an offset; 0 at the end.
    ///
    /// # Errors
    /// As pread(2).
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset, perhaps fewer bytes than there are.
    ///
    /// # Errors
    /// As pwrite(2).
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts it, or lengthens it with zeros.
    ///
    /// # Errors
    /// As ftruncate(2).
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Its length.
    ///
    /// # Errors
    /// As fstat(2).
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    ///
    /// # Errors
    /// As fstat(2).
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Makes its bytes durable, and its length.
    ///
    /// # Errors
    /// As fdatasync(2). A failed one is final: the next may succeed and lie.
    fn sync(&self) -> io::Result<()>;
    /// As [`sync`](VfsFile::sync), and its permissions and times too.
    ///
    /// # Errors
    /// As fsync(2).
    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }
    /// Sets its permission bits.
    ///
    /// # Errors
    /// As fchmod(2).
    fn set_mode(&self, mode: u32) -> io::Result<()>;
    /// Which file it is.
    ///
    /// # Errors
    /// As fstat(2).
    fn identity(&self) -> io::Result<Identity>;
    /// Locks some of 256 places for this open file, shared or alone; false where another has one
    /// of them and is not waited for.
    ///
    /// # Errors
    /// As fcntl(2).
    fn lock(&self, places: Range<u8>, alone: bool, wait: bool) -> io::Result<bool>;
    /// Gives the locks of some places back.
    ///
    /// # Errors
    /// As fcntl(2).
    fn unlock(&self, places: Range<u8>) -> io::Result<()>;
    /// Whether another open file holds one of these places.
    ///
    /// # Errors
    /// As fcntl(2).
    fn others_lock(&self, places: Range<u8>) -> io::Result<bool>;
    /// The descriptor, where there is one.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// The lock of some places, given back on drop.
#[derive(Debug)]
pub(crate) struct PlaceLock<'a> {
    file: &'a dyn VfsFile,
    places: Range<u8>,
}

impl<'a> PlaceLock<'a> {
    /// Waits for the places, alone.
    pub(crate) fn wait(file: &'a dyn VfsFile, places: Range<u8>) -> io::Result<Self> {
        file.lock(places.clone(), true, true)?;
        Ok(Self { file, places })
    }

    /// The places, alone, where nobody has one of them.
    pub(crate) fn attempt(file: &'a dyn VfsFile, places: Range<u8>) -> io::Result<Option<Self>> {
        let taken = file.lock(places.clone(), true, false)?;
        Ok(taken.then_some(Self { file, places }))
    }
}

impl Drop for PlaceLock<'_> {
    fn drop(&mut self) {
        let _ = self.file.unlock(self.places.clone());
    }
}

/// Writes all of `bytes`.
pub(crate) fn write_all(file: &dyn VfsFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.write_at(bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

/// Reads until `buffer` is full or the file ends.
pub(crate) fn read_full(file: &dyn VfsFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// The error of `operation` on `name` for what the system said.
pub(crate) fn failed(operation: &'static str, name: &Path, error: &io::Error) -> Error {
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    let at = name.display();
    match errno {
        Errno::STALE => Error::new(operation, ErrorKind::NotFound)
            .on(at)
            .caused_by(errno.into())
            .hint("it was removed or replaced on its server: open it again"),
        Errno::NXIO => Error::new(operation, ErrorKind::WrongType)
            .on(at)
            .caused_by(errno.into()),
        errno => os_error(operation, errno).on(at),
    }
}

/// The error as a caller knows its object: by the path that leads to it, or to `name` where it has
/// none. What polling loops build stays as it is, and takes no memory.
pub(crate) fn shown(vfs: &dyn Vfs, name: &Path, error: Error) -> Error {
    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
        return error;
    }
    let path = vfs.shown(error.object().map_or(name, Path::new));
    error.on(path.display())
}

/// Refuses what is no regular file of our own with one name.
pub(crate) fn check_file(operation: &'static str, name: &Path, found: &Identity) -> Result<()> {
    let refuse = |kind, why| Err(Error::new(operation, kind).on(name.display()).hint(why));
    match found {
        Identity { kind, .. } if *kind != Kind::File => refuse(
            ErrorKind::WrongType,
            "something that is no regular file has this name (a link, a FIFO, a directory …)",
        ),
        Identity { ours: false, .. } => refuse(ErrorKind::Denied, "it belongs to another user"),
        Identity { names: 2.., .. } => {
            refuse(ErrorKind::Denied, "it has a second name (hard link)")
        }
        _ => Ok(()),
    }
}
