//! A watch over files and directories: the kernel's inotify, or looks at intervals.

use crate::change::{Change, ChangeKind};
use crate::disk::Disk;
use crate::reader::silent;
use crate::segment::lock;
use crate::snapshot::Snapshot;
use crate::sys::{self, Notice};
use crate::vfs::{Identity, Kind, Vfs, failed};
use crate::wake::Wake;
use ipc_core::{ErrorKind, Interest, Pollable, Result, Until, four_forms};
use rustix::fs::inotify::{ReadFlags, WatchFlags};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// Which [`add`](Watch::add) a change belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(u32);

/// Tells what happens to files and directories. No thread stands behind it.
///
/// A file is watched by its name: it may be replaced, removed and made again, or not be there
/// yet. A directory is watched without those below it.
///
/// ```
/// use ipc_file::ChangeKind;
/// # let dir = std::env::temp_dir().join(format!("ipc watch doc {}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// let watch = ipc_file::watch()?;
/// let inbox = watch.add(&dir)?;
/// std::fs::write(dir.join("letter"), "hello").unwrap();
/// let change = watch.recv()?;
/// assert_eq!((change.watch, change.kind), (Some(inbox), ChangeKind::Created));
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), ipc_file::Error>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    wake: Wake,
    polled: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    targets: Vec<Target>,
    next: u32,
    /// What is to be told.
    changes: VecDeque<Change>,
}

/// Something that is watched.
#[derive(Debug)]
struct Target {
    id: WatchId,
    /// Not held open: what is open is not gone, and its end would not be told.
    directory: PathBuf,
    identity: Identity,
    /// Only this name in it.
    only: Option<OsString>,
    /// The kernel's number for the directory; several targets may share it.
    number: i32,
    /// What was there at the last look, where there are looks.
    seen: Snapshot,
}

impl Watch {
    pub(crate) fn new(polled: Option<Duration>) -> Result<Self> {
        Ok(Self {
            wake: Wake::new(polled)?,
            polled: polled.is_some(),
            known: Mutex::default(),
        })
    }

    /// Watches `path`: what is in it where it is a directory, else the file of that name, which
    /// need not be there. A link in its last place is not followed, but watched as a name.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where the file system tells of no changes
    /// and [`Options::polling`](crate::Options::polling) is not set;
    /// [`LimitReached`](crate::ErrorKind::LimitReached) at the user's limit of watches.
    pub fn add(&self, path: impl AsRef<Path>) -> Result<WatchId> {
        const OPERATION: &str = "watch";
        let (directory, at, only) = target(OPERATION, path.as_ref())?;
        let fail = |error| failed(OPERATION, path.as_ref(), &error);
        let mut known = lock(&self.known);
        let identity = directory.stat().map_err(fail)?;
        let (mut number, mut seen) = (-1, Snapshot::default());
        if self.polled {
            seen = Snapshot::take(&directory, only.as_deref()).map_err(fail)?;
        } else {
            if let Some(kind) = sys::silent_file_system(&directory)? {
                return Err(silent(OPERATION, kind).on(path.as_ref().display()));
            }
            number = self.wake.watch(directory.as_fd(), wanted())?;
        }
        let id = WatchId(known.next);
        known.next += 1;
        known.targets.push(Target {
            id,
            directory: at,
            identity,
            only,
            number,
            seen,
        });
        Ok(id)
    }

    /// Ends a watch; what it has told and nobody has received yet is still received.
    pub fn remove(&self, id: WatchId) {
        let mut known = lock(&self.known);
        let Some(at) = known.targets.iter().position(|target| target.id == id) else {
            return;
        };
        let number = known.targets.swap_remove(at).number;
        if number >= 0 && known.targets.iter().all(|other| other.number != number) {
            self.wake.end_watch(number);
        }
    }

    four_forms! {
        /// Receives the next change.
        ///
        /// # Errors
        /// Those of the system; a lost change is no error but a
        /// [`Overflow`](ChangeKind::Overflow).
        recv / try_recv / recv_timeout / recv_deadline = recv_until() -> Change
    }

    fn recv_until(&self, until: Until) -> Result<Change> {
        loop {
            {
                let mut known = lock(&self.known);
                if known.changes.is_empty() {
                    self.look(&mut known)?;
                }
                if let Some(change) = known.changes.pop_front() {
                    return Ok(change);
                }
            }
            if until == Until::Now {
                return Err(until.over("recv"));
            }
            self.wake.wait("recv", until)?;
        }
    }

    /// Turns what shows into changes.
    fn look(&self, known: &mut Known) -> Result<()> {
        let mut notices = Vec::new();
        let timer = self.wake.take(&mut notices)?;
        if self.polled && timer {
            return known.compare();
        }
        for notice in notices {
            if notice.mask & ReadFlags::QUEUE_OVERFLOW.bits() != 0 {
                known.rescan()?;
            } else {
                known.tell(&notice);
            }
        }
        Ok(())
    }
}

