//! Listeners that are awaited as one.

use crate::{Endpoint, Listener, Wire};
use ipc_core::{ErrorKind, Interest, Pollable, Result, Until};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any};
use rustix::event::epoll;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Listeners, and a descriptor that is ready when one of them is.
#[derive(Debug)]
pub(crate) struct Several {
    pub(crate) endpoint: Endpoint,
    listeners: Vec<Listener>,
    ready: OwnedFd,
    /// Whose turn it is: none is kept from its turn by another that is never idle.
    next: AtomicUsize,
}

impl Several {
    pub(crate) fn new(endpoint: Endpoint, listeners: Vec<Listener>) -> Result<Self> {
        let failed = |errno| os_error("bind", errno);
        let ready = above_stdio(epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?)?;
        for listener in &listeners {
            let fd = listener.descriptor(Interest::Read);
            let data = epoll::EventData::new_u64(0);
            epoll::add(&ready, fd, data, epoll::EventFlags::IN).map_err(failed)?;
        }
        Ok(Self {
            endpoint,
            listeners,
            ready,
            next: AtomicUsize::new(0),
        })
    }

    /// The next connection of whichever has one.
    pub(crate) fn accept(&self, until: Until) -> Result<Wire> {
        loop {
            let first = self.next.fetch_add(1, Ordering::Relaxed);
            for turn in 0..self.listeners.len() {
                let listener = &self.listeners[(first + turn) % self.listeners.len()];
                match listener.accept(Until::Now) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    outcome => return outcome,
                }
            }
            match until {
                Until::Now => return Err(until.over("accept")),
                until => self.wait_ready(&[Interest::Read], until)?,
            }
        }
    }
}

impl Pollable for Several {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let fds = &mut [PollFd::new(&self.ready, PollFlags::IN)];
        match wait_any(fds, until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over("accept")),
            Err(errno) => Err(os_error("accept", errno)),
        }
    }
}
