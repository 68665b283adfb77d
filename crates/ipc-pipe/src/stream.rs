//! Two pipes as a byte stream in both directions.

use crate::{Receiver, Sender};
use ipc_core::{
    ByteSink, ByteSource, Debt, Error, ErrorKind, Flush, Framed, Interest, Pollable, Result,
    TryRecv, TrySend, Until, four_forms,
};
use ipc_sys::wait_ready;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

/// A byte stream in both directions, made of two pipes.
///
/// ```
/// let (left, right) = ipc_pipe::duplex()?;
/// left.send(b"ping")?;
/// let mut bytes = [0; 4];
/// right.recv(&mut bytes)?;
/// assert_eq!(&bytes, b"ping");
/// # Ok::<(), ipc_pipe::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    receiver: Receiver,
    sender: Sender,
}

impl Stream {
    /// A stream of the ends of two pipes, such as a child was given: what
    /// [`split`](Stream::split) takes apart.
    #[must_use]
    pub const fn join(sender: Sender, receiver: Receiver) -> Self {
        Self { receiver, sender }
    }

    four_forms! {
        /// Sends `bytes`, all of them; see [`Sender::send`].
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more.
        send / try_send / send_timeout / send_deadline = send_until(bytes: &[u8]) -> ()
    }

    four_forms! {
        /// Receives at least one byte into `buffer` and returns how many. While it waits, what
        /// this stream owes to the peer goes out.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) at the end of what the peer sent.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Finishes a send that is begun and did not fit in time.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when the peer can read no more.
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    /// Messages with their length before them, in both directions.
    #[must_use]
    pub fn framed(self) -> Framed<Self> {
        Framed::new(self)
    }

    /// The two ends, to be given to two threads, or to a child as standard input and output.
    /// Dropping the sender ends the own direction alone.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    fn send_until(&self, bytes: &[u8], until: Until) -> Result<()> {
        match until {
            Until::Now => self.sender.try_send(bytes),
            Until::Forever => self.sender.send(bytes),
            Until::At(deadline) => self.sender.send_deadline(bytes, deadline),
        }
    }

    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        match self.read_until(buffer, until)? {
            0 if !buffer.is_empty() => Err(Error::new("recv", ErrorKind::Closed)),
            length => Ok(length),
        }
    }

    fn flush_until(&self, until: Until) -> Result<()> {
        self.debt().flush(self, until)
    }
}

impl ByteSource for Stream {
    #[inline]
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if self.owes() {
            let try_read = || self.receiver.read_until(&mut *buffer, Until::Now);
            return self.debt().read_paying(self, try_read, until);
        }
        self.receiver.read_until(buffer, until)
    }
}

impl ByteSink for Stream {
    #[inline]
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        self.sender.write_until(head, body, until)
    }
    #[inline]
    fn debt(&self) -> &Debt {
        self.sender.debt()
    }
}

impl Pollable for Stream {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        match interest {
            Interest::Read => self.receiver.descriptor(interest),
            Interest::Write => self.sender.descriptor(interest),
        }
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        wait_ready(self, interests, until)
    }
    fn owes(&self) -> bool {
        self.sender.owes()
    }
    fn pay(&self) -> Result<()> {
        self.try_flush()
    }
}

impl TrySend for Stream {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.sender.try_send(message)
    }
}

impl Flush for Stream {
    fn try_flush(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

impl TryRecv for Stream {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_until(buffer, Until::Forever)?)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.sender, bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.sender)
    }
}
