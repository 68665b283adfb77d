//! Where a named object stands, and what may stand there.

use crate::{Backing, Options};
use ipc_core::{Error, ErrorKind, Name, Result};
use ipc_sys::{Inode, above_stdio, open_at, open_place, os_error, retry, set_mode};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where shm_open(3) keeps its objects on Linux.
const POSIX_DIRECTORY: &str = "/dev/shm";
const ROOT: u32 = 0;

/// The path of the object `name`, or of the key file of a System V segment.
pub(crate) fn path_of(name: &Path, options: &Options) -> Result<PathBuf> {
    let checked = || match name.to_str() {
        Some(name) => Name::new(name),
        None => Err(Error::new("name", ErrorKind::InvalidInput)
            .on(name.display())
            .hint("a name has only A-Z, a-z, 0-9, dot, underscore and dash")),
    };
    match options.backing {
        None | Some(Backing::Posix) => Ok(Path::new(POSIX_DIRECTORY).join(checked()?.as_str())),
        Some(Backing::SystemV) => options.directory_path_of(&checked()?),
        Some(Backing::File | Backing::Memory | Backing::HugePages) => Ok(name.to_path_buf()),
    }
}

/// Makes an empty file at `path`, which must be new.
pub(crate) fn make(path: &Path, options: &Options) -> Result<OwnedFd> {
    options.checked_mode()?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match retry(|| rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)) {
        Ok(fd) => above_stdio(fd),
        Err(Errno::NOENT) if options.backing.unwrap_or(Backing::Posix) == Backing::Posix => {
            Err(Error::new("create", ErrorKind::Unsupported)
                .on(path.display())
                .hint("this host has no POSIX shared memory (/dev/shm is not mounted)"))
        }
        Err(errno) => Err(os_error("create", errno).on(path.display())),
    }
}

/// Opens the file at `path` if it may be one of ours; a link is never followed.
pub(crate) fn open(path: &Path, options: &Options, write: bool) -> Result<OwnedFd> {
    let (place, stat) = open_place("open", path)?;
    check(path, &stat, options)?;
    let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let mut opened = open_at(place.as_fd(), access);
    // A maker that died before it had set the mode has left what its umask left of 0600.
    if opened.as_ref().err() == Some(&Errno::ACCESS) && stat.st_size == 0 && owned_by_us(&stat) {
        set_mode("open", &place, ipc_core::Mode::PRIVATE)?;
        opened = open_at(place.as_fd(), access);
    }
    match opened {
        Ok(fd) => above_stdio(fd),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::new("open", ErrorKind::Unsupported)
            .on(path.display())
            .hint("opening a named object safely needs /proc, which is not mounted")),
        Err(errno) => Err(os_error("open", errno).on(path.display())),
    }
}

/// Whether `path` still means what `fd` refers to.
pub(crate) fn is_at(path: &Path, fd: BorrowedFd<'_>) -> Result<bool> {
    let ours = rustix::fs::fstat(fd).map_err(|errno| os_error("open", errno))?;
    match rustix::fs::lstat(path) {
        Ok(named) => Ok(Inode::from(&named) == Inode::from(&ours)),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(os_error("open", errno).on(path.display())),
    }
}

fn check(path: &Path, stat: &Stat, options: &Options) -> Result<()> {
    let refuse = |kind, why: String| Err(Error::new("open", kind).on(path.display()).hint(why));
    let found = FileType::from_raw_mode(stat.st_mode);
    if found != FileType::RegularFile {
        let why = format!("it is {}; a link is never followed", describe(found));
        return refuse(ErrorKind::WrongType, why);
    }
    let ours = [ROOT, rustix::process::geteuid().as_raw()].contains(&stat.st_uid);
    if !ours && !options.foreign_owner {
        let why = format!(
            "it belongs to user {}; Options::foreign_owner accepts it where that is meant",
            stat.st_uid
        );
        return refuse(ErrorKind::Denied, why);
    }
    let mode = options.checked_mode()?;
    if mode.lets_strangers_write(stat.st_mode) && !options.foreign_owner {
        let why = format!(
            "its mode {:#o} lets others write to it; Options::mode accepts it where that is meant",
            stat.st_mode & 0o777
        );
        return refuse(ErrorKind::Denied, why);
    }
    // None is a name that was removed a moment ago: the caller looks again.
    if stat.st_nlink > 1 {
        let why = format!("it has {} names (hard links)", stat.st_nlink);
        return refuse(ErrorKind::Denied, why);
    }
    Ok(())
}

fn owned_by_us(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
}

fn describe(found: FileType) -> &'static str {
    match found {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Socket => "a socket",
        FileType::Fifo => "a FIFO",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something else",
    }
}
