//! Files that are being written under a name of their own, and are renamed when they are whole.
//!
//! Their writer holds a lock on them. One without a holder was left by a dead writer, and is
//! removed by the next who starts.

use crate::sys;
use crate::vfs::{How, Kind, Vfs, VfsFile, failed, write_all};
use ipc_core::{Error, Result};
use ipc_sys::crash_point;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The place that a writer holds.
const WRITER: Range<u8> = 0..1;
const DIGITS: usize = 16;

/// The temporary names of one purpose: a prefix, then sixteen hexadecimal digits.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Where they stand; empty for the directory itself.
    directory: PathBuf,
    prefix: Vec<u8>,
}

impl Names {
    pub(crate) fn new(directory: &Path, prefix: impl Into<Vec<u8>>) -> Self {
        Self {
            directory: directory.into(),
            prefix: prefix.into(),
        }
    }

    /// Whether `name` is one of them and nothing else.
    pub(crate) fn include(&self, name: &OsStr) -> bool {
        let digits = name.as_bytes().strip_prefix(self.prefix.as_slice());
        digits.is_some_and(|digits| {
            digits.len() == DIGITS
                && (digits.iter()).all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    fn fresh(&self) -> Result<PathBuf> {
        let mut name = self.prefix.clone();
        name.extend_from_slice(format!("{:016x}", sys::random()?).as_bytes());
        Ok(self.directory.join(OsString::from_vec(name)))
    }

    /// Removes those whose writers have died.
    pub(crate) fn sweep(&self, operation: &'static str, vfs: &dyn Vfs) -> Result<()> {
        let listed = vfs.list(&self.directory);
        let names = listed.map_err(|error| failed(operation, &self.directory, &error))?;
        for name in names.iter().filter(|name| self.include(name)) {
            let path = self.directory.join(name);
            // What cannot be looked at, or is no file of ours, is somebody else's: it stays.
            let _ = remove_dead(vfs, &path);
        }
        Ok(())
    }
}

fn remove_dead(vfs: &dyn Vfs, path: &Path) -> io::Result<()> {
    let found = vfs.identity(path)?;
    if !found.is_some_and(|found| found.kind == Kind::File && found.ours) {
        return Ok(());
    }
    let file = vfs.open(path, How::Write)?;
    let found = file.identity()?;
    if found.kind != Kind::File || !found.ours || !file.lock(WRITER, true, false)? {
        return Ok(());
    }
    // Its writer is dead, or has not locked it yet: that one will find its name gone and take
    // another. Renamed it is not, since only the holder of the lock does that.
    if vfs.identity(path)?.is_some_and(|named| named.is(&found)) {
        vfs.unlink(path)?;
    }
    Ok(())
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Temporary<'a> {
    vfs: &'a dyn Vfs,
    file: Box<dyn VfsFile>,
    path: PathBuf,
    operation: &'static str,
    renamed: bool,
}

impl<'a> Temporary<'a> {
    /// Makes one.
    pub(crate) fn create(
        operation: &'static str,
        vfs: &'a dyn Vfs,
        names: &Names,
        mode: u32,
    ) -> Result<Self> {
        loop {
            let path = names.fresh()?;
            let fail = |error: io::Error| failed(operation, &path, &error);
            let file = match vfs.open(&path, How::Create(mode)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(fail(error)),
            };
            crash_point!("temporary.created");
            // Somebody who starts may have taken it for a dead writer's: then another name.
            if !file.lock(WRITER, true, false).map_err(fail)? {
                continue;
            }
            let (named, found) = (vfs.identity(&path), file.identity());
            let found = found.map_err(fail)?;
            if named.map_err(fail)?.is_some_and(|named| named.is(&found)) {
                return Ok(Self {
                    vfs,
                    file,
                    path,
                    operation,
                    renamed: false,
                });
            }
        }
    }

    /// Writes `bytes` and makes them durable.
    pub(crate) fn fill(&self, bytes: &[u8]) -> Result<()> {
        write_all(self.file.as_ref(), bytes, 0).map_err(|error| self.fail(&error))?;
        crash_point!("temporary.written");
        self.file.sync_all().map_err(|error| self.fail(&error))?;
        crash_point!("temporary.synced");
        Ok(())
    }

    /// Gives it its name, in place of whatever has that.
    pub(crate) fn rename(mut self, to: &Path) -> Result<()> {
        let renamed = self.vfs.rename(&self.path, to);
        renamed.map_err(|error| self.fail(&error))?;
        self.renamed = true;
        crash_point!("temporary.renamed");
        Ok(())
    }

    /// Gives it its name, where nothing has that.
    pub(crate) fn rename_new(mut self, to: &Path) -> Result<()> {
        let renamed = self.vfs.rename_new(&self.path, to);
        renamed.map_err(|error| failed(self.operation, to, &error))?;
        self.renamed = true;
        crash_point!("temporary.named");
        Ok(())
    }

    fn fail(&self, error: &io::Error) -> Error {
        failed(self.operation, &self.path, error)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = self.vfs.unlink(&self.path);
        }
    }
}
