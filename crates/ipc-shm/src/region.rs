//! A region: bytes that several processes share, reached without ever trusting them.

use crate::header::{HEADER_BYTES, Header};
use crate::named::Name;
use crate::sys::{Mapping, Unchanging};
use crate::{Backing, Options, file};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::os_error;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Bytes that several processes share. A clone is a second handle of the same mapping.
///
/// Reading copies out and writing copies in; no reference to what a peer may write is ever
/// handed out, but for atomics. A copy that races with a writer is a mixture of old and new
/// bytes: bring an order with atomics, or with a lock.
///
/// ```
/// use std::sync::atomic::Ordering;
/// let region = ipc_shm::Options::new().size_bytes(4096).anonymous()?;
/// region.write_at(8, b"ready")?;
/// region.atomic_u32(0)?.store(5, Ordering::Release);
/// let peer = ipc_shm::Region::from_fd(region.to_fd()?)?;
/// let length = peer.atomic_u32(0)?.load(Ordering::Acquire);
/// let mut copy = vec![0; length as usize];
/// peer.read_at(8, &mut copy)?;
/// assert_eq!(copy, b"ready");
/// # Ok::<(), ipc_shm::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Region(pub(crate) Arc<Inner>);

/// What all handles of a region share.
#[derive(Debug)]
pub(crate) struct Inner {
    // Unmapped before the name goes and the descriptor's locks are dropped.
    pub(crate) memory: Memory,
    pub(crate) name: Option<Name>,
    pub(crate) fd: Option<OwnedFd>,
    pub(crate) header: Header,
    pub(crate) backing: Backing,
    pub(crate) writable: bool,
    pub(crate) segment: Option<i32>,
    pub(crate) unchanging: Option<Unchanging>,
    len: AtomicUsize,
}

/// How the bytes are reached.
#[derive(Debug)]
pub(crate) enum Memory {
    /// They cannot go away, or the caller has said that nobody takes them.
    Mapped(Mapping),
    /// By system calls, which say in an error what a mapping says by SIGBUS.
    Called,
}

impl Inner {
    pub(crate) fn new(memory: Memory, fd: Option<OwnedFd>, header: Header, len: usize) -> Self {
        let writable = match &memory {
            Memory::Mapped(mapping) => mapping.is_writable(),
            Memory::Called => true,
        };
        Self {
            memory,
            name: None,
            fd,
            header,
            backing: Backing::Memory,
            writable,
            segment: None,
            unchanging: None,
            len: AtomicUsize::new(len),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    pub(crate) fn raise_len(&self, len: usize) {
        self.len.fetch_max(len, Ordering::AcqRel);
    }
}

impl From<Inner> for Region {
    fn from(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Region {
    /// Attaches the region behind a descriptor that a peer gave, with the default options.
    ///
    /// # Errors
    /// As [`Options::attach`].
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        Options::new().attach(fd)
    }

    /// Copies the bytes at `offset` into `buffer`, all of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] beyond the end; [`ErrorKind::Corrupt`] where a peer has
    /// truncated an object that cannot be sealed.
    #[inline]
    pub fn read_at(&self, offset: usize, buffer: &mut [u8]) -> Result<()> {
        let at = self.range("read", offset, buffer.len())?;
        match &self.0.memory {
            Memory::Mapped(mapping) => mapping.read(at, buffer),
            Memory::Called => file::read(self.fd("read")?, at, buffer)?,
        }
        Ok(())
    }

    /// Copies `bytes` to `offset`, all of them.
    ///
    /// # Errors
    /// As [`read_at`](Region::read_at); [`ErrorKind::Denied`] where the region is read-only here.
    #[inline]
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let at = self.range("write", offset, bytes.len())?;
        if !self.0.writable {
            return Err(read_only("write"));
        }
        match &self.0.memory {
            Memory::Mapped(mapping) => mapping.write(at, bytes),
            Memory::Called => file::write(self.fd("write")?, at, bytes, self.end())?,
        }
        Ok(())
    }

    /// The word at `offset`, which is a multiple of 4, shared by all processes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] beyond the end or off the alignment; [`ErrorKind::Denied`]
    /// where the region is read-only here (take [`load_u32`](Region::load_u32));
    /// [`ErrorKind::Unsupported`] where it is not mapped.
    #[inline]
    pub fn atomic_u32(&self, offset: usize) -> Result<&AtomicU32> {
        let (mapping, at) = self.word("atomic", offset, 4, true)?;
        Ok(mapping.atomic_u32(at))
    }

    /// The double word at `offset`, which is a multiple of 8, shared by all processes.
    ///
    /// # Errors
    /// As [`atomic_u32`](Region::atomic_u32).
    #[inline]
    pub fn atomic_u64(&self, offset: usize) -> Result<&AtomicU64> {
        let (mapping, at) = self.word("atomic", offset, 8, true)?;
        Ok(mapping.atomic_u64(at))
    }

    /// Loads the word at `offset`, a multiple of 4, in a read-only region too.
    ///
    /// # Errors
    /// As [`atomic_u32`](Region::atomic_u32), but for `Denied`.
    ///
    /// # Panics
    /// For an `order` that only a store has, as the atomic's own load.
    #[inline]
    pub fn load_u32(&self, offset: usize, order: Ordering) -> Result<u32> {
        let (mapping, at) = self.word("load", offset, 4, false)?;
        Ok(mapping.atomic_u32(at).load(order))
    }

    /// Loads the double word at `offset`, a multiple of 8, in a read-only region too.
    ///
    /// # Errors
    /// As [`load_u32`](Region::load_u32).
    ///
    /// # Panics
    /// As [`load_u32`](Region::load_u32).
    #[inline]
    pub fn load_u64(&self, offset: usize, order: Ordering) -> Result<u64> {
        let (mapping, at) = self.word("load", offset, 8, false)?;
        Ok(mapping.atomic_u64(at).load(order))
    }

    /// Looks again whether the region is what it was: its size, its header, its pages all
    /// there. What a peer has scribbled over the user's bytes it cannot see.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] says what is wrong.
    pub fn verify(&self) -> Result<()> {
        let corrupt = |why| Err(Error::new("verify", ErrorKind::Corrupt).hint(why));
        // A segment of another crate's programs has no header.
        if self.0.header.start != 0 && self.header_now()? != self.0.header {
            return corrupt("its header is another region's now");
        }
        let Ok(fd) = self.as_fd() else {
            // The size of a System V segment is the kernel's word.
            return Ok(());
        };
        let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("verify", errno))?;
        let end = self.end() as u64;
        if (stat.st_size as u64) < end {
            return corrupt("a peer has truncated it");
        }
        if self.0.backing != Backing::File && !file::is_reserved(&stat, end) {
            return corrupt("a peer has punched a hole into it");
        }
        Ok(())
    }

    /// Removes the name, where this process made the object and the name still means it; whether
    /// it did. Those attached keep the region.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] without the right to write to the directory;
    /// [`ErrorKind::WouldBlock`] while another process is replacing it.
    pub fn unlink(&self) -> Result<bool> {
        match (&self.0.name, &self.0.fd) {
            (Some(name), Some(fd)) => name.unlink(fd.as_fd(), self.0.segment),
            _ => Ok(false),
        }
    }

    /// How many bytes it has now.
    #[must_use]
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// How many bytes it may grow to; [`len_bytes`](Region::len_bytes) where it does not grow.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.0.header.max_bytes
    }

