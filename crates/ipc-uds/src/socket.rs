//! A connected or bound socket, and the system calls by which its verbs are done.

use crate::address::Address;
use crate::ancillary::Ancillary;
use crate::fd_quota::FdShare;
use crate::options::Options;
use crate::peer::Watch;
use crate::sys::{self, Cmsg, Outgoing};
use ipc_core::{Credentials, ErrorKind, Interest, Result, SpinBudget, Until};
use ipc_sys::os_error;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketAddrUnix};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Descriptors that are taken with a message where nothing else is said.
pub(crate) const DEFAULT_MAX_FDS: usize = 16;

/// What all kinds of sockets have: a descriptor, perhaps a peer that is watched, and a limit.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Always there, but in the moment when it is taken out to be given away.
    fd: Option<OwnedFd>,
    pub(crate) watch: Option<Arc<Watch>>,
    max_fds: usize,
    /// What it may hold together with the other connections of its user.
    share: Option<FdShare>,
    pub(crate) budget: Option<Arc<SpinBudget>>,
}

impl Socket {
    /// A socket from elsewhere, with the defaults.
    pub(crate) const fn adopt(fd: OwnedFd) -> Self {
        Self {
            fd: Some(fd),
            watch: None,
            max_fds: DEFAULT_MAX_FDS,
            share: None,
            budget: None,
        }
    }

    pub(crate) fn new(fd: OwnedFd, options: &Options) -> Self {
        Self {
            fd: Some(fd),
            watch: None,
            max_fds: options.max_fds,
            share: None,
            budget: (options.spin).map(|spin| Arc::new(SpinBudget::of_calls(spin))),
        }
    }

    /// A socket with a peer, which is watched where the options say so.
    pub(crate) fn connected(fd: OwnedFd, options: &Options) -> Result<Self> {
        let watch = match options.watch_peer {
            true => Some(Arc::new(Watch::of(fd.as_fd())?)),
            false => None,
        };
        Ok(Self {
            watch,
            ..Self::new(fd, options)
        })
    }

    /// The descriptors that it receives count against `share`.
    pub(crate) fn within(self, share: FdShare) -> Self {
        Self {
            share: Some(share),
            ..self
        }
    }

