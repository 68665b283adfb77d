//! A connection that keeps messages apart and in order.

use crate::address::{Address, local_address, peer_address};
use crate::ancillary::Ancillary;
use crate::failures::{check_fds, did_not_fit};
use crate::peer;
use crate::socket::{Socket, message};
use ipc_core::{
    Credentials, Error, ErrorKind, Flush, Interest, Pollable, Result, TryRecv, TryRecvFds, TrySend,
    TrySendFds, Until, four_forms,
};
use ipc_sys::{PollFd, PollFlags, Process, os_error, wait_any};
use rustix::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A connection that keeps messages apart and in order, each whole or not there at all.
///
/// ```
/// let (left, right) = ipc_uds::pair_seqpacket()?;
/// left.send(b"one")?;
/// left.send(b"two")?;
/// let mut message = [0; 64];
/// assert_eq!(right.recv(&mut message)?, 3);
/// # Ok::<(), ipc_uds::Error>(())
/// ```
#[derive(Debug)]
pub struct SeqPacket {
    socket: Socket,
}

impl SeqPacket {
    pub(crate) const fn new(socket: Socket) -> Self {
        Self { socket }
    }

    four_forms! {
        /// Sends `message`, of at least one byte: an empty one would look like the end.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer is gone, or
        /// [`PeerDied`](ErrorKind::PeerDied) with
        /// [`Options::watch_peer`](crate::Options::watch_peer); [`TooLarge`](ErrorKind::TooLarge)
        /// above the send buffer; [`InvalidInput`](ErrorKind::InvalidInput) for an empty message.
        send / try_send / send_timeout / send_deadline = send_until(message: &[u8]) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer` and returns its length. Descriptors that come with
        /// it are never installed. An empty message from another program is 0, but where that
        /// program has closed its end right behind it the kernel shows the end alone.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer is gone and all is received, or
        /// [`PeerDied`](ErrorKind::PeerDied) with
        /// [`Options::watch_peer`](crate::Options::watch_peer); [`TooLarge`](ErrorKind::TooLarge)
        /// where the message did not fit: it is lost, and the error names its length.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Sends `message` and `fds` with it.
        ///
        /// # Errors
        /// As [`send`](SeqPacket::send); [`TooLarge`](ErrorKind::TooLarge) above
        /// [`MAX_FDS`](crate::MAX_FDS) too.
        send_with_fds / try_send_with_fds / send_with_fds_timeout / send_with_fds_deadline
            = send_with_fds_until(message: &[u8], fds: &[BorrowedFd<'_>]) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer`, and what came with it into `ancillary`; returns
        /// the message's length.
        ///
        /// # Errors
        /// As [`recv`](SeqPacket::recv); [`Truncated`](ErrorKind::Truncated) where more
        /// descriptors came than [`Options::max_fds`](crate::Options::max_fds), or some were
        /// lost; [`LimitReached`](ErrorKind::LimitReached) where the peer's user has more here
        /// than [`Options::max_fds_per_user`](crate::Options::max_fds_per_user). Then all are
        /// closed, the message is lost, and the connection is cut in both directions.
        recv_with_fds / try_recv_with_fds / recv_with_fds_timeout / recv_with_fds_deadline
            = recv_with_fds_until(buffer: &mut [u8], ancillary: &mut Ancillary) -> usize
    }

