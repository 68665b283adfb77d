//! Where a named object stands: at a path of the caller's, or under a name of the toolkit's.

use crate::path::{At, Inode};
use crate::{RuntimeDirectory, os_error};
use ipc_core::{Mode, Result};
use rustix::fs::{FileType, OFlags, Stat};
use std::ffi::OsStr;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where a named object stands.
///
/// A path of the caller's is looked up as it is, but its last component is never followed. A name
/// in a [`RuntimeDirectory`] is looked up beneath that directory's descriptor, through no link and
/// never out of it: whoever replaces the directory's own path from now on changes nothing.
///
/// It reads as the path it shows to people, and is made by [`ToPlace`].
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    directory: Option<RuntimeDirectory>,
}

impl Place {
    pub(crate) fn beneath(directory: RuntimeDirectory, name: &str) -> Self {
        Self {
            path: directory.path().join(name),
            directory: Some(directory),
        }
    }

    /// Opens what stands there for reference only, as [`open_place`](crate::open_place) does.
    ///
    /// # Errors
    /// As [`open_place`](crate::open_place).
    pub fn open_reference(&self, operation: &'static str) -> Result<(OwnedFd, Stat)> {
        self.at().open_reference(operation, &self.path)
    }

    /// Opens what stands there, a link in the last place never followed; `mode` is for what the
    /// call makes.
    ///
    /// # Errors
    /// As openat(2).
    pub fn open(&self, flags: OFlags, mode: u32) -> rustix::io::Result<OwnedFd> {
        self.at().open(flags, mode)
    }

    /// What stands there now, a link itself.
    ///
    /// # Errors
    /// As fstatat(2).
    pub fn stat(&self) -> rustix::io::Result<Stat> {
        self.at().stat()
    }

    /// Makes a FIFO there; the umask narrows its mode.
    ///
    /// # Errors
    /// As mkfifoat(3).
    pub fn make_fifo(&self, operation: &'static str, mode: Mode) -> Result<()> {
        let made = self.at().make_fifo(mode);
        made.map_err(|errno| os_error(operation, errno).on(self.path.display()))
    }

    /// Unlinks what stands there where it is still `inode`; whether it did.
    ///
    /// # Errors
    /// As unlinkat(2), but a name that is gone is no error.
    pub fn unlink_same(&self, operation: &'static str, inode: Inode) -> Result<bool> {
        self.at().unlink_same(operation, &self.path, inode)
    }

    /// Unlinks what this process has just made there and could not open, as where it has no
    /// descriptor left: only what is of this kind and this user's.
    pub fn unlink_unopened(&self, kind: FileType) {
        let Ok(stat) = self.stat() else { return };
        let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
        if is_own && FileType::from_raw_mode(stat.st_mode) == kind {
            let _ = self.unlink_same("unlink", Inode::from(&stat));
        }
    }

    /// The place beside it whose name has `suffix` more.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> Self {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        Self {
            path: path.into(),
            directory: self.directory.clone(),
        }
    }

    /// The same place whatever directory the process goes to.
    #[must_use]
    pub fn absolute(self) -> Self {
        Self {
            path: std::path::absolute(&self.path).unwrap_or(self.path),
            ..self
        }
    }

    /// Whether it is a name of ours, and its directory is held.
    #[must_use]
    pub const fn is_beneath_a_directory(&self) -> bool {
        self.directory.is_some()
    }

    /// Whether the path still leads to the directory that is held; true for a path of the
    /// caller's. For calls that take only a path: asked before and after, it tells that a
    /// directory was replaced, though it cannot keep anybody from doing so.
    #[must_use]
    pub fn path_leads_here(&self) -> bool {
        let Some(directory) = &self.directory else {
            return true;
        };
        let at_path = rustix::fs::lstat(directory.path());
        let held = rustix::fs::fstat(directory);
        match (at_path, held) {
            (Ok(at_path), Ok(held)) => Inode::from(&at_path) == Inode::from(&held),
            _ => false,
        }
    }

    /// The path, for people and for other programs.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at(&self) -> At<'_> {
        match &self.directory {
            None => At::path(&self.path),
            Some(directory) => {
                let name = self.path.file_name().unwrap_or(OsStr::new("."));
                At::beneath(directory.as_fd(), Path::new(name))
            }
        }
    }
}

impl Deref for Place {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.path
    }
}

/// What can stand where a named object is asked for: a [`Place`], or anything that is a path.
pub trait ToPlace {
    /// The place.
    fn to_place(&self) -> Place;
}

impl ToPlace for Place {
    fn to_place(&self) -> Place {
        self.clone()
    }
}

impl ToPlace for &Place {
    fn to_place(&self) -> Place {
        (*self).clone()
    }
}

impl<P: AsRef<Path>> ToPlace for P {
    fn to_place(&self) -> Place {
        Place {
            path: self.as_ref().to_path_buf(),
            directory: None,
        }
    }
}
