//! Messages without a connection.

use crate::address::{Address, Spot, local_address, peer_address};
use crate::ancillary::Ancillary;
use crate::bound_path::BoundPath;
use crate::connect::Target;
use crate::failures::{check_fds, did_not_fit};
use crate::fd_quota::FdQuota;
use crate::options::Options;
use crate::peer::Peer;
use crate::policy::Policy;
use crate::socket::{Socket, message};
use crate::sys::{self, Outgoing};
use ipc_core::{Credentials, Error, ErrorKind, Result, Until, four_forms};
use ipc_sys::{PollFd, PollFlags, os_error, wait_any};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Messages without a connection, each whole; one may be empty. On one machine none is lost and
/// none overtakes another: a sender waits while the receiver's queue is full.
///
/// ```
/// let (left, right) = ipc_uds::pair_datagram()?;
/// left.send(b"one")?;
/// left.send(b"")?;
/// let mut message = [0; 64];
/// assert_eq!(right.recv(&mut message)?, 3);
/// assert_eq!(right.recv(&mut message)?, 0);
/// # Ok::<(), ipc_uds::Error>(())
/// ```
#[derive(Debug)]
pub struct Datagram {
    /// First, so that the path is gone before the socket is.
    bound: Option<BoundPath>,
    pub(crate) socket: Socket,
    /// Whose messages are received, where permissions do not see to it.
    policy: Option<Policy>,
    /// Whether messages may go to abstract names, of which the kernel does not say who has them.
    trusts_names: bool,
    refused: AtomicU64,
    quota: FdQuota,
}

impl Datagram {
    pub(crate) fn new(
        socket: Socket,
        bound: Option<BoundPath>,
        policy: Option<Policy>,
        options: &Options,
    ) -> Self {
        Self {
            bound,
            socket,
            policy,
            trusts_names: options.lets_anyone_in(),
            refused: AtomicU64::new(0),
            quota: FdQuota::new(options.fds_per_user()),
        }
    }

    four_forms! {
        /// Sends `message` to the connected peer. It waits while the peer's queue is full
        /// (net.unix.max_dgram_qlen).
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer is gone; [`TooLarge`](ErrorKind::TooLarge)
        /// above the send buffer; [`InvalidInput`](ErrorKind::InvalidInput) without a peer.
        send / try_send / send_timeout / send_deadline = send_until(message: &[u8]) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer` and returns its length. Descriptors that come with
        /// it are never installed.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) where the message did not fit: it is lost, and the
        /// error names its length. There is no end: without a connection nobody is missed.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Sends `message` to whoever has `address`. A path is looked up at each send, its last
        /// component never followed through a link; [`connect`](Datagram::connect) does so once.
        ///
        /// # Errors
        /// [`NotFound`](ErrorKind::NotFound) and [`Refused`](ErrorKind::Refused) where nobody is
        /// there; [`WrongType`](ErrorKind::WrongType) where it is no datagram socket;
        /// [`Denied`](ErrorKind::Denied) for an abstract name, of which nobody knows who has it,
        /// unless the policy is [`Policy::anyone`]; else as [`send`](Datagram::send).
        send_to / try_send_to / send_to_timeout / send_to_deadline
            = send_to_until(message: &[u8], address: &Address) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer`; returns its length and where it came from. A
        /// sender that is not bound has no name, and cannot be answered.
        ///
        /// # Errors
        /// As [`recv`](Datagram::recv).
        recv_from / try_recv_from / recv_from_timeout / recv_from_deadline
            = recv_from_until(buffer: &mut [u8]) -> (usize, Address)
    }

