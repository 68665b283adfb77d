//! The end that receives what is sent to many.

use crate::Spin;
use crate::ground::{SeqPacket, fence};
use crate::layout::{AT_PROGRESS, AT_START, COMMIT_BYTES, INLINE_BYTES, NUMBERS, Shape, committed};
use crate::link::{Link, something_to_tell};
use crate::turns::Cell;
use ipc_core::{
    Credentials, Error, ErrorKind, Interest, Pollable, Rest, Result, TryRecv, TryRecvVec, Until,
    four_forms,
};
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::{Acquire, Release};

/// What a [`Subscriber`] receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a message may have been missed"]
pub enum Received {
    /// A message of so many bytes.
    Message(usize),
    /// So many messages were overwritten before we came to them. The next follows them.
    Missed(u64),
}

/// The end that receives what a [`Broadcaster`](crate::Broadcaster) sends: threads take turns.
///
/// As [`TryRecv`], and so where it is awaited, it passes over what it has missed, which
/// [`missed`](Subscriber::missed) tells.
#[derive(Debug)]
pub struct Subscriber {
    link: Link,
    shape: Shape,
    /// The number of the next message.
    next: Cell,
    /// Up to where the writer has been told.
    told: Cell,
    /// Bytes that were taken since.
    untold: Cell,
    missed: Cell,
    socket: SeqPacket,
}

/// What has been found: a message, or that some are gone.
#[derive(Clone, Copy)]
enum Seen {
    Message { len: usize, at: usize },
    Missed(u64),
}

impl Subscriber {
    pub(crate) fn new(link: Link, shape: Shape, start: u64, socket: SeqPacket) -> Self {
        // Until it is told otherwise, the writer takes us to be where it has let us begin.
        link.own.u64(AT_PROGRESS).store(start, Release);
        Self {
            link,
            shape,
            next: Cell::new(start),
            told: Cell::new(start),
            untold: Cell::new(0),
            missed: Cell::new(0),
            socket,
        }
    }

    four_forms! {
        /// Receives a message into `buffer`, or how many were missed.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) where `buffer` is too small, and the message stays;
        /// [`Closed`](ErrorKind::Closed) and [`PeerDied`](ErrorKind::PeerDied) behind the last
        /// message; [`Corrupt`](ErrorKind::Corrupt) where the writer breaks the rules.
        recv / try_recv / recv_timeout / recv_deadline
            = recv_until(buffer: &mut [u8]) -> Received
    }

    four_forms! {
        /// Receives a message of any size, by which `buffer` is replaced, or how many were missed.
        ///
        /// # Errors
        /// As [`recv`](Subscriber::recv), but for `TooLarge`.
        recv_vec / try_recv_vec / recv_vec_timeout / recv_vec_deadline
            = recv_vec_until(buffer: &mut Vec<u8>) -> Received
    }

