//! A file that is replaced as a whole: whoever reads it sees the old one or the new one.

use crate::segment::lock;
use crate::temporary::{Names, Temporary};
use crate::vfs::{How, Kind, Vfs, check_file, failed, read_full, shown};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::crash_point;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A file that is replaced atomically.
///
/// A reader, this crate's or any other program, sees the old content or the new, never a mixture,
/// also after a power loss. Of several writers at once the last one wins.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("ipc document doc {}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// let settings = ipc_file::open_document(dir.join("settings"))?;
/// settings.replace(b"colour = blue")?;
/// assert_eq!(settings.read()?, b"colour = blue");
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), ipc_file::Error>(())
/// ```
#[derive(Debug)]
pub struct Document {
    vfs: Arc<dyn Vfs>,
    name: PathBuf,
    mode: u32,
    max_bytes: usize,
    names: Names,
    /// Making a replacement durable has failed.
    over: Mutex<bool>,
}

impl Document {
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        name: &Path,
        mode: u32,
        max_bytes: usize,
    ) -> Result<Self> {
        // A hash of the name, which itself may be as long as a name can be.
        let prefix = format!(
            ".ipc-replace.{:08x}.",
            crc32c::crc32c(name.as_os_str().as_bytes())
        );
        let names = Names::new(Path::new(""), prefix);
        names.sweep("open document", vfs.as_ref())?;
        let document = Self {
            vfs,
            name: name.into(),
            mode,
            max_bytes,
            names,
            over: Mutex::new(false),
        };
        document.check("open document")?;
        Ok(document)
    }

    /// Replaces the content by `bytes`, and returns when that is durable. The permission bits
    /// stay as they are.
    ///
    /// # Errors
    /// [`WrongType`](ErrorKind::WrongType) and [`Denied`](ErrorKind::Denied) where something else
    /// has taken the name; [`NoSpace`](ErrorKind::NoSpace): the old content stays;
    /// [`Closed`](ErrorKind::Closed), from then on, where making it durable has failed: after a
    /// power loss the content is the old or the new.
    pub fn replace(&self, bytes: &[u8]) -> Result<()> {
        let named = |error| shown(self.vfs.as_ref(), &self.name, error);
        self.put(bytes).map_err(named)
    }

    /// Reads the content, whole: what one replacement wrote.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) before the first replacement;
    /// [`TooLarge`](ErrorKind::TooLarge) above the limit.
    pub fn read(&self) -> Result<Vec<u8>> {
        let named = |error| shown(self.vfs.as_ref(), &self.name, error);
        self.content().map_err(named)
    }

    fn put(&self, bytes: &[u8]) -> Result<()> {
        const OPERATION: &str = "replace";
        let mut over = lock(&self.over);
        if *over {
            return Err(self.failed_for_good());
        }
        let mode = self.check(OPERATION)?.unwrap_or(self.mode);
        let vfs = self.vfs.as_ref();
        // Who replaces a document has never heard of the file that takes its place.
        let named = |error: Error| error.on(self.name.display());
        let new = Temporary::create(OPERATION, vfs, &self.names, mode).map_err(named)?;
        if let Err(error) = new.fill(bytes) {
            // A full disk says so in the write, or in the fsync; the old content is untouched.
            *over = error.kind() != ErrorKind::NoSpace;
            return Err(named(error));
        }
        new.rename(&self.name).map_err(named)?;
        if let Err(error) = vfs.sync_directory(Path::new("")) {
            *over = true;
            return Err(self.failed_for_good().caused_by(error));
        }
        crash_point!("document.replaced");
        Ok(())
    }

    fn content(&self) -> Result<Vec<u8>> {
        const OPERATION: &str = "read document";
        let fail = |error: io::Error| failed(OPERATION, &self.name, &error);
        self.check_kind(OPERATION)?;
        let file = self.vfs.open(&self.name, How::Read).map_err(fail)?;
        let found = file.identity().map_err(fail)?;
        if found.kind != Kind::File {
            return Err(Error::new(OPERATION, ErrorKind::WrongType).on(self.name.display()));
        }
        let length = file.len().map_err(fail)?;
        if length > self.max_bytes as u64 {
            return Err(Error::new(OPERATION, ErrorKind::TooLarge)
                .on(self.name.display())
                .hint(format!(
                    "it has {length} bytes, the limit is {} (Options::max_bytes)",
                    self.max_bytes
                )));
        }
        let mut bytes = vec![0; length as usize];
        let read = read_full(file.as_ref(), &mut bytes, 0).map_err(fail)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// The permission bits of what stands at the name, which must be replaceable.
    fn check(&self, operation: &'static str) -> Result<Option<u32>> {
        let found = self.vfs.identity(&self.name);
        match found.map_err(|error| failed(operation, &self.name, &error))? {
            // Replaced by another writer between the look at the name and the look at the file.
            Some(found) if found.names == 0 => Ok(Some(found.mode)),
            Some(found) => check_file(operation, &self.name, &found).map(|()| Some(found.mode)),
            None => Ok(None),
        }
    }

    fn check_kind(&self, operation: &'static str) -> Result<()> {
        let found = self.vfs.identity(&self.name);
        match found.map_err(|error| failed(operation, &self.name, &error))? {
            Some(found) if found.kind != Kind::File => check_file(operation, &self.name, &found),
            _ => Ok(()),
        }
    }

    fn failed_for_good(&self) -> Error {
        Error::new("replace", ErrorKind::Closed)
            .on(self.name.display())
            .hint("making it durable has failed, which is final: open it again")
    }
}
