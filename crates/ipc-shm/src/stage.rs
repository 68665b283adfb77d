//! How far the making of a named object has come, and waiting for its end.

use crate::header::{MAGIC, MAGIC_BYTES};
use crate::named::{MAKER, MAKING};
use crate::sys::is_locked;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{PollFd, PollFlags, above_stdio, magic_path, os_error, retry, wait_any};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How far the making of an object has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Empty, or marked as being made.
    Making,
    /// Published.
    Whole,
    /// Nothing that this crate has made.
    Alien,
}

pub(crate) fn stage(fd: BorrowedFd<'_>) -> Result<Stage> {
    let mut magic = [0; MAGIC_BYTES];
    let read = retry(|| rustix::io::pread(fd, &mut magic, 0));
    Ok(match read.map_err(|errno| os_error("open", errno))? {
        0 => Stage::Making,
        MAGIC_BYTES if magic == MAGIC => Stage::Whole,
        MAGIC_BYTES if magic == MAKING => Stage::Making,
        _ => Stage::Alien,
    })
}

/// Waits until the object is whole; false where its maker is gone and it will never be.
pub(crate) fn wait_whole(fd: BorrowedFd<'_>, until: Until) -> Result<bool> {
    let mut watch = None;
    loop {
        match stage(fd)? {
            Stage::Whole => return Ok(true),
            Stage::Alien => {
                return Err(Error::new("open", ErrorKind::Corrupt)
                    .hint("it does not begin as a region of this toolkit does"));
            }
            Stage::Making => {}
        }
        if !is_locked(fd, MAKER).map_err(|errno| os_error("open", errno))? {
            // It may have been published between the two looks.
            return Ok(stage(fd)? == Stage::Whole);
        }
        if until == Until::Now {
            return Err(until.over("open"));
        }
        match &watch {
            // What happened before the watch stood is not reported: look again first.
            None => watch = Some(Watch::new(fd)?),
            Some(watch) => watch.wait(until)?,
        }
    }
}

/// Reports when the object behind a descriptor is written, closed or unlinked.
pub(crate) struct Watch(OwnedFd);

impl Watch {
    /// The kernel reports a dead process's close a moment before it drops that process's locks,
    /// and reports the drop not at all: so a report is not awaited for longer than this.
    const STEP: Duration = Duration::from_millis(20);

    pub(crate) fn new(fd: BorrowedFd<'_>) -> Result<Self> {
        let fail = |errno| os_error("open", errno);
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(fail)?;
        let inotify = above_stdio(inotify)?;
        let path = magic_path(fd);
        let events = WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB;
        match inotify::add_watch(&inotify, path, events) {
            Ok(_) => Ok(Self(inotify)),
            Err(Errno::NOSPC) => Err(Error::new("open", ErrorKind::LimitReached).hint(
                "this user has all the watches it may have (sysctl fs.inotify.max_user_watches)",
            )),
            Err(errno) => Err(fail(errno)),
        }
    }

    /// Returns when something has happened, or should be looked for; an error when `until` is
    /// over.
    pub(crate) fn wait(&self, until: Until) -> Result<()> {
        if until.is_over() {
            return Err(until.over("open"));
        }
        let step = Instant::now() + until.remaining().unwrap_or(Self::STEP).min(Self::STEP);
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        wait_any(&mut fds, Until::At(step)).map_err(|errno| os_error("open", errno))?;
        // What has been reported is reported once.
        let mut events = [0; 4096];
        let _ = retry(|| rustix::io::read(&self.0, &mut events));
        Ok(())
    }
}
