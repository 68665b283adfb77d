//! The bells of many, of which one sleep hears all; and what else may end that sleep.

use crate::bell::{Bell, Rope};
use crate::mailbox::Mailbox;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any};
use rustix::event::epoll;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Names that are told at a time.
pub(crate) const TOLD: usize = 16;

/// Bells, each with a name.
#[derive(Debug)]
pub(crate) struct Bells {
    fd: OwnedFd,
}

impl Bells {
    pub(crate) fn new() -> Result<Self> {
        let fd = epoll::create(epoll::CreateFlags::CLOEXEC);
        let fd = fd.map_err(|errno| os_error("create", errno))?;
        Ok(Self {
            fd: above_stdio(fd)?,
        })
    }

    /// The same bells, in another's hands.
    pub(crate) fn try_clone(&self) -> Result<Self> {
        let fd = self.fd.try_clone().map_err(|error| {
            Error::new("create", ErrorKind::LimitReached).hint(error.to_string())
        })?;
        Ok(Self {
            fd: above_stdio(fd)?,
        })
    }

    pub(crate) fn add(&self, bell: &Bell, name: u64) -> Result<()> {
        self.watch(bell, name, epoll::EventFlags::IN)
    }

    /// Tells when somebody has put something in, or nobody will any more.
    pub(crate) fn add_mailbox(&self, mailbox: &Mailbox, name: u64) -> Result<()> {
        self.watch(mailbox, name, epoll::EventFlags::IN)
    }

    /// Tells when nobody hears that rope's bell any more: that is told without being asked for.
    pub(crate) fn add_rope(&self, rope: &Rope, name: u64) -> Result<()> {
        self.watch(rope, name, epoll::EventFlags::empty())
    }

    fn watch(&self, fd: impl AsFd, name: u64, flags: epoll::EventFlags) -> Result<()> {
        let data = epoll::EventData::new_u64(name);
        let added = epoll::add(&self.fd, fd, data, flags);
        added.map_err(|errno| os_error("join", errno))
    }

    /// A bell is heard no more, even where a copy of it stays open in a child of ours.
    pub(crate) fn forget(&self, bell: &Bell) {
        let _ = epoll::delete(&self.fd, bell);
    }

    pub(crate) fn forget_mailbox(&self, mailbox: &Mailbox) {
        let _ = epoll::delete(&self.fd, mailbox);
    }

    pub(crate) fn forget_rope(&self, rope: &Rope) {
        let _ = epoll::delete(&self.fd, rope);
    }

    /// Sleeps until one is rung, or who rings it is gone; false where the time is over before.
    pub(crate) fn sleep(&self, until: Until) -> Result<bool> {
        let fds = &mut [PollFd::new(&self.fd, PollFlags::IN)];
        wait_any(fds, until).map_err(|errno| os_error("wait", errno))
    }

    /// The names of those that have been rung, as many as fit; the others are told next.
    pub(crate) fn rung(&self, names: &mut [u64; TOLD]) -> Result<usize> {
        let no_time = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        self.told(names, Some(&no_time))
    }

    /// The same, after a sleep until there is one: all of it is one call.
    pub(crate) fn wait_rung(&self, names: &mut [u64; TOLD]) -> Result<usize> {
        self.told(names, None)
    }

    fn told(
        &self,
        names: &mut [u64; TOLD],
        time: Option<&rustix::time::Timespec>,
    ) -> Result<usize> {
        let nought = epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        };
        let mut events = [nought; TOLD];
        let wait = || epoll::wait(&self.fd, &mut events, time);
        let rung = ipc_sys::retry(wait).map_err(|errno| os_error("wait", errno))?;
        for (name, event) in names.iter_mut().zip(&events[..rung]) {
            *name = event.data.u64();
        }
        Ok(rung)
    }
}

impl AsFd for Bells {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
