//! What others may do with a region: a mask that is only ever narrowed, kept by seals.

use crate::region::Memory;
use crate::sys::{Mapping, Unchanging};
use crate::{Backing, Region};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, magic_path, os_error, retry};
use rustix::fs::{OFlags, SealFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// What a process that attaches a region from now on may do. It goes down this list, never up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Read and write: memory of many writers. A peer may zero it too, by punching holes.
    #[default]
    ReadWrite,
    /// Read. Mappings that were writable before stay so: memory of one writer. Nobody can make
    /// a descriptor of it writable again, or punch holes.
    ReadOnly,
    /// Nobody writes any more, and bytes can be lent ([`Region::view`]).
    Immutable,
}

impl Region {
    /// What others may do with it, as its seals say.
    ///
    /// # Errors
    /// As fcntl(2).
    pub fn protection(&self) -> Result<Protection> {
        match self.backing() {
            Backing::Memory | Backing::HugePages => {}
            Backing::Posix | Backing::SystemV | Backing::File => return Ok(Protection::ReadWrite),
        }
        Ok(protection_of(seals_of(self.as_fd()?)))
    }

    /// Narrows what others may do; asking for what is there already changes nothing.
    ///
    /// [`Protection::Immutable`] takes this process's own right to write, too, so this must be
    /// the only handle of the region, and no other process may have it mapped through a
    /// descriptor that may write.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for a wider one, without [`Options::narrowable`], with other
    /// handles or writers about; [`ErrorKind::Unsupported`] for memory that cannot be sealed.
    ///
    /// [`Options::narrowable`]: crate::Options::narrowable
    pub fn protect(&mut self, protection: Protection) -> Result<()> {
        let refuse = |kind, why| Err(Error::new("protect", kind).hint(why));
        let now = self.protection()?;
        if protection == now {
            return Ok(());
        }
        if protection < now {
            return refuse(ErrorKind::Denied, "a protection is only ever narrowed");
        }
        if !matches!(self.backing(), Backing::Memory | Backing::HugePages) {
            return refuse(
                ErrorKind::Unsupported,
                "only memory files can be sealed: take Backing::Memory",
            );
        }
        match protection {
            Protection::ReadWrite => Ok(()),
            Protection::ReadOnly => add_seals(self.as_fd()?, SealFlags::FUTURE_WRITE),
            Protection::Immutable => self.freeze(),
        }
    }

    fn freeze(&mut self) -> Result<()> {
        let Some(inner) = Arc::get_mut(&mut self.0) else {
            return Err(Error::new("protect", ErrorKind::Denied)
                .hint("another handle of this process still uses the region: drop it first"));
        };
        let fd = inner
            .fd
            .as_ref()
            .expect("memory files have a descriptor")
            .as_fd();
        let whole = inner.backing.total_bytes(inner.header.max_bytes)?;
        // The kernel refuses while any mapping is left that could be made writable: ours, too.
        inner.memory = Memory::Called;
        let sealed = add_seals(fd, SealFlags::WRITE | SealFlags::GROW)
            .and_then(|()| add_seals(fd, SealFlags::SEAL));
        if sealed.is_err() {
            // With FUTURE_WRITE on, what we have given up does not come back.
            match Mapping::of_descriptor(fd, whole, inner.writable, false) {
                Ok(mapping) => inner.memory = Memory::Mapped(mapping),
                Err(_) => inner.writable = false,
            }
        }
        sealed?;
        inner.writable = false;
        inner.memory = Memory::Mapped(Mapping::of_descriptor(fd, whole, false, false)?);
        inner.unchanging = Unchanging::by_seal(fd);
        Ok(())
    }

    /// A second descriptor of the region, to be given away with all its rights.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`]; [`ErrorKind::Unsupported`] for System V segments, which are
    /// passed by [`id`](Region::id).
    pub fn to_fd(&self) -> Result<OwnedFd> {
        let copy = rustix::io::fcntl_dupfd_cloexec(self.as_fd()?, 3);
        copy.map_err(|errno| os_error("duplicate descriptor", errno))
    }

    /// A descriptor of the region through which nothing can be written, to be given away. A
    /// process of the same user could open it again for writing, unless the region's
    /// [`protection`](Region::protection) is [`ReadOnly`](Protection::ReadOnly) or narrower; one
    /// of another user cannot in any case, since the object's mode is 0600.
    ///
    /// # Errors
    /// As [`to_fd`](Region::to_fd); [`ErrorKind::Unsupported`] where `/proc` is not mounted.
    pub fn to_read_only_fd(&self) -> Result<OwnedFd> {
        const OPERATION: &str = "reopen read-only";
        let path = magic_path(self.as_fd()?);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        match retry(|| rustix::fs::open(&path, flags, rustix::fs::Mode::empty())) {
            Ok(fd) => above_stdio(fd),
            Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::new(OPERATION, ErrorKind::Unsupported)
                .hint("this needs /proc, which is not mounted")),
            Err(errno) => Err(os_error(OPERATION, errno)),
        }
    }
}

/// The seals of what `fd` refers to; none where it cannot be sealed.
pub(crate) fn seals_of(fd: BorrowedFd<'_>) -> SealFlags {
    rustix::fs::fcntl_get_seals(fd).unwrap_or(SealFlags::empty())
}

pub(crate) fn protection_of(seals: SealFlags) -> Protection {
    if seals.contains(SealFlags::WRITE) {
        Protection::Immutable
    } else if seals.contains(SealFlags::FUTURE_WRITE) {
        Protection::ReadOnly
    } else {
        Protection::ReadWrite
    }
}

pub(crate) fn add_seals(fd: BorrowedFd<'_>, seals: SealFlags) -> Result<()> {
    match rustix::fs::fcntl_add_seals(fd, seals) {
        Ok(()) => Ok(()),
        Err(Errno::BUSY) => Err(os_error("protect", Errno::ACCESS)
            .hint("another process has the region mapped through a descriptor that may write")),
        Err(Errno::PERM) => Err(os_error("protect", Errno::PERM).hint(
            "the seals are final: say Options::narrowable when the region is made, \
             and use a descriptor that may write",
        )),
        Err(errno) => Err(os_error("protect", errno)),
    }
}
