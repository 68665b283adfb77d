//! A channel as a stream of bytes, for protocols that were written for sockets.

use crate::both_ends::{spins_at_both_ends, wait_for_either};
use crate::{Channel, Receiver, Sender, WhenFull};
use ipc_core::{
    ByteSink, ByteSource, Debt, Error, ErrorKind, Framed, HalfClose, Interest, Pollable, Rest,
    Result, Turn, Until, byte_stream, four_forms,
};
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

/// Bytes of the pieces in which much is written: while the receiver copies one out, the next is
/// copied in. Sizes from 16 to 256 KiB could not be told apart by their intervals.
const PIECE_BYTES: usize = 64 << 10;

/// A channel as a stream of bytes in both directions: where messages begin and end is not seen.
///
/// ```
/// use std::io::{Read, Write};
/// let (left, right) = ipc_uds::pair_seqpacket()?;
/// let other = std::thread::spawn(|| ipc_ring::Options::new().over(right));
/// let mut stream = ipc_ring::Options::new().over(left)?.stream();
/// let mut other = other.join().expect("no panic")?.stream();
/// stream.write_all(b"ping")?;
/// let mut bytes = [0; 2];
/// other.read_exact(&mut bytes)?;
/// assert_eq!(&bytes, b"pi");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    sender: Sender,
    receiver: Receiver,
    /// How much of the first message was read; who reads holds it.
    read: Turn<usize>,
    debt: Debt,
    /// It was shut down here.
    ended: AtomicBool,
    /// No more is sent from here.
    write_ended: AtomicBool,
    /// Who waits to read has left it to another to send what is owed.
    passed_over: AtomicBool,
}

impl Channel {
    /// The channel as a stream of bytes. Where it is full its verbs wait, as their forms say, and
    /// not as [`WhenFull`] does: a stream drops nothing of what it has begun.
    #[must_use]
    pub fn stream(self) -> Stream {
        let (mut sender, receiver) = self.split();
        sender.when_full = WhenFull::Block;
        Stream {
            sender,
            receiver,
            read: Turn::default(),
            debt: Debt::default(),
            ended: AtomicBool::new(false),
            write_ended: AtomicBool::new(false),
            passed_over: AtomicBool::new(false),
        }
    }
}

spins_at_both_ends!(Stream);

impl Stream {
    four_forms! {
        /// Sends all of `bytes`.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) and [`PeerDied`](ErrorKind::PeerDied) where nobody will
        /// read them.
        send / try_send / send_timeout / send_deadline = send_until(bytes: &[u8]) -> ()
    }

    four_forms! {
        /// Receives at least one byte into `buffer`; returns how many.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) and [`PeerDied`](ErrorKind::PeerDied) at the end.
        recv / try_recv / recv_timeout / recv_deadline
            = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Sends what is owed of an earlier send that was cut short by its deadline.
        ///
        /// # Errors
        /// As [`send`](Stream::send).
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    /// Messages with their length before them, in both directions.
    #[must_use]
    pub fn framed(self) -> Framed<Self> {
        Framed::new(self)
    }

    /// Ends both directions, for the peer and for whoever waits here now. What was sent before is
    /// received, on both sides.
    pub fn shut_down(&self) {
        self.ended.store(true, Release);
        self.write_ended.store(true, Release);
        self.sender.link.end();
        self.receiver.link.end();
    }

    fn send_until(&self, bytes: &[u8], until: Until) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.debt.send(self, &[], bytes, until)
    }

    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        match self.read_until(buffer, until)? {
            0 if !buffer.is_empty() => Err(Error::new("recv", ErrorKind::Closed)),
            length => Ok(length),
        }
    }

    fn flush_until(&self, until: Until) -> Result<()> {
        self.debt.flush(self, until)
    }

    /// Reads from the first message, which stays until all of it was read.
    fn read_some(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        let turn = self.read.take(until);
        let mut read = turn.ok_or_else(|| until.over("recv"))?;
        // What came before the end is read, and then nothing is waited for.
        let until = match self.ended.load(Acquire) {
            true => Until::Now,
            false => until,
        };
        let message = match self.receiver.recv_loan_until(until) {
            Ok(message) => message,
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(0),
            Err(_) if self.ended.load(Acquire) => return Ok(0),
            Err(error) => return Err(error),
        };
        // A sender that breaks the rules can make a shorter message of it, or none.
        let left = match message.len().checked_sub(*read) {
            Some(left @ 1..) => left,
            _ => {
                message.leave();
                return Err(Error::new("recv", ErrorKind::Corrupt)
                    .hint("a message of a stream is empty, or shorter than it was"));
            }
        };
        let len = buffer.len().min(left);
        message.read_at(*read, &mut buffer[..len])?;
        *read += len;
        match *read == message.len() {
            true => *read = 0,
            false => message.leave(),
        }
        Ok(len)
    }
}