impl Known {
    fn tell(&mut self, notice: &Notice) {
        let Some(kind) = kind(notice.mask) else {
            return;
        };
        for target in (self.targets.iter()).filter(|target| target.number == notice.watch) {
            let about =
                kind == ChangeKind::Gone || target.only.is_none() || target.only == notice.name;
            if about {
                self.changes.push_back(Change {
                    watch: Some(target.id),
                    kind,
                    name: notice.name.clone(),
                    cookie: notice.cookie,
                });
            }
        }
        if kind == ChangeKind::Gone {
            self.targets.retain(|target| target.number != notice.watch);
        }
    }

    /// After an overflow: what is there now.
    fn rescan(&mut self) -> Result<()> {
        let change = |watch, kind, name| Change {
            watch,
            kind,
            name,
            cookie: 0,
        };
        self.changes
            .push_back(change(None, ChangeKind::Overflow, None));
        let mut gone = Vec::new();
        for target in &self.targets {
            let id = Some(target.id);
            let Some(there) = target.look()? else {
                self.changes.push_back(change(id, ChangeKind::Gone, None));
                gone.push(target.id);
                continue;
            };
            for name in there.names() {
                (self.changes).push_back(change(id, ChangeKind::Found, Some(name)));
            }
            self.changes
                .push_back(change(id, ChangeKind::Rescanned, None));
        }
        self.targets.retain(|target| !gone.contains(&target.id));
        Ok(())
    }

    /// At an interval: what has changed since the last look.
    fn compare(&mut self) -> Result<()> {
        let mut gone = Vec::new();
        for target in &mut self.targets {
            let mut tell = |kind, name| {
                self.changes.push_back(Change {
                    watch: Some(target.id),
                    kind,
                    name,
                    cookie: 0,
                });
            };
            let Some(now) = target.look()? else {
                tell(ChangeKind::Gone, None);
                gone.push(target.id);
                continue;
            };
            for (kind, name) in now.since(&target.seen) {
                tell(kind, Some(name));
            }
            target.seen = now;
        }
        self.targets.retain(|target| !gone.contains(&target.id));
        Ok(())
    }
}

impl Target {
    /// What is there; `None` where the directory is gone or another one has its name.
    fn look(&self) -> Result<Option<Snapshot>> {
        let fail = |error| failed("watch", &self.directory, &error);
        let directory = match Disk::open("watch", &self.directory) {
            Ok(directory) => directory,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !directory.stat().map_err(fail)?.is(&self.identity) {
            return Ok(None);
        }
        let there = Snapshot::take(&directory, self.only.as_deref());
        there.map(Some).map_err(fail)
    }
}

impl Pollable for Watch {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        if self.has_buffered() {
            return Ok(());
        }
        self.wake.wait("wait", until)
    }
    fn has_buffered(&self) -> bool {
        !lock(&self.known).changes.is_empty()
    }
}

/// The directory to watch, its path, and the name in it where it is not all of it.
fn target(operation: &'static str, path: &Path) -> Result<(Disk, PathBuf, Option<OsString>)> {
    let fail = |error| failed(operation, path, &error);
    let at = std::path::absolute(path).map_err(fail)?;
    // `/`, `.` and `..` have no name to look at, and are directories.
    let Ok((parent, name)) = Disk::of(operation, path) else {
        return Ok((Disk::open(operation, path)?, at, None));
    };
    match parent.identity(&name).map_err(fail)? {
        Some(found) if found.kind == Kind::Directory => {
            let directory = parent.open_directory(&name).map_err(fail)?;
            Ok((directory, at, None))
        }
        _ => {
            let above = at.parent().map(Path::to_owned).unwrap_or_default();
            Ok((parent, above, Some(name.into_os_string())))
        }
    }
}

fn wanted() -> WatchFlags {
    WatchFlags::CREATE
        | WatchFlags::MODIFY
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::ATTRIB
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::ONLYDIR
}

fn kind(mask: u32) -> Option<ChangeKind> {
    let kinds = [
        (ReadFlags::CREATE, ChangeKind::Created),
        (ReadFlags::MODIFY, ChangeKind::Modified),
        (ReadFlags::CLOSE_WRITE, ChangeKind::Closed),
        (ReadFlags::ATTRIB, ChangeKind::Attributes),
        (ReadFlags::DELETE, ChangeKind::Removed),
        (ReadFlags::MOVED_FROM, ChangeKind::MovedAway),
        (ReadFlags::MOVED_TO, ChangeKind::MovedHere),
        // After the directory was removed or unmounted, and only then.
        (ReadFlags::IGNORED, ChangeKind::Gone),
    ];
    let found = kinds.iter().find(|(flag, _)| mask & flag.bits() != 0);
    found.map(|(_, kind)| *kind)
}
