//! A connected TCP stream.

use crate::socket::{Socket, failure};
use crate::sys;
use ipc_core::{
    ByteSink, ByteSource, Debt, Error, ErrorKind, Framed, HalfClose, Interest, Pollable, Result,
    Until, byte_stream, four_forms,
};
use rustix::io::Errno;
use rustix::net::Shutdown;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long to give a peer to end in order, where nothing else is known: 10 s.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A byte stream in both directions, over TCP. It may be shared by threads.
///
/// ```
/// let (left, right) = ipc_net::pair()?;
/// left.send(b"ping")?;
/// let mut bytes = [0; 4];
/// right.recv(&mut bytes)?;
/// assert_eq!(&bytes, b"ping");
/// # Ok::<(), ipc_net::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    shared: Arc<Shared>,
}

/// What all clones of a stream have in common.
#[derive(Debug, Default)]
struct Shared {
    debt: Debt,
    ended: AtomicBool,
}

impl Stream {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self {
            socket: Socket::new(fd),
            shared: Arc::default(),
        }
    }

    four_forms! {
        /// Sends `bytes`, all of them: the kernel has them then, and not yet the peer.
        ///
        /// Where they do not fit in time but have begun, the rest is owed: the next send writes
        /// it first, and [`flush`](Stream::flush) does it alone. Several threads' sends may
        /// mingle; [`framed`](Stream::framed) messages do not.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more, or after
        /// [`close_write`](Stream::close_write).
        send / try_send / send_timeout / send_deadline = send_until(bytes: &[u8]) -> ()
    }

    four_forms! {
        /// Receives at least one byte into `buffer` and returns how many. While it waits, what
        /// this stream owes goes out.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) at the end of what the peer sent, or where it was cut
        /// off: then there is a system error behind it.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Finishes a send that is begun and did not fit in time.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more.
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    four_forms! {
        /// Ends in order: writes what is owed, ends the own direction, and waits for the peer's
        /// end, so that what was sent is received and not cut off by a reset. What the peer still
        /// sends is thrown away; returns how many bytes that were.
        ///
        /// Called again it goes on. [`DRAIN_TIMEOUT`] is a good time to give.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) where the connection was cut off.
        drain / try_drain / drain_timeout / drain_deadline = drain_until() -> u64
    }

    /// Ends the own direction, of all clones: the peer receives to the end, and its answer can
    /// still come.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) where it is ended already;
    /// [`WouldBlock`](ErrorKind::WouldBlock) while something is owed: [`flush`](Stream::flush)
    /// first.
    pub fn close_write(&self) -> Result<()> {
        self.flush_until(Until::Now)?;
        if self.shared.ended.swap(true, Ordering::Relaxed) {
            return Err(Error::new("close", ErrorKind::Closed));
        }
        rustix::net::shutdown(self.socket.fd(), Shutdown::Write)
            .map_err(|errno| failure("close", errno))
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

    /// The own address.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> Result<SocketAddr> {
        sys::local_address(self.socket.fd())
    }

    /// The peer's address. It says where packets come from, not who sends them.
    ///
    /// # Errors
    /// As getpeername(2); [`ErrorKind::Closed`] where the connection was cut off.
    pub fn peer_address(&self) -> Result<SocketAddr> {
        sys::peer_address(self.socket.fd())
    }

    #[inline]
    fn send_until(&self, bytes: &[u8], until: Until) -> Result<()> {
        if self.shared.debt.owes() {
            return self.shared.debt.send(self, &[], bytes, until);
        }
        let written = self.socket.send(bytes, until)?;
        if written == bytes.len() {
            return Ok(());
        }
        self.shared.debt.finish(self, bytes, written, until)
    }

    #[inline]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.shared.debt.owes() {
            let try_read = || self.recv_bytes(&mut *buffer, Until::Now);
            return self.shared.debt.read_paying(self, try_read, until);
        }
        self.recv_bytes(buffer, until)
    }

    #[inline]
    fn recv_bytes(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        // The kernel would wait for bytes even where there is no room for any.
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.socket.recv(buffer, until)? {
            0 => Err(Error::new("recv", ErrorKind::Closed)),
            length => Ok(length),
        }
    }

    fn flush_until(&self, until: Until) -> Result<()> {
        self.shared.debt.flush(self, until)
    }

    fn drain_until(&self, until: Until) -> Result<u64> {
        self.flush_until(until)?;
        if !self.shared.ended.swap(true, Ordering::Relaxed) {
            match rustix::net::shutdown(self.socket.fd(), Shutdown::Write) {
                // The peer cut it off; the receive below tells how.
                Ok(()) | Err(Errno::NOTCONN) => {}
                Err(errno) => return Err(failure("drain", errno)),
            }
        }
        let mut thrown_away = 0;
        let mut scratch = [0; 16 * 1024];
        loop {
            match self.read_until(&mut scratch, until)? {
                0 => return Ok(thrown_away),
                length => thrown_away += length as u64,
            }
            // A peer that never stops sending does not hold the caller beyond its deadline.
            if matches!(until, Until::At(_)) && until.is_over() {
                return Err(until.over("drain"));
            }
        }
    }
}

impl ByteSource for Stream {
    #[inline]
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.recv_until(buffer, until) {
            // An end with a system error behind it (a reset) is none that the peer meant.
            Err(error) if error.kind() == ErrorKind::Closed && error.raw_os_error().is_none() => {
                Ok(0)
            }
            outcome => outcome,
        }
    }
}

impl ByteSink for Stream {
    #[inline]
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        match head {
            [] => self.socket.send(body, until),
            _ => self.socket.send_gathered(head, body, until),
        }
    }
    #[inline]
    fn debt(&self) -> &Debt {
        &self.shared.debt
    }
    fn end_until(&self, until: Until) -> Result<()> {
        self.pay_until(until)?;
        HalfClose::close_write(self)
    }
}

impl HalfClose for Stream {
    fn close_write(&self) -> Result<()> {
        self.close_write()
    }
}

impl Pollable for Stream {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.socket.fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket.wait_ready(interests, until)
    }
    fn owes(&self) -> bool {
        self.shared.debt.owes()
    }
    fn pay(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

byte_stream!(Stream);

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl From<OwnedFd> for Stream {
    /// Takes a connected TCP socket from elsewhere as it is; whoever made it has seen to where
    /// its plain text goes.
    fn from(fd: OwnedFd) -> Self {
        Self::new(fd)
    }
}

impl From<Stream> for OwnedFd {
    /// Gives the descriptor away. What is owed and does not fit now is lost:
    /// [`flush`](Stream::flush) first.
    fn from(mut stream: Stream) -> Self {
        let _ = stream.try_flush();
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
