//! What a waiter sleeps on: notification of changes, and a timer where that is not enough.

use crate::sys::{self, Notice};
use ipc_core::{Result, Until};
use ipc_sys::{PollFd, PollFlags, os_error, wait_any};
use rustix::fs::inotify::WatchFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One descriptor that shows when something watched has changed, or a timer has gone off.
#[derive(Debug)]
pub(crate) struct Wake {
    either: OwnedFd,
    inotify: OwnedFd,
    timer: OwnedFd,
    /// Held while events are taken, so that a waiter sees all or none of what another takes.
    taking: Mutex<()>,
}

impl Wake {
    /// With a timer that goes off each `interval`, or, where that is `None`, only when asked.
    pub(crate) fn new(interval: Option<Duration>) -> Result<Self> {
        let (inotify, timer) = (sys::inotify()?, sys::timer()?);
        let either = sys::any_of(&[inotify.as_fd(), timer.as_fd()])?;
        if let Some(interval) = interval {
            sys::set_timer(timer.as_fd(), interval, interval)?;
        }
        Ok(Self {
            either,
            inotify,
            timer,
            taking: Mutex::new(()),
        })
    }

    /// Watches what `fd` refers to; returns the number by which events name it.
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32> {
        sys::watch_descriptor(self.inotify.as_fd(), fd, mask)
    }

    pub(crate) fn end_watch(&self, watch: i32) {
        sys::end_watch(self.inotify.as_fd(), watch);
    }

    /// Takes all that shows; whether the timer was among it.
    pub(crate) fn take(&self, notices: &mut Vec<Notice>) -> Result<bool> {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let timer = sys::clear_timer(self.timer.as_fd());
        while sys::read_notices(self.inotify.as_fd(), notices)? {}
        Ok(timer)
    }

    /// Lets the descriptor show once more after `delay`.
    pub(crate) fn again_in(&self, delay: Duration) -> Result<()> {
        sys::set_timer(self.timer.as_fd(), delay, Duration::ZERO)
    }

    /// Sleeps until something shows.
    pub(crate) fn wait(&self, operation: &'static str, until: Until) -> Result<()> {
        let mut fds = [PollFd::new(&self.either, PollFlags::IN)];
        match wait_any(&mut fds, until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over(operation)),
            Err(errno) => Err(os_error(operation, errno)),
        }
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.either.as_fd()
    }
}
