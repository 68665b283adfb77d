//! UDP messages.

use crate::exposure::Exposure;
use crate::resolve::resolve;
use crate::socket::{Socket, failure};
use crate::sys;
use ipc_core::{
    Error, ErrorKind, Flush, Interest, Pollable, Result, TryRecv, TrySend, Until, four_forms,
};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The longest message that both families carry; IPv6 alone carries 20 bytes more.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Messages without a connection, each whole or not at all; one may be empty. The network, and a
/// receiver whose buffer is full, lose messages without a word, and may change their order.
///
/// ```
/// let receiver = ipc_net::bind_datagram("127.0.0.1:0")?;
/// let sender = ipc_net::connect_datagram(receiver.address()?)?;
/// sender.send(b"one")?;
/// let mut message = [0; 64];
/// let (length, from) = receiver.recv_from(&mut message)?;
/// receiver.send_to(&message[..length], from)?;
/// assert_eq!(sender.recv(&mut message)?, 3);
/// # Ok::<(), ipc_net::Error>(())
/// ```
#[derive(Debug)]
pub struct Datagram {
    socket: Socket,
    exposure: Exposure,
}

impl Datagram {
    pub(crate) const fn new(fd: OwnedFd, exposure: Exposure) -> Self {
        Self {
            socket: Socket::new(fd),
            exposure,
        }
    }

    four_forms! {
        /// Sends `message` to the connected peer.
        ///
        /// # Errors
        /// [`Refused`](ErrorKind::Refused) where an earlier message came back, since nobody has a
        /// socket there; [`TooLarge`](ErrorKind::TooLarge) above [`MAX_DATAGRAM_BYTES`];
        /// [`InvalidInput`](ErrorKind::InvalidInput) without a peer.
        send / try_send / send_timeout / send_deadline = send_until(message: &[u8]) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer` and returns its length.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) where the message did not fit: it is lost, and the
        /// error names its length. [`Refused`](ErrorKind::Refused) on a connected socket whose
        /// message came back. There is no end: without a connection nobody is missed.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Sends `message` to `address`, an address and no name: nothing is looked up here.
        ///
        /// # Errors
        /// As [`send`](Datagram::send); [`Denied`](ErrorKind::Denied) beyond the loopback
        /// interface, unless
        /// [`Options::insecure_plain_text`](crate::Options::insecure_plain_text) says otherwise.
        send_to / try_send_to / send_to_timeout / send_to_deadline
            = send_to_until(message: &[u8], address: SocketAddr) -> ()
    }

    four_forms! {
        /// Receives one message into `buffer`; returns its length and where it came from, which
        /// anyone on the way can lie about.
        ///
        /// # Errors
        /// As [`recv`](Datagram::recv).
        recv_from / try_recv_from / recv_from_timeout / recv_from_deadline
            = recv_from_until(buffer: &mut [u8]) -> (usize, SocketAddr)
    }

    /// Makes `address` the peer: messages go there, and are received from there alone. The first
    /// of several addresses that can be reached is taken.
    ///
    /// # Errors
    /// As [`send_to`](Datagram::send_to); [`NotFound`](ErrorKind::NotFound) for a name that is
    /// not resolved.
    pub fn connect(&self, address: impl ToSocketAddrs) -> Result<()> {
        let addresses = resolve("connect", address)?;
        for address in &addresses {
            self.exposure.check("connect", address)?;
        }
        let mut last = Error::new("connect", ErrorKind::NotFound);
        for address in &addresses {
            match rustix::net::connect(self.socket.fd(), address) {
                Ok(()) => return Ok(()),
                Err(errno) => last = failure("connect", errno).on(address),
            }
        }
        Err(last)
    }

    /// The own address.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> Result<SocketAddr> {
        sys::local_address(self.socket.fd())
    }

    /// The connected peer's address.
    ///
    /// # Errors
    /// As getpeername(2); [`ErrorKind::Closed`] without a peer.
    pub fn peer_address(&self) -> Result<SocketAddr> {
        sys::peer_address(self.socket.fd())
    }

    #[inline]
    fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        self.socket.send(message, until).map(drop)
    }

    #[inline]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        fits(self.socket.recv_whole(buffer, until)?, buffer)
    }

    fn send_to_until(&self, message: &[u8], address: SocketAddr, until: Until) -> Result<()> {
        self.exposure.check("send", &address)?;
        self.socket.send_to(message, &address, until)
    }

    fn recv_from_until(&self, buffer: &mut [u8], until: Until) -> Result<(usize, SocketAddr)> {
        let (length, from) = self.socket.recv_from(buffer, until)?;
        let length = fits(length, buffer)?;
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        let from = from.ok_or_else(|| {
            Error::new("recv", ErrorKind::WrongType).hint("the sender has no internet address")
        })?;
        Ok((length, from))
    }
}

#[inline]
fn fits(length: usize, buffer: &[u8]) -> Result<usize> {
    if length > buffer.len() {
        return Err(did_not_fit(length, buffer.len()));
    }
    Ok(length)
}

/// A message that did not fit: the kernel has taken it away, cut.
#[cold]
fn did_not_fit(length: usize, room: usize) -> Error {
    Error::new("recv", ErrorKind::TooLarge).hint(format!(
        "the message has {length} bytes, the buffer {room}: it is lost; receive into a larger one"
    ))
}

impl Pollable for Datagram {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.socket.fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket.wait_ready(interests, until)
    }
}

impl TrySend for Datagram {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Datagram {
    /// Nothing is ever owed: a message goes out whole or not at all.
    fn try_flush(&self) -> Result<()> {
        Ok(())
    }
}

impl TryRecv for Datagram {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl From<OwnedFd> for Datagram {
    /// Takes a UDP socket from elsewhere, with the defaults: what it sends by name stays on this
    /// host.
    fn from(fd: OwnedFd) -> Self {
        Self::new(fd, Exposure::default())
    }
}

impl From<Datagram> for OwnedFd {
    fn from(mut datagram: Datagram) -> Self {
        datagram.socket.take_fd()
    }
}
