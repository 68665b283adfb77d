//! The directory in which names of the toolkit live: the user's own, 0700, checked, and held.

use crate::path::{At, set_mode};
use crate::{Place, above_stdio, os_error};
use ipc_core::{Error, ErrorKind, Mode, Name, Result};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OPERATION: &str = "open runtime directory";
const CURE: &str = "name another with Options::directory";
/// The directory's own name.
const OURS: &str = "ipc";
const ROOT: u32 = 0;

/// A directory that belongs to the effective user alone, by a descriptor: what is checked here
/// is what is used later, whatever happens to its path.
#[derive(Clone, Debug)]
pub struct RuntimeDirectory {
    path: PathBuf,
    fd: Arc<OwnedFd>,
}

impl RuntimeDirectory {
    /// `ipc` under `$XDG_RUNTIME_DIR`, or under `/run` where that is not set or no absolute path;
    /// made where it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where it is not the effective user's alone or cannot be made, or
    /// where it would stand in a directory that others may write to, as `/tmp` is; the message
    /// names `Options::directory` as the way out.
    pub fn open() -> Result<Self> {
        let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let base = base
            .filter(|base| base.is_absolute())
            .unwrap_or_else(|| "/run".into());
        let held = open_base(&base)?;
        let at = At::beneath(held.as_fd(), Path::new(OURS));
        Self::open_checked(at, &base.join(OURS))
    }

    /// `path` itself as runtime directory; made where it is missing, its parent must exist.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where it is another user's, or others may enter it;
    /// [`ErrorKind::WrongType`] where it is a link or a file.
    pub fn open_at(path: &Path) -> Result<Self> {
        Self::open_checked(At::path(path), path)
    }

    /// Where the object `name` lives, to be opened beneath this directory's descriptor.
    #[must_use]
    pub fn place_of(&self, name: &Name) -> Place {
        Place::beneath(self.clone(), name.as_str())
    }

    /// The path of the object `name`, for people and other programs. Open it by
    /// [`place_of`](RuntimeDirectory::place_of): a path is looked up anew each time.
    #[must_use]
    pub fn path_of(&self, name: &Name) -> PathBuf {
        self.path.join(name.as_str())
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_checked(at: At<'_>, path: &Path) -> Result<Self> {
        let made = match at.make_directory(0o700) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(cannot_be_made(path, errno)),
        };
        let (fd, stat) = at.open_reference(OPERATION, path)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return refuse(path, ErrorKind::WrongType, "it is not a directory");
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return refuse(path, ErrorKind::Denied, "it belongs to another user");
        }
        // Its maker may have died before this, with a umask that kept even itself out.
        let unfinished = stat.st_mode & 0o777 & !0o700 == 0 && stat.st_mode & 0o700 != 0o700;
        if made || unfinished {
            set_mode(OPERATION, &fd, Mode::new(0o700)?)?;
        } else if stat.st_mode & 0o077 != 0 {
            let why = "others may enter it (its mode should be 0700)";
            return refuse(path, ErrorKind::Denied, why);
        }
        Ok(Self {
            path: std::path::absolute(path).unwrap_or_else(|_| path.into()),
            fd: Arc::new(fd),
        })
    }
}

impl AsFd for RuntimeDirectory {
    /// The directory, open for reference only (`O_PATH`).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What the runtime directory stands in: nobody but its owner, who is root or we, may write there,
/// or strangers could be there first, and take it away again.
fn open_base(base: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(base, flags, rustix::fs::Mode::empty())
        .map_err(|errno| cannot_be_made(&base.join(OURS), errno))?;
    let fd = above_stdio(fd)?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| os_error(OPERATION, e).on(base.display()))?;
    if ![ROOT, rustix::process::geteuid().as_raw()].contains(&stat.st_uid) {
        let why = "what it stands in belongs to another user";
        return Err(refusal(base, ErrorKind::Denied, why));
    }
    if stat.st_mode & 0o022 != 0 {
        let why = "others may write to what it stands in";
        return Err(refusal(base, ErrorKind::Denied, why));
    }
    Ok(fd)
}

fn cannot_be_made(path: &Path, errno: Errno) -> Error {
    let error = os_error(OPERATION, errno).on(path.display());
    error.hint(format!("it cannot be made ({errno}); {CURE}"))
}

fn refuse<T>(path: &Path, kind: ErrorKind, why: &str) -> Result<T> {
    Err(refusal(path, kind, why))
}

fn refusal(path: &Path, kind: ErrorKind, why: &str) -> Error {
    Error::new(OPERATION, kind)
        .on(path.display())
        .hint(format!("{why}; {CURE}"))
}
