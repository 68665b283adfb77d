//! The directory in which names of the toolkit live: the user's own, 0700, checked.

use crate::os_error;
use crate::path::{open_place, set_mode};
use ipc_core::{Error, ErrorKind, Mode, Name, Result};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// A directory that belongs to the effective user alone.
#[derive(Clone, Debug)]
pub struct RuntimeDirectory {
    path: PathBuf,
}

impl RuntimeDirectory {
    /// `ipc` under `$XDG_RUNTIME_DIR`, or under `/run` where that is not set; made where it is
    /// missing.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where it is not the effective user's alone or cannot be made; the
    /// message names `Options::directory` as the way out.
    pub fn open() -> Result<Self> {
        let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let base = base
            .filter(|base| base.is_absolute())
            .unwrap_or_else(|| "/run".into());
        Self::open_at(&base.join("ipc"))
    }

    /// `path` itself as runtime directory; made where it is missing, its parent must exist.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where it is another user's, or others may enter it;
    /// [`ErrorKind::WrongType`] where it is a link or a file.
    pub fn open_at(path: &Path) -> Result<Self> {
        const OPERATION: &str = "open runtime directory";
        let cure = "name another with Options::directory";
        let made = match rustix::fs::mkdir(path, rustix::fs::Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => {
                let error = os_error(OPERATION, errno).on(path.display());
                return Err(error.hint(format!("it cannot be made ({errno}); {cure}")));
            }
        };
        let (place, stat) = open_place(OPERATION, path)?;
        let refuse = |kind, why: &str| {
            Err(Error::new(OPERATION, kind)
                .on(path.display())
                .hint(format!("{why}; {cure}")))
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return refuse(ErrorKind::WrongType, "it is not a directory");
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return refuse(ErrorKind::Denied, "it belongs to another user");
        }
        // Its maker may have died before this, with a umask that kept even itself out.
        let unfinished = stat.st_mode & 0o777 & !0o700 == 0 && stat.st_mode & 0o700 != 0o700;
        if made || unfinished {
            set_mode(OPERATION, &place, Mode::new(0o700)?)?;
        } else if stat.st_mode & 0o077 != 0 {
            return refuse(
                ErrorKind::Denied,
                "others may enter it (its mode should be 0700)",
            );
        }
        Ok(Self { path: path.into() })
    }

    /// Where the object `name` lives.
    #[must_use]
    pub fn path_of(&self, name: &Name) -> PathBuf {
        self.path.join(name.as_str())
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_private_and_refused_when_it_is_not() {
        let dir = std::env::temp_dir().join(format!("ipc-sys-run-{}", std::process::id()));
        let made = RuntimeDirectory::open_at(&dir).expect("made");
        let mode = std::fs::metadata(made.path())
            .expect("stat")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        RuntimeDirectory::open_at(&dir).expect("found");
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).expect("chmod");
        let error = RuntimeDirectory::open_at(&dir).expect_err("others may enter");
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("Options::directory"));
        std::fs::remove_dir(&dir).expect("clean up");
        std::os::unix::fs::symlink("/tmp", &dir).expect("a link");
        assert_eq!(
            RuntimeDirectory::open_at(&dir).expect_err("link").kind(),
            ErrorKind::WrongType
        );
        std::fs::remove_file(&dir).expect("clean up");
    }
}
