//! What a descriptor from a peer must be before its bytes are mapped.

use crate::header::{HEADER_BYTES, Header};
use crate::protection::{Protection, protection_of, seals_of};
use crate::region::{Inner, Memory};
use crate::sys::{Mapping, Unchanging};
use crate::{Backing, Options, Region, file};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, crash_point, os_error};
use rustix::fs::{FileType, OFlags, SealFlags};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// `TMPFS_MAGIC` of linux/magic.h: a memory file, or an object of /dev/shm.
const TMPFS: i64 = 0x0102_1994;
/// `HUGETLBFS_MAGIC`.
const HUGETLBFS: i64 = 0x9584_58f6;

pub(crate) fn attach(fd: OwnedFd, options: &Options) -> Result<Region> {
    let fd = above_stdio(fd)?;
    let may_write = access(fd.as_fd())?;
    let backing = backing_of(fd.as_fd(), options)?;
    let seals = seals_of(fd.as_fd());
    check_seals(seals, backing, options)?;
    let header = read_header(fd.as_fd(), options.layout)?.expected_by(options)?;
    if !header.is_growable() && !seals.contains(SealFlags::GROW) && !options.trust_peers {
        return Err(refused(
            ErrorKind::Denied,
            "it is not sealed against growing",
        ));
    }
    if options
        .max_bytes
        .is_some_and(|most| header.max_bytes > most)
    {
        return Err(refused(
            ErrorKind::TooLarge,
            "it may grow to more than Options::growable_to_bytes accepts",
        ));
    }
    // Sealed against shrinking: what is seen from here on stays at least this.
    let len = grown_len(fd.as_fd(), &header, backing)?;
    let stat = rustix::fs::fstat(&fd).map_err(|errno| os_error("attach", errno))?;
    let total = header.total_bytes(backing, len)? as u64;
    if backing != Backing::File && !file::is_reserved(&stat, total) {
        return Err(refused(
            ErrorKind::Denied,
            "its pages are not all reserved: a hole was left or punched",
        ));
    }
    let sealed = protection_of(seals) != Protection::ReadWrite;
    let writable = may_write && !sealed && !options.read_only;
    let whole = header.total_bytes(backing, header.max_bytes)?;
    let mapping = Mapping::of_descriptor(fd.as_fd(), whole, writable, options.prefault)?;
    crash_point!("shm.attach.mapped");
    let mut unchanging = Unchanging::by_seal(&fd);
    if unchanging.is_none() && options.trust_peers && !writable {
        unchanging = Some(Unchanging::by_trust());
    }
    let mut inner = Inner::new(Memory::Mapped(mapping), Some(fd), header, len);
    inner.backing = backing;
    inner.unchanging = unchanging;
    Ok(inner.into())
}

/// How many of the user's bytes a growing region has by now, checked against its header.
pub(crate) fn grown_len(fd: BorrowedFd<'_>, header: &Header, backing: Backing) -> Result<usize> {
    let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("attach", errno))?;
    let size = usize::try_from(stat.st_size).unwrap_or(0);
    let (least, most) = (
        header.total_bytes(backing, header.size_bytes)?,
        header.total_bytes(backing, header.max_bytes)?,
    );
    if size < least || size > most {
        let why = format!("the object has {size} bytes, its header says {least} to {most}");
        return Err(Error::new("attach", ErrorKind::Corrupt).hint(why));
    }
    Ok(match header.is_growable() {
        // Huge pages round up: never beyond what was allowed.
        true => (size - header.start).min(header.max_bytes),
        false => header.size_bytes,
    })
}

/// Copies the header out of `fd` and checks the copy.
pub(crate) fn read_header(fd: BorrowedFd<'_>, layout: u64) -> Result<Header> {
    let mut bytes = [0; HEADER_BYTES];
    file::read(fd, 0, &mut bytes)
        .map_err(|_| refused(ErrorKind::Corrupt, "it is shorter than a header"))?;
    Header::decode(&bytes, layout)
}

pub(crate) fn refused(kind: ErrorKind, why: &'static str) -> Error {
    Error::new("attach", kind).hint(why)
}

/// Whether the descriptor may write; one that may not read is refused.
fn access(fd: BorrowedFd<'_>) -> Result<bool> {
    let flags = rustix::fs::fcntl_getfl(fd).map_err(|errno| os_error("attach", errno))?;
    if flags.contains(OFlags::PATH) {
        return Err(refused(
            ErrorKind::WrongType,
            "the descriptor is for reference only (O_PATH)",
        ));
    }
    match flags & OFlags::RWMODE {
        OFlags::RDWR => Ok(true),
        OFlags::RDONLY => Ok(false),
        _ => Err(refused(
            ErrorKind::Denied,
            "the descriptor cannot be read from",
        )),
    }
}

fn backing_of(fd: BorrowedFd<'_>, options: &Options) -> Result<Backing> {
    let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("attach", errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refused(ErrorKind::WrongType, "it is not shared memory"));
    }
    let system = rustix::fs::fstatfs(fd).map_err(|errno| os_error("attach", errno))?;
    match system.f_type as i64 {
        TMPFS => Ok(Backing::Memory),
        HUGETLBFS => Ok(Backing::HugePages),
        _ if options.trust_peers => Ok(Backing::File),
        _ => Err(refused(
            ErrorKind::WrongType,
            "it is a file on a disk, which its owner may truncate",
        )),
    }
}

fn check_seals(seals: SealFlags, backing: Backing, options: &Options) -> Result<()> {
    if options.trust_peers {
        return Ok(());
    }
    if !seals.contains(SealFlags::SHRINK) {
        return Err(refused(
            ErrorKind::Denied,
            "it is not sealed against shrinking, so its maker could take the pages away",
        ));
    }
    if backing == Backing::HugePages && protection_of(seals) == Protection::ReadWrite {
        return Err(refused(
            ErrorKind::Denied,
            "huge pages that others may punch out again are gone when the host has no more: \
             make it Protection::ReadOnly, or say Options::trust_peers",
        ));
    }
    Ok(())
}
