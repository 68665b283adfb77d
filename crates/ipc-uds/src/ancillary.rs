//! What comes with a message beside its bytes: descriptors, credentials, the sender's process.

use crate::address::Address;
use crate::fd_quota::{FdCharge, FdShare};
use crate::sys::{self, Cmsg, Received};
use ipc_core::{Credentials, Error, ErrorKind, Result};
use ipc_sys::{DescriptorKind, Process, above_stdio, descriptor_kind};
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
/// all are closed, the receive is an error, and a connection is cut.
///
/// A received descriptor can be anything: ask [`kinds`](Ancillary::kinds) before use, and never
/// let a thread block on it that others need. Even to close a regular file may wait, where its
/// file system is served by a process (FUSE).
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

    /// What each of [`fds`](Ancillary::fds) refers to, in the same order. Asking never blocks.
    ///
    /// ```
    /// use ipc_uds::{Ancillary, DescriptorKind};
    /// # use std::os::fd::AsFd;
    /// # let (left, right) = ipc_uds::pair()?;
    /// # left.send_with_fds(b"x", &[right.as_fd()])?;
    /// let mut gifts = Ancillary::new();
    /// right.recv_with_fds(&mut [0; 8], &mut gifts)?;
    /// for kind in gifts.kinds() {
    ///     assert_eq!(kind?, DescriptorKind::Socket); // anything else is not what was agreed
    /// }
    /// # Ok::<(), ipc_uds::Error>(())
    /// ```
    pub fn kinds(&self) -> impl Iterator<Item = Result<DescriptorKind>> + '_ {
        self.fds.iter().map(descriptor_kind)
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

    /// Closes the descriptors; who sent the message stays known.
    pub(crate) fn drop_fds(&mut self) {
        self.fds.clear();
        self.charge = None;
        self.process = None;
    }

    pub(crate) fn put_fds(&mut self, fds: Vec<OwnedFd>) {
        self.fds = fds;
    }

    /// Empties itself and takes in what `receive` brings, which is given room for `max_fds`.
    /// Returns the message's length.
    pub(crate) fn fill(
        &mut self,
        max_fds: usize,
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
            return Ok(received.length);
        }
        // Who sent it stays known, so that the caller can tell whom to drop.
        self.fds.clear();
        self.process = None;
        Err(truncated(count, max_fds, lost))
    }

    /// Counts the descriptors that came against a user's share, or closes them where they are
    /// more.
    #[inline]
    pub(crate) fn charge_to(&mut self, share: impl FnOnce() -> FdShare) -> Result<()> {
        if self.fds.is_empty() {
            return Ok(());
        }
        match share().charge(self.fds.len()) {
            Ok(charge) => {
                self.charge = Some(charge);
                Ok(())
            }
            Err(error) => {
                // Who sent it stays known, so that the caller can tell whom to drop.
                self.fds.clear();
                self.process = None;
                Err(error)
            }
        }
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
