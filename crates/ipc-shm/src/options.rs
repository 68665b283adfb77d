//! How a region is made or attached.

use crate::{Backing, Protection, Region};
use crate::{anonymous, attach, named};
use ipc_core::{Mode, Name, Result, Until};
use ipc_sys::RuntimeDirectory;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How a region is made or attached. Without a name: [`anonymous`](Options::anonymous),
/// [`attach`](Options::attach); named: [`create`](Options::create), [`open`](Options::open),
/// [`open_or_create`](Options::open_or_create).
///
/// ```
/// let region = ipc_shm::Options::new().size_bytes(1 << 16).anonymous()?;
/// region.write_at(100, b"hello")?;
/// let mut copy = [0; 5];
/// region.read_at(100, &mut copy)?;
/// assert_eq!(&copy, b"hello");
/// # Ok::<(), ipc_shm::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) backing: Option<Backing>,
    pub(crate) size_bytes: usize,
    pub(crate) max_bytes: Option<usize>,
    pub(crate) layout: u64,
    pub(crate) protection: Protection,
    pub(crate) narrowable: bool,
    pub(crate) read_only: bool,
    pub(crate) any_word: bool,
    pub(crate) trust_peers: bool,
    pub(crate) foreign_owner: bool,
    pub(crate) replace_stale: bool,
    pub(crate) unlink_on_drop: bool,
    pub(crate) prefault: bool,
    mode: Option<u32>,
    directory: Option<PathBuf>,
}

impl Options {
    /// A fixed size that is still to be said, readable and writable for all who get it, private
    /// to the user.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What holds the bytes. Without a name the default is [`Backing::Memory`], with one
    /// [`Backing::Posix`].
    pub fn backing(&mut self, backing: Backing) -> &mut Self {
        self.backing = Some(backing);
        self
    }

    /// How many bytes a region that is made has: 1 to
    /// [`MAX_SIZE_BYTES`](crate::MAX_SIZE_BYTES), all of them reserved at once. A region that is
    /// opened or attached has the size it was made with.
    pub fn size_bytes(&mut self, bytes: usize) -> &mut Self {
        self.size_bytes = bytes;
        self
    }

    /// Lets the region grow, while it is mapped, up to so many bytes: [`Region::grow`]. Sealed
    /// memory only. Addresses are taken at once, memory as it grows.
    pub fn growable_to_bytes(&mut self, bytes: usize) -> &mut Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// The identity of what the bytes mean, from [`layout!`](crate::layout!): written into the
    /// header of a region that is made, demanded of one that is opened. 0 demands nothing.
    pub fn layout(&mut self, layout: u64) -> &mut Self {
        self.layout = layout;
        self
    }

    /// What others may do with a region that is made, by seals that no process can take off.
    pub fn protection(&mut self, protection: Protection) -> &mut Self {
        self.protection = protection;
        self
    }

    /// Lets [`Region::protect`] narrow the protection later. Whoever holds the descriptor can
    /// narrow it too, so it is off by default.
    pub fn narrowable(&mut self, narrowable: bool) -> &mut Self {
        self.narrowable = narrowable;
        self
    }

    /// Makes a region that programs of any word size may attach, and attaches one: for layouts of
    /// fields of fixed widths alone.
    pub fn any_word(&mut self, any_word: bool) -> &mut Self {
        self.any_word = any_word;
        self
    }

    /// Attaches or opens for reading alone, enforced by the memory unit: a stray store of this
    /// process faults, and a verb that writes says [`Denied`](ipc_core::ErrorKind::Denied).
    pub fn read_only(&mut self, read_only: bool) -> &mut Self {
        self.read_only = read_only;
        self
    }

    /// Trusts every process that can open the object not to truncate it, or to change what is
    /// lent by [`Region::view`]. Named memory and files are then mapped, instead of read and
    /// written by system calls. A peer that breaks the trust ends this process by SIGBUS.
    pub fn trust_peers(&mut self, trust: bool) -> &mut Self {
        self.trust_peers = trust;
        self
    }

    /// Permission bits of a named object or a System V segment that is made, exactly these whatever
    /// the umask; 0600 by default.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// Opens an object that belongs to another user than ourselves or root, or that strangers
    /// may write to, too. Off by default.
    pub fn foreign_owner(&mut self, accept: bool) -> &mut Self {
        self.foreign_owner = accept;
        self
    }

    /// Lets [`create`](Options::create) replace an object to which no living process is
    /// attached, the leftover of one that was killed.
    pub fn replace_stale(&mut self, replace: bool) -> &mut Self {
        self.replace_stale = replace;
        self
    }

    /// Removes the name when the last handle of the process that made the object is dropped. A
    /// forked child's handles leave it alone.
    pub fn unlink_on_drop(&mut self, unlink: bool) -> &mut Self {
        self.unlink_on_drop = unlink;
        self
    }

    /// Takes the page faults when the region is mapped, not at the first use of each page.
    pub fn prefault(&mut self, prefault: bool) -> &mut Self {
        self.prefault = prefault;
        self
    }