impl ByteSource for Stream {
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.debt.owes() {
            let try_read = || self.read_some(&mut *buffer, Until::Now);
            return self.debt.read_paying(self, try_read, until);
        }
        self.read_some(buffer, until)
    }
}

impl ByteSink for Stream {
    /// One message, of at most a piece, and a quarter of what the channel holds, so that the
    /// receiver reads while the rest is written.
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        if self.write_ended.load(Acquire) {
            return Err(Error::new("send", ErrorKind::Closed));
        }
        let most = self.sender.max_message_bytes().div_ceil(4).min(PIECE_BYTES);
        let head = &head[..head.len().min(most)];
        let body = &body[..body.len().min(most - head.len())];
        if head.is_empty() && body.is_empty() {
            return Ok(0);
        }
        let loan = self.sender.loan_until(head.len() + body.len(), until);
        // Who gives up leaves it to who waits to read, if one has relied on it.
        if loan.is_err() && self.passed_over.swap(false, AcqRel) {
            self.receiver.link.ring_here();
        }
        let mut loan = loan?;
        loan.write(head)?;
        loan.write(body)?;
        loan.send();
        Ok(head.len() + body.len())
    }

    fn debt(&self) -> &Debt {
        &self.debt
    }
    fn end_until(&self, until: Until) -> Result<()> {
        self.pay_until(until)?;
        HalfClose::close_write(self)
    }
}

impl HalfClose for Stream {
    fn close_write(&self) -> Result<()> {
        if self.write_ended.swap(true, AcqRel) {
            return Err(Error::new("close", ErrorKind::Closed));
        }
        self.sender.link.close();
        Ok(())
    }
}

impl Pollable for Stream {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        match interest {
            Interest::Read => self.receiver.descriptor(interest),
            Interest::Write => self.sender.descriptor(interest),
        }
    }
    fn shown_by(&self, _interest: Interest) -> Interest {
        Interest::Read
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        match *interests {
            [Interest::Read] => self.receiver.wait_ready(interests, until),
            [Interest::Write] => self.sender.wait_ready(interests, until),
            _ => wait_for_either(&self.sender, &self.receiver, &self.passed_over, until),
        }
    }
    fn arm(&self, interest: Interest) -> Result<bool> {
        match interest {
            Interest::Read => self.receiver.arm(interest),
            Interest::Write => self.sender.arm(interest),
        }
    }
    fn rest(&self, interest: Interest) -> Option<&Rest> {
        match interest {
            Interest::Read => self.receiver.rest(interest),
            Interest::Write => self.sender.rest(interest),
        }
    }
    fn is_armed(&self, interest: Interest) -> bool {
        match interest {
            Interest::Read => self.receiver.is_armed(interest),
            Interest::Write => self.sender.is_armed(interest),
        }
    }
    fn is_undisturbed(&self, interest: Interest) -> bool {
        interest == Interest::Read && self.receiver.is_undisturbed(interest)
    }
    fn has_buffered(&self) -> bool {
        self.receiver.has_buffered()
    }
    fn looks(&self) -> u64 {
        self.receiver.looks()
    }
    fn looked(&self, looks: u64, found: bool) {
        self.receiver.looked(looks, found);
    }
    fn arms_anew(&self) -> bool {
        true
    }
    fn owes(&self) -> bool {
        self.debt.owes()
    }
    fn pay(&self) -> Result<()> {
        self.try_flush()
    }
}

byte_stream!(Stream);
