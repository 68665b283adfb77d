//! Messages over a byte stream: a length, then that many bytes.

use crate::inbox::{HEADER_BYTES, Inbox};
use crate::turn::Turn;
use crate::{
    ByteSink, ByteSource, Error, ErrorKind, Flush, Interest, Pollable, Rest, Result, TryRecv,
    TryRecvVec, TrySend, Until, four_forms,
};
use std::os::fd::BorrowedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// From here on the rest of a message is read to where it is to go.
const DIRECT_BYTES: usize = 16 * 1024;
/// Up to here length and message are joined on the stack: cheaper than a gathered write.
const SMALL_BYTES: usize = 256;
/// Up to here they are joined in memory that is kept: above it a copy costs more than a gathered
/// write.
const JOINED_BYTES: usize = 16 * 1024;

/// Whole messages of up to a limit over any byte stream: [`send`](Framed::send) over a sink,
/// [`recv`](Framed::recv) over a source, both over a stream.
///
/// On the wire a message is its length (four bytes, little-endian) and its bytes. A message may
/// be empty. The receiver takes memory as bytes arrive, never on the word of a length.
///
/// A receiver that times out or is cancelled in the middle of a message keeps what it has; a
/// sender that has begun a message owes the rest ([`Flush`]).
#[derive(Debug)]
pub struct Framed<T> {
    inner: T,
    max_message_bytes: usize,
    inbox: Turn<Inbox>,
    buffered: AtomicBool,
    /// Who relies on the descriptor alone to show what comes, and what there is room for.
    reads: Rest,
    writes: Rest,
    /// Where a length and its message are joined.
    joined: Mutex<Vec<u8>>,
}

impl<T> Framed<T> {
    /// The limit where none is set: 4 MiB.
    pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
    /// The highest limit that can be set: what the length can say.
    pub const LARGEST_MAX_MESSAGE_BYTES: usize = u32::MAX as usize;

    /// Messages over `inner`, each of at most
    /// [`DEFAULT_MAX_MESSAGE_BYTES`](Self::DEFAULT_MAX_MESSAGE_BYTES).
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            max_message_bytes: Self::DEFAULT_MAX_MESSAGE_BYTES,
            inbox: Turn::default(),
            buffered: AtomicBool::new(false),
            reads: Rest::new(),
            writes: Rest::new(),
            joined: Mutex::default(),
        }
    }

    /// Messages over `inner`, each of at most `max_message_bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] above
    /// [`LARGEST_MAX_MESSAGE_BYTES`](Self::LARGEST_MAX_MESSAGE_BYTES).
    pub fn with_max_message_bytes(inner: T, max_message_bytes: usize) -> Result<Self> {
        if max_message_bytes > Self::LARGEST_MAX_MESSAGE_BYTES {
            return Err(Error::new("frame", ErrorKind::InvalidInput)
                .hint("the limit of a message is at most 4294967295 bytes"));
        }
        Ok(Self {
            max_message_bytes,
            ..Self::new(inner)
        })
    }

    /// The endpoint below.
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// The longest message that is sent or received, in bytes.
    pub const fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }
}

impl<T: ByteSink> Framed<T> {
    four_forms! {
        /// Sends `message`, whole.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) above the limit (nothing is sent);
        /// [`Closed`](ErrorKind::Closed) when nobody can receive it any more.
        send / try_send / send_timeout / send_deadline = send_until(message: &[u8]) -> ()
    }

    four_forms! {
        /// Finishes a message that is begun and did not fit yet.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) when nobody can receive it any more.
        flush / try_flush / flush_timeout / flush_deadline = flush_until() -> ()
    }

    #[inline(always)]
    fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        let whole = HEADER_BYTES + message.len();
        if whole <= SMALL_BYTES && message.len() <= self.max_message_bytes {
            let mut joined = [0; SMALL_BYTES];
            joined[..HEADER_BYTES].copy_from_slice(&(message.len() as u32).to_le_bytes());
            joined[HEADER_BYTES..whole].copy_from_slice(message);
            let debt = self.inner.debt();
            return debt.send(&self.inner, &[], &joined[..whole], until);
        }
        self.send_large(message, until)
    }

    #[inline(never)]
    fn send_large(&self, message: &[u8], until: Until) -> Result<()> {
        if message.len() > self.max_message_bytes {
            return Err(too_large("send", message.len(), self.max_message_bytes));
        }
        let length = (message.len() as u32).to_le_bytes();
        let whole = HEADER_BYTES + message.len();
        let debt = self.inner.debt();
        // Another thread may be using it: then the kernel gathers, which is right at any size.
        match self.joined.try_lock() {
            Ok(mut joined) if whole <= JOINED_BYTES => {
                joined.clear();
                joined.extend_from_slice(&length);
                joined.extend_from_slice(message);
                debt.send(&self.inner, &[], &joined, until)
            }
            _ => debt.send(&self.inner, &length, message, until),
        }
    }

    fn flush_until(&self, until: Until) -> Result<()> {
        self.inner.pay_until(until)
    }
}

impl<T: ByteSource> Framed<T> {
    four_forms! {
        /// Receives one message into `buffer` and returns its length.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) at the end of the stream;
        /// [`Truncated`](ErrorKind::Truncated) where the stream ends inside a message;
        /// [`Corrupt`](ErrorKind::Corrupt), from then on, where a length above the limit is
        /// announced; [`TooLarge`](ErrorKind::TooLarge) where the message does not fit `buffer`:
        /// it stays, and [`recv_vec`](Framed::recv_vec) or a larger buffer receives it.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Receives one message of any length up to the limit: `buffer` is replaced by it.
        ///
        /// # Errors
        /// As [`recv`](Framed::recv), without `TooLarge`.
        recv_vec / try_recv_vec / recv_vec_timeout / recv_vec_deadline
            = recv_vec_until(buffer: &mut Vec<u8>) -> ()
    }

