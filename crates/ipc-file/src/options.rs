//! How the objects of the crate are made.

use crate::disk::Disk;
use crate::{Document, Lock, Log, Reader, Spool, Vfs, Watch};
use ipc_core::{Mode, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How locks, documents, spools, logs and watches are made.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("ipc file options {}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// let mut options = ipc_file::Options::new();
/// options.mode(ipc_file::Mode::new(0o640)?);
/// options.open_document(dir.join("settings"))?.replace(b"colour = blue")?;
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), ipc_file::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    mode: Mode,
    max_bytes: usize,
    commit_window: Duration,
    polling: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::PRIVATE,
            max_bytes: crate::DEFAULT_MAX_BYTES,
            commit_window: Duration::from_millis(2),
            polling: None,
        }
    }
}

impl Options {
    /// Private files, records of at most 4 MiB, notification by the kernel.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Permission bits of a file that has to be made; 0600 where not set, whatever the umask.
    pub fn mode(&mut self, mode: Mode) -> &mut Self {
        self.mode = mode;
        self
    }

    /// The longest record of a log, message of a spool, or document that is read, in bytes.
    pub fn max_bytes(&mut self, bytes: usize) -> &mut Self {
        self.max_bytes = bytes.min(u32::MAX as usize);
        self
    }

    /// How long an append to a log waits at most for the other threads that appended together
    /// with it the last time; 2 ms where not set, and never longer than the last write and
    /// fdatasync took. One that works alone never waits.
    pub fn commit_window(&mut self, window: Duration) -> &mut Self {
        self.commit_window = window;
        self
    }

    /// Looks at each `interval` instead of being told: for file systems that do not notify.
    pub fn polling(&mut self, interval: Duration) -> &mut Self {
        // A timer of nought would be off.
        self.polling = Some(interval.max(Duration::from_millis(1)));
        self
    }

    /// Opens the file at `path` to be locked; it is made where it is missing.
    ///
    /// # Errors
    /// [`WrongType`](crate::ErrorKind::WrongType) for a link, a FIFO and the like;
    /// [`Denied`](crate::ErrorKind::Denied) for another user's file, or one with two names.
    pub fn open_lock(&self, path: impl AsRef<Path>) -> Result<Lock> {
        let (disk, name) = Disk::of("open lock", path.as_ref())?;
        let lock = Lock::open(disk, name, self.mode.bits());
        lock.map_err(|error| error.on(path.as_ref().display()))
    }

    /// Opens the document at `path`, which need not exist yet.
    ///
    /// # Errors
    /// As [`open_lock`](Options::open_lock).
    pub fn open_document(&self, path: impl AsRef<Path>) -> Result<Document> {
        let (disk, name) = Disk::of("open document", path.as_ref())?;
        let document = self.open_document_in(Arc::new(disk), &name);
        document.map_err(|error| error.on(path.as_ref().display()))
    }

    /// The same in a directory of the caller's making.
    ///
    /// # Errors
    /// As [`open_document`](Options::open_document).
    pub fn open_document_in(&self, vfs: Arc<dyn Vfs>, name: &Path) -> Result<Document> {
        Document::open(vfs, name, self.mode.bits(), self.max_bytes)
    }

    /// Opens the spool at `path`, a directory, which is made where it is missing.
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) where the directory is not the user's own, or others
    /// may enter it.
    pub fn open_spool(&self, path: impl AsRef<Path>) -> Result<Spool> {
        let spool = Spool::at(path.as_ref(), self.max_bytes, self.polling);
        spool.map_err(|error| error.on(path.as_ref().display()))
    }

    /// The same in a directory of the caller's making.
    ///
    /// # Errors
    /// As [`open_spool`](Options::open_spool).
    pub fn open_spool_in(&self, vfs: Arc<dyn Vfs>) -> Result<Spool> {
        Spool::open(vfs, None, self.max_bytes, self.polling)
    }

    /// Opens the log at `path` to append; it is made where it is missing.
    ///
    /// What a dead writer did not finish is cut off; see [`Log::recovery`].
    ///
    /// # Errors
    /// As [`open_lock`](Options::open_lock); [`Corrupt`](crate::ErrorKind::Corrupt) where it is no
    /// log, or one of another version or byte order; [`Closed`](crate::ErrorKind::Closed) where
    /// making it durable has failed and others still have it open.
    pub fn open_log(&self, path: impl AsRef<Path>) -> Result<Log> {
        let (disk, name) = Disk::of("open log", path.as_ref())?;
        let log = self.open_log_in(Arc::new(disk), &name);
        log.map_err(|error| error.on(path.as_ref().display()))
    }

    /// The same in a directory of the caller's making.
    ///
    /// # Errors
    /// As [`open_log`](Options::open_log).
    pub fn open_log_in(&self, vfs: Arc<dyn Vfs>, name: &Path) -> Result<Log> {
        let (mode, window) = (self.mode.bits(), self.commit_window);
        Log::open(vfs, name, mode, self.max_bytes, window)
    }

    /// Opens the log at `path` to read and follow it.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) before its first writer has made it;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where its file system tells of no changes
    /// and [`polling`](Options::polling) is not set; else as [`open_log`](Options::open_log).
    pub fn follow(&self, path: impl AsRef<Path>) -> Result<Reader> {
        let (disk, name) = Disk::of("follow log", path.as_ref())?;
        let reader = self.follow_in(Arc::new(disk), &name);
        reader.map_err(|error| error.on(path.as_ref().display()))
    }

    /// The same in a directory of the caller's making.
    ///
    /// # Errors
    /// As [`follow`](Options::follow).
    pub fn follow_in(&self, vfs: Arc<dyn Vfs>, name: &Path) -> Result<Reader> {
        Reader::open(&vfs, name, self.polling)
    }

    /// A watch over nothing yet.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) without descriptors or instances.
    pub fn watch(&self) -> Result<Watch> {
        Watch::new(self.polling)
    }
}