    /// Where its first byte stands in the object behind its descriptor:
    /// [`DATA_OFFSET`](crate::DATA_OFFSET), or 64 where the region is
    /// [small](crate::SMALL_REGION_BYTES).
    #[must_use]
    pub fn data_offset(&self) -> usize {
        self.0.header.start
    }

    /// The identity of its layout, 0 where its maker said none.
    #[must_use]
    pub fn layout(&self) -> u64 {
        self.0.header.layout
    }

    /// What holds the bytes.
    #[must_use]
    pub fn backing(&self) -> Backing {
        self.0.backing
    }

    /// Whether this process can only read it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        !self.0.writable
    }

    /// Whether its bytes are mapped, so that there are atomics; else each access is a system
    /// call.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(self.0.memory, Memory::Mapped(_))
    }

    /// Its descriptor. Whoever gets a copy has all rights of this one; see
    /// [`to_read_only_fd`](Region::to_read_only_fd).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a System V segment, which has none.
    pub fn as_fd(&self) -> Result<BorrowedFd<'_>> {
        match self.0.backing {
            Backing::SystemV => Err(Error::new("descriptor", ErrorKind::Unsupported)
                .hint("a System V segment has no descriptor: pass its id")),
            _ => self.fd("descriptor"),
        }
    }

    /// The id of a System V segment, by which a peer attaches it.
    #[must_use]
    pub fn id(&self) -> Option<i32> {
        self.0.segment
    }

    pub(crate) fn mapping(&self, operation: &'static str) -> Result<&Mapping> {
        match &self.0.memory {
            Memory::Mapped(mapping) => Ok(mapping),
            Memory::Called => Err(Error::new(operation, ErrorKind::Unsupported).hint(
                "an object that a peer may truncate is not mapped: take sealed memory, or say \
                 Options::trust_peers",
            )),
        }
    }

    fn header_now(&self) -> Result<Header> {
        let mut bytes = [0; HEADER_BYTES];
        match &self.0.memory {
            Memory::Mapped(mapping) => mapping.read(0, &mut bytes),
            Memory::Called => file::read(self.fd("verify")?, 0, &mut bytes)?,
        }
        Header::decode(&bytes, 0)
    }

    /// Checks that `len` bytes at `offset` are inside, and says where they are in the object.
    #[inline]
    pub(crate) fn range(
        &self,
        operation: &'static str,
        offset: usize,
        len: usize,
    ) -> Result<usize> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len_bytes() => Ok(offset + self.0.header.start),
            _ => Err(self.beyond(operation, offset, len)),
        }
    }

    fn word(
        &self,
        operation: &'static str,
        offset: usize,
        bytes: usize,
        write: bool,
    ) -> Result<(&Mapping, usize)> {
        let at = self.range(operation, offset, bytes)?;
        if !offset.is_multiple_of(bytes) {
            return Err(Error::new(operation, ErrorKind::InvalidInput)
                .hint(format!("offset {offset} is not a multiple of {bytes}")));
        }
        let mapping = self.mapping(operation)?;
        if write && !self.0.writable {
            return Err(read_only(operation));
        }
        Ok((mapping, at))
    }

    #[cold]
    fn beyond(&self, operation: &'static str, offset: usize, len: usize) -> Error {
        Error::new(operation, ErrorKind::InvalidInput).hint(format!(
            "{len} bytes at {offset} are not inside a region of {}",
            self.len_bytes()
        ))
    }

    /// Where the object ends now.
    pub(crate) fn end(&self) -> usize {
        self.0.header.start + self.len_bytes()
    }

    fn fd(&self, operation: &'static str) -> Result<BorrowedFd<'_>> {
        let fd = self.0.fd.as_ref().map(AsFd::as_fd);
        fd.ok_or_else(|| Error::new(operation, ErrorKind::Unsupported))
    }
}

#[cold]
pub(crate) fn read_only(operation: &'static str) -> Error {
    Error::new(operation, ErrorKind::Denied).hint("the region is read-only in this process")
}
