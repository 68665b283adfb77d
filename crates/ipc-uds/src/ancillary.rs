//! What comes with a message beside its bytes: descriptors, credentials, the sender's process.

use crate::address::Address;
use crate::sys::{self, Cmsg, Received};
use ipc_core::{Credentials, Error, ErrorKind, Result};
use ipc_sys::{Process, above_stdio, os_error};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::vec::Drain;

/// Most descriptors that the kernel carries with one message: 253 (`SCM_MAX_FD`, unix(7)).
pub const MAX_FDS: usize = 253;

/// Where a receive puts what comes with a message. Used again for each, it allocates nothing; a
/// receive first closes what is still in it.
///
/// How many descriptors it takes is set by the receiving socket's
/// [`Options::max_fds`](crate::Options::max_fds). Where more come, or some are lost on the way,
/// all are closed and the receive is an error: a peer that sends so is best dropped.
///
/// A received descriptor can be anything: look at its type before use, and never let a thread
/// block on it that others need.
#[derive(Debug, Default)]
pub struct Ancillary {
    fds: Vec<OwnedFd>,
    credentials: Option<Credentials>,
    process: Option<Process>,
    from: Address,
    control: Vec<u8>,
}

impl Ancillary {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The descriptors that came, in the sender's order; close-on-exec, none below 3.
    #[must_use]
    pub fn fds(&self) -> &[OwnedFd] {
        &self.fds
    }

    /// Takes the descriptors out; what is not taken is closed.
    pub fn take_fds(&mut self) -> Drain<'_, OwnedFd> {
        self.fds.drain(..)
    }

    /// Who sent the message, where [`Options::credentials`](crate::Options::credentials) asks for
    /// it. Checked by the kernel: only root can send another's ids.
    #[must_use]
    pub const fn credentials(&self) -> Option<Credentials> {
        self.credentials
    }

    /// The sending process, where [`Options::pidfd`](crate::Options::pidfd) asks for it; `None`
    /// too where it was gone before the message was received.
    #[must_use]
    pub const fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Takes the sending process out.
    pub fn take_process(&mut self) -> Option<Process> {
        self.process.take()
    }

    /// Where the message came from; a sender that is not bound has no name.
    #[must_use]
    pub const fn from(&self) -> Address {
        self.from
    }

    /// Closes and forgets everything.
    pub fn clear(&mut self) {
        self.fds.clear();
        self.credentials = None;
        self.process = None;
        self.from = Address::UNNAMED;
    }

    /// Makes room for `max_fds`, and gives it.
    pub(crate) fn room(&mut self, max_fds: usize) -> &mut [u8] {
        self.clear();
        let bytes = sys::control_bytes(max_fds);
        if self.control.len() < bytes {
            self.control.resize(bytes, 0);
            self.fds.reserve(max_fds + 1);
        }
        &mut self.control[..bytes]
    }

    /// Takes ownership of what the kernel put into the room.
    pub(crate) fn take_in(&mut self, received: &Received, max_fds: usize) -> Result<()> {
        let mut lost = None;
        let mut count = 0;
        self.from = received.from;
        let control = &self.control[..received.control_bytes.min(self.control.len())];
        for message in sys::cmsgs(control) {
            match message {
                Cmsg::Rights(fds) => {
                    for fd in fds {
                        count += 1;
                        match above_stdio(fd) {
                            Ok(fd) if count <= max_fds => self.fds.push(fd),
                            Ok(extra) => drop(extra),
                            Err(error) => lost = Some(error),
                        }
                    }
                }
                Cmsg::Credentials(credentials) => self.credentials = Some(credentials),
                Cmsg::Pidfd(Ok(fd)) => match above_stdio(fd) {
                    Ok(fd) => self.process = Some(Process::from(fd)),
                    Err(error) => lost = Some(error),
                },
                Cmsg::Pidfd(Err(Errno::MFILE)) => lost = Some(os_error("recv", Errno::MFILE)),
                Cmsg::Pidfd(Err(_)) | Cmsg::Other => {}
            }
        }
        if !received.control_truncated && lost.is_none() && count <= max_fds {
            return Ok(());
        }
        // Who sent it stays known, so that the caller can tell whom to drop.
        self.fds.clear();
        self.process = None;
        Err(truncated(count, max_fds, lost))
    }
}

#[cold]
fn truncated(count: usize, max_fds: usize, lost: Option<Error>) -> Error {
    let error = Error::new("recv", ErrorKind::Truncated);
    if count >= max_fds && lost.is_none() {
        return error.hint(format!(
            "more descriptors came than the {max_fds} that are taken, so all were closed; \
             raise Options::max_fds where that many are meant"
        ));
    }
    error.hint(
        "descriptors were lost on arrival, so all were closed; probably this process has no room \
         for more (RLIMIT_NOFILE): close some, or raise it with `ulimit -n`",
    )
}