    /// Ends the own direction: the peer receives to the end, and its answers can still come.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn close_write(&self) -> Result<()> {
        rustix::net::shutdown(self.socket.fd(), Shutdown::Write)
            .map_err(|errno| os_error("close", errno))
    }

    /// A second end of the same connection, for another thread.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
        })
    }

    /// Who is at the other side; see [`Stream::credentials`](crate::Stream::credentials).
    ///
    /// # Errors
    /// As getsockopt(2).
    pub fn credentials(&self) -> Result<Credentials> {
        peer::credentials(self.socket.fd())
    }

    /// The process at the other side; see [`Stream::peer_process`](crate::Stream::peer_process).
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] before Linux 6.5; [`ErrorKind::PeerDied`] where it is gone.
    pub fn peer_process(&self) -> Result<Process> {
        peer::process(self.socket.fd())
    }

    /// The own address.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> Result<Address> {
        local_address(self.socket.fd())
    }

    /// The peer's address; a client has none unless it was bound.
    ///
    /// # Errors
    /// As getpeername(2).
    pub fn peer_address(&self) -> Result<Address> {
        peer_address(self.socket.fd())
    }

    #[inline]
    fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        check_message(message)?;
        self.socket.send(message, until).map(drop)
    }

    #[inline]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        match self.socket.recv_whole(buffer, until)? {
            0 => self.empty_or_end(until),
            length if length > buffer.len() => Err(did_not_fit(length, buffer.len())),
            length => Ok(length),
        }
    }

    pub(crate) fn send_with_fds_until(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        until: Until,
    ) -> Result<()> {
        check_message(bytes)?;
        check_fds(fds)?;
        self.socket
            .send_message(&message(&[], bytes, fds, None), until)
            .map(drop)
    }

    pub(crate) fn recv_with_fds_until(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Ancillary,
        until: Until,
    ) -> Result<usize> {
        match self.socket.recv_or_cut(buffer, ancillary, true, until)? {
            // The end brings nothing with it.
            0 if ancillary.credentials().is_some() || !ancillary.fds().is_empty() => Ok(0),
            0 => self.empty_or_end(until),
            length if length > buffer.len() => {
                ancillary.clear();
                Err(did_not_fit(length, buffer.len()))
            }
            length => Ok(length),
        }
    }

    /// A receive of nothing is the end, unless the peer can still send.
    #[cold]
    fn empty_or_end(&self, until: Until) -> Result<usize> {
        match self.has_ended() {
            false => Ok(0),
            true => Err(self.socket.end("recv", until)),
        }
    }

    pub(crate) fn charge(&self, ancillary: &mut Ancillary) -> Result<()> {
        self.socket.charge(ancillary)
    }

    pub(crate) fn cut(&self) {
        self.socket.cut();
    }

    /// Whether the peer can send no more.
    pub(crate) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.socket.fd(), PollFlags::RDHUP)];
        !matches!(wait_any(&mut fds, Until::Now), Ok(false))
    }

    pub(crate) const fn socket(&self) -> &Socket {
        &self.socket
    }
}

#[inline]
pub(crate) fn check_message(message: &[u8]) -> Result<()> {
    if message.is_empty() {
        return Err(Error::new("send", ErrorKind::InvalidInput)
            .hint("an empty message looks like the end to the peer: send at least one byte"));
    }
    Ok(())
}

impl Pollable for SeqPacket {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.socket.fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket.wait_ready(interests, until)
    }
    fn arm(&self, _interest: Interest) -> Result<bool> {
        Ok(self.socket.awaits_verdict())
    }
}

impl TrySend for SeqPacket {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for SeqPacket {
    /// Nothing is ever owed: a message goes out whole or not at all.
    fn try_flush(&self) -> Result<()> {
        Ok(())
    }
}

impl TryRecv for SeqPacket {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl TrySendFds for SeqPacket {
    fn try_send_with_fds(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.try_send_with_fds(message, fds)
    }
}

impl TryRecvFds for SeqPacket {
    type Ancillary = Ancillary;
    fn try_recv_with_fds(&self, buffer: &mut [u8], ancillary: &mut Ancillary) -> Result<usize> {
        self.try_recv_with_fds(buffer, ancillary)
    }
}

impl AsFd for SeqPacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl From<OwnedFd> for SeqPacket {
    /// Takes a connected seqpacket socket from elsewhere, with the defaults.
    fn from(fd: OwnedFd) -> Self {
        Self::new(Socket::adopt(fd))
    }
}

impl From<SeqPacket> for OwnedFd {
    fn from(mut connection: SeqPacket) -> Self {
        connection.socket.take_fd()
    }
}
