//! Segments shared with programs that use the crate `shared_memory`.
//!
//! That crate only maps here. It would make a segment without reserving it, follow whoever took
//! the name first, and unlink by name what may be a newer owner's: all that is done by us.

use crate::header::{Header, MAX_SIZE_BYTES};
use crate::named::{ATTACHED, MAKER, Name, lock};
use crate::region::{Inner, Memory};
use crate::sys::{Lock, Mapping};
use crate::{Backing, Options, Region, file, place};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{os_error, unlink_same};
use shared_memory::ShmemConf;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

pub(crate) fn create(os_id: &str, options: &Options) -> Result<Region> {
    let header = Header::new(options)?;
    let (path, options) = posix(os_id, options)?;
    let fd = place::make(&path, &options)?;
    let made = fill(&fd, &options, header.size_bytes)
        .and_then(|()| map(os_id, &path, &fd, header.size_bytes));
    match made {
        Ok(mapping) => region(mapping, fd, path, header.size_bytes, Some(&options)),
        Err(error) => {
            let stat = rustix::fs::fstat(&fd).map_err(|errno| os_error("create", errno))?;
            let _ = unlink_same("unlink", &path, ipc_sys::Inode::from(&stat));
            Err(error.on(path.display()))
        }
    }
}

pub(crate) fn open(os_id: &str, options: &Options) -> Result<Region> {
    let (path, options) = posix(os_id, options)?;
    let fd = place::open(&path, &options, true)?;
    let stat = rustix::fs::fstat(&fd).map_err(|errno| os_error("open", errno))?;
    let refuse = |kind, why| Err(Error::new("open", kind).on(path.display()).hint(why));
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    match size {
        // Its maker names it first and gives it a size after.
        0 => {
            return refuse(
                ErrorKind::NotFound,
                "it has no size yet: its maker makes it still",
            );
        }
        _ if size > MAX_SIZE_BYTES => {
            return refuse(ErrorKind::TooLarge, "a region has at most 1 TiB");
        }
        _ => {}
    }
    // What its maker has not reserved is reserved now, so that no first touch lacks memory.
    file::reserve(fd.as_fd(), 0, size as u64).map_err(|error| error.on(path.display()))?;
    let mapping = map(os_id, &path, &fd, size)?;
    lock(fd.as_fd(), ATTACHED, Lock::Shared)?;
    region(mapping, fd, path, size, None)
}

fn posix(os_id: &str, options: &Options) -> Result<(PathBuf, Options)> {
    let mut options = options.clone();
    options.backing(Backing::Posix);
    if options.read_only {
        return Err(Error::new("open", ErrorKind::InvalidInput)
            .hint("the crate shared_memory maps for writing: read_only has no meaning here"));
    }
    Ok((place::path_of(Path::new(os_id), &options)?, options))
}

fn fill(fd: &OwnedFd, options: &Options, bytes: usize) -> Result<()> {
    for byte in [MAKER, ATTACHED] {
        lock(fd.as_fd(), byte, Lock::Shared)?;
    }
    let mode = rustix::fs::Mode::from_raw_mode(options.checked_mode()?.bits());
    rustix::fs::fchmod(fd, mode).map_err(|errno| os_error("create", errno))?;
    file::reserve(fd.as_fd(), 0, bytes as u64)
}

/// Lets the crate map what `fd` refers to, by its name.
fn map(os_id: &str, path: &Path, fd: &OwnedFd, bytes: usize) -> Result<Mapping> {
    // The crate takes the first free descriptor and never closes number 0.
    let mut low = Vec::new();
    while low.last().is_none_or(|fd: &OwnedFd| fd.as_raw_fd() < 2) {
        let copy = rustix::io::fcntl_dupfd_cloexec(fd, 0);
        let copy = copy.map_err(|errno| os_error("map", errno))?;
        if copy.as_raw_fd() > 2 {
            break;
        }
        low.push(copy);
    }
    let bare = os_id.strip_prefix('/').unwrap_or(os_id);
    let mapped = ShmemConf::new().os_id(format!("/{bare}")).open();
    let mapped = mapped.map_err(|error| {
        Error::new("map", ErrorKind::Other).hint(format!("shared_memory says: {error}"))
    })?;
    // The crate looked the name up once more, and asked for the size itself.
    if mapped.len() != bytes || !place::is_at(path, fd.as_fd())? {
        return Err(Error::new("map", ErrorKind::Corrupt)
            .hint("somebody replaced or resized the segment while it was opened"));
    }
    Mapping::of_upstream(mapped)
}

fn region(
    mapping: Mapping,
    fd: OwnedFd,
    path: PathBuf,
    size_bytes: usize,
    made: Option<&Options>,
) -> Result<Region> {
    let header = Header {
        size_bytes,
        max_bytes: size_bytes,
        layout: 0,
        detail: 0,
        // Such a segment has none of ours.
        start: 0,
        any_word: false,
    };
    let unlink = made.is_some_and(|options| options.unlink_on_drop);
    let name = Name::of(path, fd.as_fd(), made.is_some(), unlink)?;
    lock(fd.as_fd(), MAKER, Lock::Release)?;
    let mut inner = Inner::new(Memory::Mapped(mapping), Some(fd), header, size_bytes);
    inner.backing = Backing::Posix;
    inner.name = Some(name);
    Ok(inner.into())
}
