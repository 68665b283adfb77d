//! What comes with a message beside its bytes: descriptors, credentials, the sender's process.

use crate::address::Address;
use crate::fd_quota::{FdCharge, FdShare};
use crate::sys::{self, Cmsg, Received};
use ipc_core::{Credentials, Error, ErrorKind, Result};
use ipc_sys::{Process, above_stdio};
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
    /// What they count, as long as they wait here.
    charge: Option<FdCharge>,
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
        self.charge = None;
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
        self.charge = None;
        self.credentials = None;
        self.process = None;
        self.from = Address::UNNAMED;
    }

    /// Empties itself and takes in what `receive` brings, which is given room for `max_fds`, and
    /// counts the descriptors against `share`.
    /// Returns the message's length.
    pub(crate) fn fill(
        &mut self,
        max_fds: usize,
        share: Option<&FdShare>,
        receive: impl FnOnce(&mut [u8], &mut Intake<'_>) -> Result<Received>,
    ) -> Result<usize> {
        self.clear();
        let bytes = sys::control_bytes(max_fds);
        if self.control.len() < bytes {
            self.control.resize(bytes, 0);
            self.fds.reserve(max_fds + 1);
        }
        let mut intake = Intake {
            fds: &mut self.fds,
            credentials: &mut self.credentials,
            process: &mut self.process,
            max_fds,
            count: 0,
            lost: false,
        };
        let received = receive(&mut self.control[..bytes], &mut intake)?;
        let (count, lost) = (intake.count, intake.lost);
        self.from = received.from;
        if !received.control_truncated && !lost && count <= max_fds {
            if count == 0 {
                return Ok(received.length);
            }
            match share.map(|share| share.charge(count)).transpose() {
                Ok(charge) => {
                    self.charge = charge;
                    return Ok(received.length);
                }
                Err(error) => {
                    self.fds.clear();
                    return Err(error);
                }
            }
        }
        // Who sent it stays known, so that the caller can tell whom to drop.
        self.fds.clear();
        self.process = None;
        Err(truncated(count, max_fds, lost))
    }
}

/// Where control messages go as they are found.
pub(crate) struct Intake<'a> {
    fds: &'a mut Vec<OwnedFd>,
    credentials: &'a mut Option<Credentials>,
    process: &'a mut Option<Process>,
    max_fds: usize,
    count: usize,
    lost: bool,
}

impl Intake<'_> {
    pub(crate) fn take(&mut self, message: Cmsg<'_>) {
        match message {
            Cmsg::Rights(fds) => {
                for fd in fds {
                    self.count += 1;
                    // Those beyond what is taken are closed at once.
                    if self.count <= self.max_fds
                        && let Some(fd) = self.moved(fd)
                    {
                        self.fds.push(fd);
                    }
                }
            }
            Cmsg::Credentials(credentials) => *self.credentials = Some(credentials),
            Cmsg::Pidfd(Ok(fd)) => *self.process = self.moved(fd).map(Process::from),
            Cmsg::Pidfd(Err(Errno::MFILE)) => self.lost = true,
            // The sender was gone before the kernel could make one.
            Cmsg::Pidfd(Err(_)) | Cmsg::Other => {}
        }
    }

    fn moved(&mut self, fd: OwnedFd) -> Option<OwnedFd> {
        let moved = above_stdio(fd).ok();
        self.lost |= moved.is_none();
        moved
    }
}

#[cold]
fn truncated(count: usize, max_fds: usize, lost: bool) -> Error {
    let error = Error::new("recv", ErrorKind::Truncated);
    if count >= max_fds && !lost {
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