    #[inline]
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd
            .as_ref()
            .expect("taken only when the endpoint is consumed")
            .as_fd()
    }

    pub(crate) fn take_fd(&mut self) -> OwnedFd {
        self.fd
            .take()
            .expect("taken once, by the conversion that consumes the endpoint")
    }

    pub(crate) const fn has_fd(&self) -> bool {
        self.fd.is_some()
    }

    /// A second descriptor of the same socket.
    pub(crate) fn try_clone(&self) -> Result<Self> {
        let fd = rustix::io::fcntl_dupfd_cloexec(self.fd(), 3)
            .map_err(|errno| os_error("clone", errno))?;
        Ok(Self {
            fd: Some(fd),
            watch: self.watch.clone(),
            max_fds: self.max_fds,
            share: self.share.clone(),
            budget: self.budget.clone(),
        })
    }

    /// Sends what fits, at least one byte of a stream, or the whole message. Like the receiving
    /// forms it is inlined down to the system call: where returns are guarded against
    /// speculation, each one after a system call costs more than the rest of it.
    #[inline(always)]
    pub(crate) fn send(&self, bytes: &[u8], until: Until) -> Result<usize> {
        self.run("send", Interest::Write, until, |dont_wait| {
            let flags = SendFlags::NOSIGNAL;
            let flags = if dont_wait {
                flags | SendFlags::DONTWAIT
            } else {
                flags
            };
            rustix::net::send(self.fd(), bytes, flags)
        })
    }

    /// Sends `message`, waiting for the socket itself alone.
    pub(crate) fn send_message(&self, message: &Outgoing<'_>, until: Until) -> Result<usize> {
        self.run("send", Interest::Write, until, |dont_wait| {
            sys::send_message(self.fd(), message, flag(dont_wait))
        })
    }

    /// One try to send `message` to where it says, without judging the outcome.
    pub(crate) fn send_once(
        &self,
        message: &Outgoing<'_>,
        until: Until,
    ) -> rustix::io::Result<usize> {
        sys::send_message(self.fd(), message, flag(self.tries(until)))
    }

    /// Receives what is there; 0 is the end of a stream.
    #[inline(always)]
    pub(crate) fn recv(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.run("recv", Interest::Read, until, |dont_wait| {
            let flags = if dont_wait {
                RecvFlags::DONTWAIT
            } else {
                RecvFlags::empty()
            };
            rustix::net::recv(self.fd(), &mut *buffer, flags).map(|(length, _)| length)
        })
    }

    /// Receives one message and returns its true length, which may be above the buffer's.
    #[inline(always)]
    pub(crate) fn recv_whole(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.run("recv", Interest::Read, until, |dont_wait| {
            let flags = RecvFlags::TRUNC;
            let flags = if dont_wait {
                flags | RecvFlags::DONTWAIT
            } else {
                flags
            };
            rustix::net::recv(self.fd(), &mut *buffer, flags).map(|(_, true_length)| true_length)
        })
    }

    /// [`recv_whole`](Socket::recv_whole) with the sender's address.
    pub(crate) fn recv_from(&self, buffer: &mut [u8], until: Until) -> Result<(usize, Address)> {
        let received = self.run("recv", Interest::Read, until, |dont_wait| {
            let flags = flag(dont_wait) | libc::MSG_TRUNC;
            sys::recv_message(self.fd(), &mut *buffer, &mut [], flags, |_| ())
        })?;
        Ok((received.length, received.from))
    }

    /// Receives with what comes beside the bytes; `whole` asks for the message's true length.
    pub(crate) fn recv_message(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Ancillary,
        whole: bool,
        until: Until,
    ) -> Result<usize> {
        let trunc = if whole { libc::MSG_TRUNC } else { 0 };
        ancillary.fill(self.max_fds, |room, intake| {
            self.run("recv", Interest::Read, until, |dont_wait| {
                let flags = flag(dont_wait) | trunc;
                let take = |message: Cmsg<'_>| intake.take(message);
                sys::recv_message(self.fd(), &mut *buffer, &mut *room, flags, take)
            })
        })
    }

    /// [`recv_message`](Socket::recv_message) from a peer that is held to its user's share. One
    /// that brings more descriptors than are taken is cut off, both ways: its bytes are lost, so
    /// the stream is torn, and it would go on to flood.
    pub(crate) fn recv_or_cut(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Ancillary,
        whole: bool,
        until: Until,
    ) -> Result<usize> {
        let received = self.recv_message(buffer, ancillary, whole, until);
        let outcome = received.and_then(|length| self.charge(ancillary).map(|()| length));
        if let Err(error) = &outcome
            && matches!(error.kind(), ErrorKind::Truncated | ErrorKind::LimitReached)
        {
            self.cut();
        }
        outcome
    }

    /// Counts what is in `ancillary` against the share of the peer's user, where it has one.
    #[inline]
    pub(crate) fn charge(&self, ancillary: &mut Ancillary) -> Result<()> {
        match &self.share {
            Some(share) => ancillary.charge_to(|| share.clone()),
            None => Ok(()),
        }
    }

    /// Ends both directions of a connection whose peer does not keep to what was agreed.
    #[cold]
    pub(crate) fn cut(&self) {
        let _ = rustix::net::shutdown(self.fd(), Shutdown::Both);
    }

    /// [`recv_from`](Socket::recv_from) with the sender's ids; descriptors are closed.
    pub(crate) fn recv_identified(
        &self,
        buffer: &mut [u8],
        until: Until,
    ) -> Result<(usize, Address, Option<Credentials>)> {
        let mut control = [0; sys::control_bytes(0)];
        let mut credentials = None;
        let received = self.run("recv", Interest::Read, until, |dont_wait| {
            let flags = flag(dont_wait) | libc::MSG_TRUNC;
            let take = |message: Cmsg<'_>| {
                if let Cmsg::Credentials(ids) = message {
                    credentials = Some(ids);
                }
            };
            sys::recv_message(self.fd(), &mut *buffer, &mut control, flags, take)
        })?;
        Ok((received.length, received.from, credentials))
    }

    /// Whether the end was seen, and it is not known yet whether it is a death: no readiness of
    /// the descriptor will tell, so who waits must ask again.
    pub(crate) fn awaits_verdict(&self) -> bool {
        self.watch
            .as_ref()
            .is_some_and(|watch| watch.awaits_verdict())
    }
}

pub(crate) const fn message<'a>(
    head: &'a [u8],
    body: &'a [u8],
    fds: &'a [BorrowedFd<'a>],
    to: Option<&'a SocketAddrUnix>,
) -> Outgoing<'a> {
    Outgoing {
        head,
        body,
        fds,
        to,
    }
}

const fn flag(dont_wait: bool) -> libc::c_int {
    if dont_wait { libc::MSG_DONTWAIT } else { 0 }
}