    /// How many messages were missed so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.get()
    }

    /// How long this end looks at memory before it sleeps, from now on. The other end has its own
    /// way.
    pub fn set_spin(&mut self, spin: Spin) {
        self.link.set_spin(spin);
    }

    /// How large a message may be.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        self.shape.max_message_bytes()
    }

    /// Who the writer is, as the kernel has it.
    ///
    /// # Errors
    /// As [`SeqPacket::credentials`].
    pub fn credentials(&self) -> Result<Credentials> {
        self.socket.credentials()
    }

    #[inline]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<Received> {
        let _turn = self.link.turn("recv", until)?;
        self.receive(until, |at, len| self.link.read_into(buffer, at, len))
    }

    fn recv_vec_until(&self, buffer: &mut Vec<u8>, until: Until) -> Result<Received> {
        let _turn = self.link.turn("recv", until)?;
        self.receive(until, |at, len| {
            buffer.clear();
            buffer.resize(len, 0);
            self.link.theirs.read(at, buffer);
            Ok(())
        })
    }

    #[inline]
    fn receive(
        &self,
        until: Until,
        mut copy: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Received> {
        let (len, at) = match self.seen(until)? {
            Seen::Message { len, at } => (len, at),
            Seen::Missed(count) => return Ok(self.miss(count)),
        };
        copy(at, len)?;
        // What was overwritten while it was copied is no message, but missed.
        fence(Acquire);
        if let Some(count) = self.gone()? {
            return Ok(self.miss(count));
        }
        self.go_to(self.next.get() + 1, len as u64);
        Ok(Received::Message(len))
    }

    #[cold]
    fn miss(&self, count: u64) -> Received {
        self.missed.set(self.missed.get().saturating_add(count));
        self.go_to(self.next.get() + count, 0);
        Received::Missed(count)
    }

    #[inline]
    fn seen(&self, until: Until) -> Result<Seen> {
        match self.look()? {
            Some(seen) => Ok(seen),
            None => self.wait(until),
        }
    }

    #[cold]
    fn wait(&self, until: Until) -> Result<Seen> {
        // A writer that waits for us to go on should not.
        self.tell();
        let at = self.next.get();
        self.link.wait_or_end("recv", at, until, || self.look())
    }

    /// The next message, if it is there, or that it is gone. Each word is read once; what it says
    /// is checked before it is believed.
    #[inline]
    fn look(&self) -> Result<Option<Seen>> {
        let number = self.next.get();
        let slot = self.shape.slot(number);
        let word = self.link.theirs.load_u64(slot, Acquire);
        let Some(len) = committed(word, number) else {
            return Ok(self.gone()?.map(Seen::Missed));
        };
        if len <= INLINE_BYTES {
            let at = slot + COMMIT_BYTES;
            return Ok(Some(Seen::Message { len, at }));
        }
        let start = self.link.theirs.load_u64(slot + AT_START, Acquire);
        let inside = start % self.shape.bytes.max(1);
        let fits = len as u64 <= self.shape.bytes && inside + len as u64 <= self.shape.bytes;
        if !fits {
            return match self.gone()? {
                None => Err(Error::new("recv", ErrorKind::Corrupt)
                    .hint("the writer says that a message stands where none can")),
                gone => Ok(gone.map(Seen::Missed)),
            };
        }
        let at = self.shape.at(start);
        Ok(Some(Seen::Message { len, at }))
    }

    /// Whether the next message was overwritten, and how many more were.
    #[inline]
    fn gone(&self) -> Result<Option<u64>> {
        let (number, oldest) = (
            self.next.get(),
            self.link.theirs.load_u64(AT_PROGRESS, Acquire),
        );
        if oldest <= number {
            return Ok(None);
        }
        if oldest >= NUMBERS {
            return Err(Error::new("recv", ErrorKind::Corrupt)
                .hint("the writer says that it has sent what no writer can"));
        }
        Ok(Some(oldest - number))
    }

    /// What was before message `number` is done with.
    #[inline]
    fn go_to(&self, number: u64, bytes: u64) {
        self.next.set(number);
        self.untold.set(self.untold.get() + bytes);
        if number - self.told.get() > self.shape.slots / 8
            || self.untold.get() > self.shape.bytes / 8
        {
            self.tell();
        }
    }

    /// Tells the writer how far we are.
    fn tell(&self) {
        if self.told.get() == self.next.get() {
            return;
        }
        self.told.set(self.next.get());
        self.untold.set(0);
        let progress = self.link.own.u64(AT_PROGRESS);
        progress.store(self.next.get(), Release);
        self.link.published();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.tell();
        self.link.close();
    }
}

impl Pollable for Subscriber {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.link.bell()
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let _turn = self.link.turn("wait", until)?;
        something_to_tell(self.seen(until))
    }

    fn arm(&self, _interest: Interest) -> Result<bool> {
        let _turn = self.link.turn("wait", Until::Forever)?;
        self.tell();
        self.link.arm()?;
        Ok(self.look()?.is_some() || self.link.they_closed())
    }

    fn rest(&self, _interest: Interest) -> Option<&Rest> {
        Some(&self.link.rest)
    }

    fn is_armed(&self, _interest: Interest) -> bool {
        let Ok(_turn) = self.link.turn("wait", Until::Now) else {
            return false;
        };
        self.tell();
        self.link.is_armed() && matches!(self.look(), Ok(None)) && !self.link.they_closed()
    }

    fn has_buffered(&self) -> bool {
        matches!(self.look(), Ok(Some(_)) | Err(_))
    }
}

impl TryRecv for Subscriber {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            if let Received::Message(len) = self.recv_until(buffer, Until::Now)? {
                return Ok(len);
            }
        }
    }
}

impl TryRecvVec for Subscriber {
    fn try_recv_vec(&self, buffer: &mut Vec<u8>) -> Result<()> {
        loop {
            if let Received::Message(_) = self.recv_vec_until(buffer, Until::Now)? {
                return Ok(());
            }
        }
    }
}
