//! Who is at the other side, as the kernel tells it.

use crate::sys;
use ipc_core::{Credentials, Error, ErrorKind, Result, Until};
use ipc_sys::{Process, os_error};
use rustix::io::Errno;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A process exits in steps: its sockets close a moment before its pidfd tells.
const GRACE: Duration = Duration::from_millis(10);

/// A peer that asks to be let in, or from whom a datagram came.
#[derive(Debug)]
pub struct Peer<'a> {
    credentials: Credentials,
    socket: Option<BorrowedFd<'a>>,
}

impl<'a> Peer<'a> {
    pub(crate) fn of_connection(socket: BorrowedFd<'a>) -> Result<Self> {
        Ok(Self {
            credentials: credentials(socket)?,
            socket: Some(socket),
        })
    }

    pub(crate) const fn of_message(credentials: Credentials) -> Self {
        Self {
            credentials,
            socket: None,
        }
    }

    /// Process, user and group: for a client as it was when it connected, for a server as it was
    /// when it began to listen. Whoever was given the socket since then is not shown.
    #[must_use]
    pub const fn credentials(&self) -> Credentials {
        self.credentials
    }

    /// The process, by a descriptor that never means another one.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the kernel has no `SO_PEERPIDFD` (before Linux 6.5), and
    /// for the sender of a datagram; [`ErrorKind::PeerDied`] where it is gone already.
    pub fn process(&self) -> Result<Process> {
        self.socket.map_or_else(
            || {
                Err(Error::new("peer process", ErrorKind::Unsupported)
                    .hint("ask for it with each message: Options::pidfd"))
            },
            process,
        )
    }
}

pub(crate) fn credentials(socket: BorrowedFd<'_>) -> Result<Credentials> {
    sys::peer_credentials(socket).map_err(|errno| os_error("credentials", errno))
}

pub(crate) fn process(socket: BorrowedFd<'_>) -> Result<Process> {
    match sys::peer_pidfd(socket) {
        Ok(pidfd) => Ok(Process::from(pidfd)),
        Err(Errno::SRCH) => Err(Error::new("peer process", ErrorKind::PeerDied)),
        // Kernels before 6.9 say EINVAL of a peer that is reaped, others of the option itself.
        Err(Errno::INVAL) if probe().peer_process => {
            Err(Error::new("peer process", ErrorKind::PeerDied))
        }
        Err(errno @ (Errno::INVAL | Errno::NOSYS | Errno::NOPROTOOPT | Errno::OPNOTSUPP)) => {
            Err(Error::new("peer process", ErrorKind::Unsupported)
                .hint("this kernel has no SO_PEERPIDFD (Linux 6.5); credentials() has the ids")
                .caused_by(errno.into()))
        }
        Err(errno) => Err(os_error("peer process", errno)),
    }
}

/// What this kernel can tell of peers beyond their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The peer of a connection as a process (`SO_PEERPIDFD`, Linux 6.5), as
    /// [`Options::watch_peer`](crate::Options::watch_peer) needs it; without it peers are known
    /// by their ids alone.
    pub peer_process: bool,
    /// The sender of each message as a process (`SO_PASSPIDFD`, Linux 6.5).
    pub message_process: bool,
}

/// Tries out what this kernel can tell of peers.
#[must_use]
pub fn probe() -> Probe {
    let Ok((left, _right)) = sys::pair(sys::STREAM) else {
        return Probe {
            peer_process: false,
            message_process: false,
        };
    };
    use std::os::fd::AsFd;
    Probe {
        peer_process: sys::peer_pidfd(left.as_fd()).is_ok(),
        message_process: sys::set_pass_pidfd(left.as_fd()).is_ok(),
    }
}

/// A peer whose death is to be told from an ordinary end.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None`: it was dead and gone before we could take hold of it.
    process: Option<Process>,
    /// Until when an end that was seen may still turn out to be a death.
    grace: OnceLock<Instant>,
    /// Whether the stream's end was found to be a death; asked once, since asking may wait.
    verdict: OnceLock<bool>,
}

impl Watch {
    pub(crate) fn of(socket: BorrowedFd<'_>) -> Result<Self> {
        let process = match process(socket) {
            Ok(process) => Some(process),
            Err(error) if error.kind() == ErrorKind::PeerDied => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            process,
            grace: OnceLock::new(),
            verdict: OnceLock::new(),
        })
    }

    /// The peer as something to poll, while it lives.
    pub(crate) const fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Whether the peer is dead now.
    pub(crate) fn has_died(&self) -> bool {
        self.ended_within(Until::Now)
    }

    /// Whether the end that was just seen is the peer's death, or becomes it in a moment; `None`
    /// where `until` is over before that can be said.
    pub(crate) fn ended_by_death(&self, until: Until) -> Option<bool> {
        if let Some(verdict) = self.verdict.get() {
            return Some(*verdict);
        }
        let grace = *self.grace.get_or_init(|| Instant::now() + GRACE);
        let wait = match until {
            Until::Now => Until::Now,
            Until::At(instant) => Until::At(instant.min(grace)),
            Until::Forever => Until::At(grace),
        };
        let died = self.ended_within(wait);
        if died {
            return Some(*self.verdict.get_or_init(|| true));
        }
        if Instant::now() < grace {
            return None;
        }
        // Where the machine is busy, a process may hang in the middle of its exit for longer.
        Some(*self.verdict.get_or_init(|| self.is_exiting()))
    }

    /// Whether an end was seen and [`ended_by_death`](Watch::ended_by_death) has no answer yet.
    pub(crate) fn awaits_verdict(&self) -> bool {
        self.grace.get().is_some() && self.verdict.get().is_none()
    }

    fn is_exiting(&self) -> bool {
        self.process.as_ref().is_none_or(Process::is_exiting)
    }

    fn ended_within(&self, until: Until) -> bool {
        self.process
            .as_ref()
            .is_none_or(|process| process.ended_within(until).unwrap_or(false))
    }
}