    #[inline(always)]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        let mut inbox = self.inbox.take(until).ok_or_else(|| until.over("recv"))?;
        loop {
            if let Some(length) = inbox.complete(self.max_message_bytes)? {
                let Some(place) = buffer.get_mut(..length) else {
                    self.note_buffered(&inbox);
                    return Err(too_large("recv", length, buffer.len()));
                };
                place.copy_from_slice(inbox.message(length));
                inbox.consume(HEADER_BYTES + length);
                self.note_buffered(&inbox);
                return Ok(length);
            }
            match inbox
                .announced()
                .and_then(|length| buffer.get_mut(..length))
            {
                Some(place) if inbox.missing_of(place.len()) >= DIRECT_BYTES => {
                    return self.fill(place, &mut inbox, until);
                }
                _ => self.read_more(&mut inbox, until)?,
            }
        }
    }

    fn recv_vec_until(&self, buffer: &mut Vec<u8>, until: Until) -> Result<()> {
        let mut inbox = self.inbox.take(until).ok_or_else(|| until.over("recv"))?;
        loop {
            if let Some(length) = inbox.complete(self.max_message_bytes)? {
                buffer.clear();
                buffer.extend_from_slice(inbox.message(length));
                inbox.consume(HEADER_BYTES + length);
                self.note_buffered(&inbox);
                return Ok(());
            }
            self.read_more(&mut inbox, until)?;
        }
    }

    #[inline(always)]
    fn read_more(&self, inbox: &mut Inbox, until: Until) -> Result<()> {
        // From here on the descriptor tells of what is missing.
        self.buffered.store(false, Ordering::Relaxed);
        match self.inner.read_until(inbox.room(), until)? {
            0 => Err(inbox.end()),
            read => {
                inbox.filled(read);
                Ok(())
            }
        }
    }

    /// Receives the rest of a large message where it is to go, `place`, without a copy in between.
    /// What came before the wait ended goes back to the inbox.
    #[inline(never)]
    fn fill(&self, place: &mut [u8], inbox: &mut Inbox, until: Until) -> Result<usize> {
        self.buffered.store(false, Ordering::Relaxed);
        let here = inbox.begun();
        let mut filled = here;
        let failure = loop {
            match self.inner.read_until(&mut place[filled..], until) {
                Ok(0) => break None,
                Ok(read) => filled += read,
                Err(error) => break Some(error),
            }
            if filled == place.len() {
                // Last, and so once for each message, in however many pieces it came.
                place[..here].copy_from_slice(inbox.message(here));
                inbox.consume(HEADER_BYTES + here);
                return Ok(filled);
            }
        };
        inbox.keep(&place[here..filled]);
        Err(failure.unwrap_or_else(|| inbox.end()))
    }

    #[inline]
    fn note_buffered(&self, inbox: &Inbox) {
        let more = inbox.may_hold_more();
        if !more {
            self.buffered.store(false, Ordering::Relaxed);
        } else if !self.buffered.load(Ordering::Relaxed) {
            self.buffered.store(true, Ordering::SeqCst);
            self.disturb();
        }
    }

    /// What is in memory now, the descriptor does not show.
    #[inline(never)]
    fn disturb(&self) {
        match self.inner.rest(Interest::Read) {
            Some(rest) => rest.disturb(),
            None => self.reads.disturb(),
        }
    }
}

#[cold]
fn too_large(operation: &'static str, length: usize, limit: usize) -> Error {
    let what = if operation == "send" {
        "the limit"
    } else {
        "the buffer"
    };
    Error::new(operation, ErrorKind::TooLarge)
        .hint(format!("the message has {length} bytes, {what} is {limit}"))
}

impl<T: Pollable> Pollable for Framed<T> {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.inner.descriptor(interest)
    }
    fn shown_by(&self, interest: Interest) -> Interest {
        self.inner.shown_by(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        if interests.contains(&Interest::Read) && self.has_buffered() {
            return Ok(());
        }
        self.inner.wait_ready(interests, until)
    }
    fn arm(&self, interest: Interest) -> Result<bool> {
        self.inner.arm(interest)
    }
    fn is_armed(&self, interest: Interest) -> bool {
        let buffered = interest == Interest::Read && self.has_buffered();
        // What a plain one has shows on its descriptor, armed or not.
        !buffered && (self.inner.is_plain() || self.inner.is_armed(interest))
    }
    fn shows_truly(&self) -> bool {
        self.inner.shows_truly()
    }
    fn rest(&self, interest: Interest) -> Option<&Rest> {
        match interest {
            _ if !self.inner.is_plain() => self.inner.rest(interest),
            Interest::Read => Some(&self.reads),
            Interest::Write => Some(&self.writes),
        }
    }
    fn has_buffered(&self) -> bool {
        self.buffered.load(Ordering::SeqCst) || self.inner.has_buffered()
    }
    fn owes(&self) -> bool {
        self.inner.owes()
    }
    fn pay(&self) -> Result<()> {
        self.inner.pay()
    }
}

impl<T: ByteSink> TrySend for Framed<T> {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl<T: ByteSink> Flush for Framed<T> {
    fn try_flush(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

impl<T: ByteSource> TryRecv for Framed<T> {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl<T: ByteSource> TryRecvVec for Framed<T> {
    fn try_recv_vec(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.recv_vec_until(buffer, Until::Now)
    }
}
