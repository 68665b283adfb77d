//! What stands in a directory at one moment, to be compared with another.

use crate::change::ChangeKind;
use crate::disk::Disk;
use crate::vfs::Vfs;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// The names in a directory, or the one that matters, and what each looks like.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeMap<OsString, Look>);

/// What shows that a file has changed. Times are compared for difference, not for order: a clock
/// may be set back.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    content: [i128; 4],
    attributes: [i128; 5],
}

impl Snapshot {
    pub(crate) fn take(disk: &Disk, only: Option<&OsStr>) -> io::Result<Self> {
        let names = match only {
            Some(name) => vec![name.to_owned()],
            None => disk.list(Path::new(""))?,
        };
        let mut looks = BTreeMap::new();
        for name in names {
            let stat = rustix::fs::statat(disk.as_fd(), &name, AtFlags::SYMLINK_NOFOLLOW);
            let stat = match stat {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let look = Look {
                content: [
                    i128::from(stat.st_ino),
                    i128::from(stat.st_size),
                    i128::from(stat.st_mtime),
                    i128::from(stat.st_mtime_nsec),
                ],
                attributes: [
                    i128::from(stat.st_ctime),
                    i128::from(stat.st_ctime_nsec),
                    i128::from(stat.st_mode),
                    i128::from(stat.st_uid),
                    i128::from(stat.st_nlink),
                ],
            };
            looks.insert(name, look);
        }
        Ok(Self(looks))
    }

    pub(crate) fn names(self) -> impl Iterator<Item = OsString> {
        self.0.into_keys()
    }

    /// What has happened from `before` to here, as far as it shows.
    pub(crate) fn since(&self, before: &Self) -> Vec<(ChangeKind, OsString)> {
        let mut changes = Vec::new();
        for name in before.0.keys().filter(|name| !self.0.contains_key(*name)) {
            changes.push((ChangeKind::Removed, name.clone()));
        }
        for (name, look) in &self.0 {
            let kind = match before.0.get(name) {
                None => ChangeKind::Created,
                Some(old) if old.content != look.content => ChangeKind::Modified,
                Some(old) if old.attributes != look.attributes => ChangeKind::Attributes,
                Some(_) => continue,
            };
            changes.push((kind, name.clone()));
        }
        changes
    }
}
