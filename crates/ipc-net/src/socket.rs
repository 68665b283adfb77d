//! A connected or bound socket: how each form of a verb tries, waits and tries again.

use ipc_core::{Error, ErrorKind, Interest, Result, Until};
use ipc_sys::{PollFd, PollFlags, os_error, wait_any};
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, recv, recvfrom, send, sendmsg, sendto,
};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What streams and datagrams have in common: a descriptor.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Always there, but in the moment when it is taken out to be given away.
    fd: Option<OwnedFd>,
}

impl Socket {
    pub(crate) const fn new(fd: OwnedFd) -> Self {
        Self { fd: Some(fd) }
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
        Ok(Self::new(fd))
    }

    /// Sends what fits, at least one byte of a stream, or the whole message.
    #[inline]
    pub(crate) fn send(&self, bytes: &[u8], until: Until) -> Result<usize> {
        self.run("send", Interest::Write, until, |dont_wait| {
            send(self.fd(), bytes, sending(dont_wait))
        })
    }

    /// Sends `head` and `body` together.
    pub(crate) fn send_gathered(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        let slices = [IoSlice::new(head), IoSlice::new(body)];
        self.run("send", Interest::Write, until, |dont_wait| {
            let mut control = SendAncillaryBuffer::default();
            sendmsg(self.fd(), &slices, &mut control, sending(dont_wait))
        })
    }

    /// Sends one message to `address`.
    pub(crate) fn send_to(&self, bytes: &[u8], address: &SocketAddr, until: Until) -> Result<()> {
        self.run("send", Interest::Write, until, |dont_wait| {
            sendto(self.fd(), bytes, sending(dont_wait), address)
        })
        .map(drop)
        .map_err(|error| error.on(address))
    }

    /// Receives what is there; 0 is the end of a stream.
    #[inline]
    pub(crate) fn recv(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.run("recv", Interest::Read, until, |dont_wait| {
            recv(self.fd(), &mut *buffer, receiving(dont_wait)).map(|(length, _)| length)
        })
    }

    /// Receives one message and returns its true length, which may be above the buffer's.
    #[inline]
    pub(crate) fn recv_whole(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.run("recv", Interest::Read, until, |dont_wait| {
            let flags = receiving(dont_wait) | RecvFlags::TRUNC;
            recv(self.fd(), &mut *buffer, flags).map(|(_, true_length)| true_length)
        })
    }

    /// [`recv_whole`](Socket::recv_whole) with the sender's address.
    pub(crate) fn recv_from(
        &self,
        buffer: &mut [u8],
        until: Until,
    ) -> Result<(usize, Option<SocketAddrAny>)> {
        self.run("recv", Interest::Read, until, |dont_wait| {
            let flags = receiving(dont_wait) | RecvFlags::TRUNC;
            recvfrom(self.fd(), &mut *buffer, flags).map(|(_, length, from)| (length, from))
        })
    }

    /// Waits until the socket is ready for one of `interests`.
    pub(crate) fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        let flags = interests
            .iter()
            .fold(PollFlags::empty(), |flags, interest| {
                flags | wanted(*interest)
            });
        self.wait("wait", flags, until)
    }

    /// Tries, and waits, until `call` does something else than ask to come again. The blocking
    /// form is the call itself, which blocks in the kernel.
    #[inline]
    fn run<T>(
        &self,
        operation: &'static str,
        interest: Interest,
        until: Until,
        mut call: impl FnMut(bool) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let dont_wait = until != Until::Forever;
        match call(dont_wait) {
            Ok(done) => Ok(done),
            Err(errno) => self.run_on(operation, interest, until, errno, || call(dont_wait)),
        }
    }

    /// What follows a first try that failed.
    #[cold]
    fn run_on<T>(
        &self,
        operation: &'static str,
        interest: Interest,
        until: Until,
        mut errno: Errno,
        mut call: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T> {
        loop {
            match errno {
                Errno::INTR => {}
                Errno::AGAIN if until == Until::Now => return Err(until.over(operation)),
                // A blocking form comes here too where somebody set O_NONBLOCK on what we share.
                Errno::AGAIN => self.wait(operation, wanted(interest), until)?,
                errno => return Err(failure(operation, errno)),
            }
            match call() {
                Ok(done) => return Ok(done),
                Err(next) => errno = next,
            }
        }
    }

    fn wait(&self, operation: &'static str, flags: PollFlags, until: Until) -> Result<()> {
        match wait_any(&mut [PollFd::from_borrowed_fd(self.fd(), flags)], until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over(operation)),
            Err(errno) => Err(os_error(operation, errno)),
        }
    }
}

/// What an error number means on a connection or datagram socket.
#[cold]
pub(crate) fn failure(operation: &'static str, errno: Errno) -> Error {
    let of_kind = |kind, hint: &'static str| {
        Error::new(operation, kind)
            .hint(hint)
            .caused_by(errno.into())
    };
    match errno {
        Errno::PIPE | Errno::CONNRESET | Errno::CONNABORTED | Errno::NOTCONN => {
            Error::new(operation, ErrorKind::Closed).caused_by(errno.into())
        }
        // The kernel's word for a peer that does not answer: no deadline of a caller.
        Errno::TIMEDOUT => of_kind(
            ErrorKind::Closed,
            "the peer's host does not answer any more (keepalive, unacknowledged_timeout)",
        ),
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN | Errno::HOSTDOWN => {
            of_kind(ErrorKind::Refused, "there is no way to this address now")
        }
        Errno::CONNREFUSED => of_kind(
            ErrorKind::Refused,
            "nobody has a socket there; a message before this one came back",
        ),
        Errno::MSGSIZE => of_kind(
            ErrorKind::TooLarge,
            "a datagram has at most 65507 bytes (65527 over IPv6), and no more than the send buffer",
        ),
        Errno::DESTADDRREQ => of_kind(
            ErrorKind::InvalidInput,
            "this socket has no peer; connect it, or use send_to",
        ),
        errno => os_error(operation, errno),
    }
}

#[inline]
fn sending(dont_wait: bool) -> SendFlags {
    if dont_wait {
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT
    } else {
        SendFlags::NOSIGNAL
    }
}

#[inline]
fn receiving(dont_wait: bool) -> RecvFlags {
    if dont_wait {
        RecvFlags::DONTWAIT
    } else {
        RecvFlags::empty()
    }
}

const fn wanted(interest: Interest) -> PollFlags {
    match interest {
        Interest::Read => PollFlags::IN,
        Interest::Write => PollFlags::OUT,
    }
}
