//! A message of a spool that this process has claimed.

use crate::vfs::{Vfs, VfsFile, failed, read_full};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::crash_point;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A message that nobody else has, until this is dropped or its process dies: then another may
/// claim it, unless it was [finished](Claim::finish).
#[derive(Debug)]
#[must_use = "the message is given back at once"]
pub struct Claim {
    vfs: Arc<dyn Vfs>,
    /// Its lock is the claim.
    file: Box<dyn VfsFile>,
    path: PathBuf,
    returned: bool,
    max_bytes: usize,
}

impl Claim {
    pub(crate) fn new(
        vfs: Arc<dyn Vfs>,
        file: Box<dyn VfsFile>,
        path: PathBuf,
        returned: bool,
        max_bytes: usize,
    ) -> Self {
        Self {
            vfs,
            file,
            path,
            returned,
            max_bytes,
        }
    }

    /// The message.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) above this process's limit.
    pub fn read(&self) -> Result<Vec<u8>> {
        let path = self.vfs.shown(&self.path);
        let fail = |error: io::Error| failed("read message", &path, &error);
        let length = self.file.len().map_err(fail)?;
        if length > self.max_bytes as u64 {
            return Err(Error::new("read message", ErrorKind::TooLarge)
                .on(path.display())
                .hint(format!(
                    "it has {length} bytes, the limit is {} (Options::max_bytes)",
                    self.max_bytes
                )));
        }
        let mut bytes = vec![0; length as usize];
        let read = read_full(self.file.as_ref(), &mut bytes, 0).map_err(fail)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Whether somebody had claimed it before, and died or let go of it: the work may have been
    /// begun, or even done.
    #[must_use]
    pub fn was_returned(&self) -> bool {
        self.returned
    }

    /// Removes the message, and returns when that is durable: it is never claimed again.
    ///
    /// # Errors
    /// After an error it may be claimed again.
    pub fn finish(self) -> Result<()> {
        let path = self.vfs.shown(&self.path);
        let fail = |error: io::Error| failed("finish", &path, &error);
        crash_point!("spool.finishing");
        self.vfs.unlink(&self.path).map_err(fail)?;
        crash_point!("spool.finished");
        // Both: a power loss could bring it back where the move to `cur` was not durable.
        self.vfs.sync_directory(Path::new("cur")).map_err(fail)?;
        self.vfs.sync_directory(Path::new("new")).map_err(fail)
    }
}