    four_forms! {
        /// Sends `message` and `fds` to the connected peer.
        ///
        /// # Errors
        /// As [`send`](Datagram::send); [`TooLarge`](ErrorKind::TooLarge) above
        /// [`MAX_FDS`](crate::MAX_FDS) too.
        send_with_fds / try_send_with_fds / send_with_fds_timeout / send_with_fds_deadline
            = send_with_fds_until(message: &[u8], fds: &[BorrowedFd<'_>]) -> ()
    }

    four_forms! {
        /// Sends `message` and `fds` to whoever has `address`.
        ///
        /// # Errors
        /// As [`send_to`](Datagram::send_to) and [`send_with_fds`](Datagram::send_with_fds).
        send_with_fds_to / try_send_with_fds_to
            / send_with_fds_to_timeout / send_with_fds_to_deadline
            = send_with_fds_to_until(
                message: &[u8],
                fds: &[BorrowedFd<'_>],
                address: &Address,
            ) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer`, and what came with it into `ancillary`, its
        /// sender's address too; returns the message's length.
        ///
        /// # Errors
        /// As [`recv`](Datagram::recv); [`Truncated`](ErrorKind::Truncated) where more
        /// descriptors came than [`Options::max_fds`](crate::Options::max_fds), or some were
        /// lost; [`LimitReached`](ErrorKind::LimitReached) where the sender's user has more here
        /// than [`Options::max_fds_per_user`](crate::Options::max_fds_per_user). Then all are
        /// closed, and the message is lost; the socket works on.
        recv_with_fds / try_recv_with_fds / recv_with_fds_timeout / recv_with_fds_deadline
            = recv_with_fds_until(buffer: &mut [u8], ancillary: &mut Ancillary) -> usize
    }

    /// Makes whoever has `address` the peer: messages go there, and are received from there
    /// alone.
    ///
    /// # Errors
    /// As [`send_to`](Datagram::send_to).
    pub fn connect(&self, address: &Address) -> Result<()> {
        self.connect_to(&Spot::of(address)?)
    }

    pub(crate) fn connect_to(&self, spot: &Spot) -> Result<()> {
        let target = self.find("connect", spot)?;
        rustix::net::connect(self.socket.fd(), &target.kernel)
            .map_err(|errno| target.failure("connect", errno))
    }

    /// How many messages the policy has refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The own address.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> Result<Address> {
        local_address(self.socket.fd())
    }

    /// The connected peer's address.
    ///
    /// # Errors
    /// As getpeername(2); [`ErrorKind::Closed`] without a peer.
    pub fn peer_address(&self) -> Result<Address> {
        peer_address(self.socket.fd())
    }

    #[inline]
    pub(crate) fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        self.socket.send(message, until).map(drop).map_err(to_peer)
    }

    pub(crate) fn send_with_fds_until(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        until: Until,
    ) -> Result<()> {
        check_fds(fds)?;
        let message = message(&[], bytes, fds, None);
        self.socket
            .send_message(&message, until)
            .map(drop)
            .map_err(to_peer)
    }

    fn send_to_until(&self, bytes: &[u8], address: &Address, until: Until) -> Result<()> {
        self.send_with_fds_to_until(bytes, &[], address, until)
    }

    fn send_with_fds_to_until(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        address: &Address,
        until: Until,
    ) -> Result<()> {
        check_fds(fds)?;
        let target = self.find("send", &Spot::of(address)?)?;
        let message: Outgoing<'_> = message(&[], bytes, fds, Some(&target.kernel));
        loop {
            match self.socket.send_once(&message, until) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if until == Until::Now => return Err(until.over("send")),
                Err(Errno::AGAIN) => self.wait_for_room(&target, until)?,
                Err(errno @ (Errno::MSGSIZE | Errno::NOBUFS | Errno::NOMEM)) => {
                    return Err(self.socket.failure("send", errno));
                }
                Err(errno) => return Err(target.failure("send", errno)),
            }
        }
    }

    pub(crate) fn find(&self, operation: &'static str, spot: &Spot) -> Result<Target> {
        if spot.address.as_abstract().is_some() && !self.trusts_names {
            return Err(Error::new(operation, ErrorKind::Denied)
                .on(spot.address)
                .hint(
                    "the kernel does not say who receives datagrams at an abstract name; \
                 Policy::anyone accepts that",
                ));
        }
        Target::find(operation, spot)
    }

    /// Waits for room in our own buffer, then in the receiver's queue. The latter shows only on
    /// a socket that is connected to it, so one is made for the wait.
    #[cold]
    fn wait_for_room(&self, target: &Target, until: Until) -> Result<()> {
        self.socket.wait("send", PollFlags::OUT, until)?;
        let Some(watcher) = watcher(target)? else {
            return Ok(());
        };
        match wait_any(&mut [PollFd::new(&watcher, PollFlags::OUT)], until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over("send")),
            Err(errno) => Err(os_error("send", errno)),
        }
    }

    #[inline]
    pub(crate) fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.policy.is_some() {
            return self
                .recv_from_until(buffer, until)
                .map(|(length, _)| length);
        }
        fits(self.socket.recv_whole(buffer, until)?, buffer)
    }

    fn recv_from_until(&self, buffer: &mut [u8], until: Until) -> Result<(usize, Address)> {
        if self.policy.is_none() {
            let (length, from) = self.socket.recv_from(buffer, until)?;
            return Ok((fits(length, buffer)?, from));
        }
        loop {
            let (length, from, credentials) = self.socket.recv_identified(buffer, until)?;
            if self.admits(credentials) {
                return Ok((fits(length, buffer)?, from));
            }
            self.refuse(until)?;
        }
    }

    pub(crate) fn recv_with_fds_until(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Ancillary,
        until: Until,
    ) -> Result<usize> {
        loop {
            let outcome = self.socket.recv_message(buffer, ancillary, true, until);
            let came = match &outcome {
                Ok(_) => true,
                Err(error) => error.kind() == ErrorKind::Truncated,
            };
            if came && !self.admits(ancillary.credentials()) {
                ancillary.clear();
                self.refuse(until)?;
                continue;
            }
            let length = outcome?;
            self.charge(ancillary)?;
            if length > buffer.len() {
                ancillary.clear();
            }
            return fits(length, buffer);
        }
    }

    /// Whoever sent it, as far as the kernel says, is who holds what it brought.
    pub(crate) fn charge(&self, ancillary: &mut Ancillary) -> Result<()> {
        let uid = ancillary.credentials().map(|ids| ids.uid);
        ancillary.charge_to(|| self.quota.share(uid))
    }

    /// There is no connection that could be cut: the socket works on.
    pub(crate) const fn cut(&self) {}

    pub(crate) const fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    pub(crate) fn admits(&self, credentials: Option<Credentials>) -> bool {
        match (&self.policy, credentials) {
            (None, _) => true,
            (Some(policy), Some(ids)) => policy.admits(&Peer::of_message(ids)),
            (Some(_), None) => false,
        }
    }

    /// Counts a refused message; a flood of them does not hold the caller beyond its deadline.
    #[cold]
    pub(crate) fn refuse(&self, until: Until) -> Result<()> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if matches!(until, Until::At(_)) && until.is_over() {
            return Err(until.over("recv"));
        }
        Ok(())
    }
}

/// A socket on which room in the target's queue shows; none where it is gone, or talks to another
/// alone, which the next try says.
pub(crate) fn watcher(target: &Target) -> Result<Option<OwnedFd>> {
    let watcher = sys::socket("send", sys::DATAGRAM, SocketFlags::empty())?;
    let connected = rustix::net::connect(&watcher, &target.kernel);
    Ok(connected.is_ok().then_some(watcher))
}

#[inline]
fn fits(length: usize, buffer: &[u8]) -> Result<usize> {
    if length > buffer.len() {
        Err(did_not_fit(length, buffer.len()))
    } else {
        Ok(length)
    }
}

/// A peer that was there when we connected and refuses now is gone for good.
#[cold]
pub(crate) fn to_peer(error: Error) -> Error {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(errno @ Errno::CONNREFUSED) => Error::new("send", ErrorKind::Closed)
            .hint("the peer's socket is gone; connect again")
            .caused_by(errno.into()),
        Some(errno @ (Errno::NOTCONN | Errno::DESTADDRREQ)) => {
            Error::new("send", ErrorKind::InvalidInput)
                .hint("this socket has no peer; connect it, or use send_to")
                .caused_by(errno.into())
        }
        _ => error,
    }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl From<OwnedFd> for Datagram {
    /// Takes a datagram socket from elsewhere, with the defaults.
    fn from(fd: OwnedFd) -> Self {
        Self::new(Socket::adopt(fd), None, None, &Options::new())
    }
}

impl From<Datagram> for OwnedFd {
    /// Gives the descriptor away; a path stays when it is closed.
    fn from(mut datagram: Datagram) -> Self {
        if let Some(bound) = datagram.bound.take() {
            bound.keep();
        }
        datagram.socket.take_fd()
    }
}
