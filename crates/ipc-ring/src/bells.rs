//! The bells of many readers, of which one sleep hears all.

use crate::bell::Bell;
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
        let data = epoll::EventData::new_u64(name);
        let added = epoll::add(&self.fd, bell, data, epoll::EventFlags::IN);
        added.map_err(|errno| os_error("accept", errno))
    }

    /// A bell is heard no more, even where a copy of it stays open in a child of ours.
    pub(crate) fn forget(&self, bell: &Bell) {
        let _ = epoll::delete(&self.fd, bell);
    }

    /// Sleeps until one is rung, or who rings it is gone.
    pub(crate) fn sleep(&self, until: Until) -> Result<()> {
        let fds = &mut [PollFd::new(&self.fd, PollFlags::IN)];
        match wait_any(fds, until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over("wait")),
            Err(errno) => Err(os_error("wait", errno)),
        }
    }

    /// The names of those that have been rung, as many as fit; the others are told next.
    pub(crate) fn rung(&self, names: &mut [u64; TOLD]) -> Result<usize> {
        let nought = epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        };
        let mut events = [nought; TOLD];
        let no_time = Some(&rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        });
        let wait = || epoll::wait(&self.fd, &mut events, no_time);
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