    /// Where the key files of named System V segments stand, instead of the user's runtime
    /// directory. It must belong to the user alone (0700); it is made if missing.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// A region without a name: a peer gets it by its descriptor ([`Region::as_fd`]), a System V
    /// one by its [`id`](Region::id).
    ///
    /// # Errors
    /// [`NoSpace`](ipc_core::ErrorKind::NoSpace) or
    /// [`LimitReached`](ipc_core::ErrorKind::LimitReached) where the bytes cannot be reserved;
    /// [`InvalidInput`](ipc_core::ErrorKind::InvalidInput) for a size out of range or a backing
    /// that needs a name; [`Unsupported`](ipc_core::ErrorKind::Unsupported) for huge pages on a
    /// host that has none.
    pub fn anonymous(&self) -> Result<Region> {
        anonymous::make(self)
    }

    /// Attaches the region behind a descriptor that a peer gave, after checking that the peer
    /// cannot take its pages away.
    ///
    /// # Errors
    /// [`Denied`](ipc_core::ErrorKind::Denied) where it is not sealed against shrinking or not
    /// wholly reserved; [`WrongType`](ipc_core::ErrorKind::WrongType) where it is no memory;
    /// [`Corrupt`](ipc_core::ErrorKind::Corrupt) where its header is not that of a region, its
    /// size is not what the header says, or its layout is another.
    pub fn attach(&self, fd: OwnedFd) -> Result<Region> {
        attach::attach(fd, self)
    }

    /// Attaches the System V segment `id` that a peer has made.
    ///
    /// # Errors
    /// As [`attach`](Options::attach); [`NotFound`](ipc_core::ErrorKind::NotFound) where there
    /// is no such segment.
    pub fn attach_id(&self, id: i32) -> Result<Region> {
        crate::system_v::attach_id(id, self)
    }

    /// Makes the object `name`, which must be new: a POSIX or System V name, or a file's path.
    ///
    /// An object whose creator died before it was whole is no object: it is taken over.
    ///
    /// # Errors
    /// [`AlreadyExists`](ipc_core::ErrorKind::AlreadyExists) where anything has this name;
    /// [`NoSpace`](ipc_core::ErrorKind::NoSpace) where the bytes cannot be reserved.
    pub fn create(&self, name: impl AsRef<Path>) -> Result<Region> {
        named::create(name.as_ref(), self)
    }

    ipc_core::four_forms! {
        /// Opens the object `name`, which must exist. While a living process is still making it,
        /// this waits for it to be whole.
        ///
        /// # Errors
        /// [`NotFound`](ipc_core::ErrorKind::NotFound) where there is none, or where its creator
        /// died before it was whole; [`WrongType`](ipc_core::ErrorKind::WrongType) where
        /// something else has this name (a link is not followed);
        /// [`Denied`](ipc_core::ErrorKind::Denied) where it belongs to another user or strangers
        /// may write to it; [`Corrupt`](ipc_core::ErrorKind::Corrupt) where its header is wrong.
        open / try_open / open_timeout / open_deadline
            = open_until(name: impl AsRef<Path>) -> Region
    }

    ipc_core::four_forms! {
        /// Opens the object `name`, or makes it; of many racing creators one makes it.
        ///
        /// # Errors
        /// As [`open`](Options::open) and [`create`](Options::create).
        open_or_create / try_open_or_create / open_or_create_timeout / open_or_create_deadline
            = open_or_create_until(name: impl AsRef<Path>) -> Region
    }

    /// Makes the segment `os_id` of [`size_bytes`](Options::size_bytes) for programs that use
    /// the crate `shared_memory`, which must be new. Such programs know no header and no seals:
    /// they are trusted not to truncate it.
    ///
    /// # Errors
    /// As [`create`](Options::create).
    #[cfg(feature = "shared-memory")]
    pub fn create_trusted_shared_memory(&self, os_id: &str) -> Result<Region> {
        crate::upstream::create(os_id, self)
    }

    /// Opens the segment `os_id` that a program has made with the crate `shared_memory`. It is
    /// trusted not to truncate it: if it does, this process ends by SIGBUS.
    ///
    /// # Errors
    /// As [`open`](Options::open), but that there is no header to check.
    #[cfg(feature = "shared-memory")]
    pub fn open_trusted_shared_memory(&self, os_id: &str) -> Result<Region> {
        crate::upstream::open(os_id, self)
    }

    /// Removes the object `name` whoever made it; those attached keep it. The user's word, so no
    /// check of who lives.
    ///
    /// # Errors
    /// [`NotFound`](ipc_core::ErrorKind::NotFound); as [`open`](Options::open) for what is not a
    /// region's object.
    pub fn unlink(&self, name: impl AsRef<Path>) -> Result<()> {
        named::unlink(name.as_ref(), self)
    }

    /// Whether a living process is attached to the object `name`.
    ///
    /// # Errors
    /// As [`open`](Options::open).
    pub fn is_live(&self, name: impl AsRef<Path>) -> Result<bool> {
        named::is_live(name.as_ref(), self)
    }

    fn open_until(&self, name: impl AsRef<Path>, until: Until) -> Result<Region> {
        named::open(name.as_ref(), self, until)
    }

    fn open_or_create_until(&self, name: impl AsRef<Path>, until: Until) -> Result<Region> {
        named::open_or_create(name.as_ref(), self, until)
    }

    pub(crate) fn checked_mode(&self) -> Result<Mode> {
        self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)
    }

    pub(crate) fn directory_path_of(&self, name: &Name) -> Result<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        Ok(directory.path_of(name))
    }
}
