//! A connected byte stream.

use crate::address::{Address, local_address, peer_address};
use crate::ancillary::Ancillary;
use crate::failures::check_fds;
use crate::peer;
use crate::socket::{Socket, message};
use ipc_core::{Credentials, Debt, Error, ErrorKind, Framed, Result, Until, four_forms};
use ipc_sys::{Process, os_error};
use rustix::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A byte stream in both directions, which can carry descriptors too.
///
/// It may be shared by threads, and given to a child as standard input and output.
///
/// ```
/// let (left, right) = ipc_uds::pair()?;
/// left.send(b"ping")?;
/// let mut bytes = [0; 4];
/// right.recv(&mut bytes)?;
/// assert_eq!(&bytes, b"ping");
/// # Ok::<(), ipc_uds::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    pub(crate) socket: Socket,
    shared: Arc<Shared>,
}

/// What all clones of a stream have in common.
#[derive(Debug, Default)]
struct Shared {
    debt: Debt,
    ended: AtomicBool,
}

impl Stream {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            shared: Arc::default(),
        }
    }

    four_forms! {
        /// Sends `bytes`, all of them.
        ///
        /// Where they do not fit in time but have begun, the rest is owed: the next send writes
        /// it first, and [`flush`](Stream::flush) does it alone. Several threads' sends may
        /// mingle; [`framed`](Stream::framed) messages do not.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more, or after
        /// [`close_write`](Stream::close_write); [`PeerDied`](ErrorKind::PeerDied) with
        /// [`Options::watch_peer`](crate::Options::watch_peer).
        send / try_send / send_timeout / send_deadline = send_until(bytes: &[u8]) -> ()
    }

    four_forms! {
        /// Receives at least one byte into `buffer` and returns how many. Descriptors that come
        /// with them are never installed. While it waits, what this stream owes goes out.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) at the end of what the peer sent, or
        /// [`PeerDied`](ErrorKind::PeerDied) with
        /// [`Options::watch_peer`](crate::Options::watch_peer).
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Sends `bytes`, at least one, and `fds` with the first of them.
        ///
        /// # Errors
        /// As [`send`](Stream::send); [`TooLarge`](ErrorKind::TooLarge) above
        /// [`MAX_FDS`](crate::MAX_FDS); [`InvalidInput`](ErrorKind::InvalidInput) for descriptors
        /// without a byte, which a stream cannot carry.
        send_with_fds / try_send_with_fds / send_with_fds_timeout / send_with_fds_deadline
            = send_with_fds_until(bytes: &[u8], fds: &[BorrowedFd<'_>]) -> ()
    }

    four_forms! {
        /// Receives at least one byte into `buffer`, and what came with them into `ancillary`;
        /// returns how many bytes. Bytes of two sends that both had descriptors never come
        /// together.
        ///
        /// # Errors
        /// As [`recv`](Stream::recv); [`Truncated`](ErrorKind::Truncated) where more descriptors
        /// came than [`Options::max_fds`](crate::Options::max_fds), or some were lost;
        /// [`LimitReached`](ErrorKind::LimitReached) where the peer's user has more here than
        /// [`Options::max_fds_per_user`](crate::Options::max_fds_per_user). Then all are closed,
        /// the bytes are lost, and the stream is cut in both directions.
        recv_with_fds / try_recv_with_fds / recv_with_fds_timeout / recv_with_fds_deadline
            = recv_with_fds_until(buffer: &mut [u8], ancillary: &mut Ancillary) -> usize
    }

    four_forms! {
        /// Finishes a send that is begun and did not fit in time.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more.
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    /// Ends the own direction, of all clones: the peer receives to the end, and its answer can
    /// still come.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) where it is ended already;
    /// [`WouldBlock`](ErrorKind::WouldBlock) while something is owed:
    /// [`flush`](Stream::flush) first.
    pub fn close_write(&self) -> Result<()> {
        self.flush_until(Until::Now)?;
        if self.shared.ended.swap(true, Ordering::Relaxed) {
            return Err(Error::new("close", ErrorKind::Closed));
        }
        rustix::net::shutdown(self.socket.fd(), Shutdown::Write)
            .map_err(|errno| os_error("close", errno))
    }

    /// Messages with their length before them, in both directions.
    #[must_use]
    pub fn framed(self) -> Framed<Self> {
        Framed::new(self)
    }

    /// A second end of the same stream, for another thread: what one of them owes is owed by
    /// both. The peer sees the end when the last is gone.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            shared: Arc::clone(&self.shared),
        })
    }

    /// Who is at the other side: a client as it was when it connected, a server as it was when
    /// it began to listen, for a pair who made it.
    ///
    /// # Errors
    /// As getsockopt(2).
    pub fn credentials(&self) -> Result<Credentials> {
        peer::credentials(self.socket.fd())
    }

    /// The process at the other side, as [`credentials`](Stream::credentials) tells of it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the kernel has no `SO_PEERPIDFD` (before Linux 6.5);
    /// [`ErrorKind::PeerDied`] where it is gone already.
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

    #[inline(always)]
    pub(crate) fn send_until(&self, bytes: &[u8], until: Until) -> Result<()> {
        if self.shared.debt.owes() {
            return self.shared.debt.send(self, &[], bytes, until);
        }
        let written = self.socket.send(bytes, until)?;
        if written == bytes.len() {
            return Ok(());
        }
        self.shared.debt.finish(self, bytes, written, until)
    }

    #[inline(always)]
    pub(crate) fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.shared.debt.owes() {
            let try_read = || self.recv_bytes(&mut *buffer, Until::Now);
            return self.shared.debt.read_paying(self, try_read, until);
        }
        self.recv_bytes(buffer, until)
    }

    #[inline(always)]
    fn recv_bytes(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        // The kernel would wait for bytes even where there is no room for any.
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.socket.recv(buffer, until)? {
            0 => Err(self.socket.end("recv", until)),
            length => Ok(length),
        }
    }

    pub(crate) fn send_with_fds_until(
        &self,
        bytes: &[u8],
        fds: &[BorrowedFd<'_>],
        until: Until,
    ) -> Result<()> {
        if fds.is_empty() {
            return self.send_until(bytes, until);
        }
        check_fds(fds)?;
        if bytes.is_empty() {
            return Err(Error::new("send", ErrorKind::InvalidInput)
                .hint("a stream carries descriptors with a byte: send at least one"));
        }
        self.shared.debt.flush(self, until)?;
        let written = self
            .socket
            .send_message(&message(&[], bytes, fds, None), until)?;
        if written == bytes.len() {
            return Ok(());
        }
        self.shared.debt.finish(self, bytes, written, until)
    }

    pub(crate) fn recv_with_fds_until(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Ancillary,
        until: Until,
    ) -> Result<usize> {
        if self.shared.debt.owes() {
            let try_read = || self.recv_message(&mut *buffer, ancillary, Until::Now);
            return self.shared.debt.read_paying(self, try_read, until);
        }
        self.recv_message(buffer, ancillary, until)
    }

    fn recv_message(
        &self,
        buffer: &mut [u8],
        ancillary: &mut Ancillary,
        until: Until,
    ) -> Result<usize> {
        if buffer.is_empty() {
            return Err(Error::new("recv", ErrorKind::InvalidInput)
                .hint("what comes with bytes comes with the first: receive at least one"));
        }
        match self.socket.recv_or_cut(buffer, ancillary, false, until)? {
            0 => Err(self.socket.end("recv", until)),
            length => Ok(length),
        }
    }

    pub(crate) fn charge(&self, ancillary: &mut Ancillary) -> Result<()> {
        self.socket.charge(ancillary)
    }

    pub(crate) fn cut(&self) {
        self.socket.cut();
    }

    #[inline]
    pub(crate) fn debt(&self) -> &Debt {
        &self.shared.debt
    }

    pub(crate) fn flush_until(&self, until: Until) -> Result<()> {
        self.shared.debt.flush(self, until)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl From<OwnedFd> for Stream {
    /// Takes a connected stream socket from elsewhere, with the defaults.
    fn from(fd: OwnedFd) -> Self {
        Self::new(Socket::adopt(fd))
    }
}

impl From<Stream> for OwnedFd {
    /// Gives the descriptor away. What is owed and does not fit now is lost:
    /// [`flush`](Stream::flush) first.
    fn from(mut stream: Stream) -> Self {
        let _ = stream.flush_until(Until::Now);
        stream.socket.take_fd()
    }
}

impl Drop for Stream {
    /// Writes what is owed, as far as it fits without waiting; [`flush`](Stream::flush) waits.
    fn drop(&mut self) {
        if self.shared.debt.owes() && self.socket.has_fd() {
            let _ = self.try_flush();
        }
    }
}

impl From<Stream> for Stdio {
    fn from(stream: Stream) -> Self {
        OwnedFd::from(stream).into()
    }
}
