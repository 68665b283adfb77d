//! The end that receives.

use crate::Spin;
use crate::ground::Slots;
use crate::layout::{
    ACKED, AT_DONE, AT_PROGRESS, AT_SLOTS, COMMIT_BYTES, INLINE_BYTES, SLOT_BYTES, Shape, committed,
};
use crate::link::{Link, something_to_tell};
use crate::loan::Lent;
use crate::turns::Cell;
use ipc_core::{
    Error, ErrorKind, Interest, Pollable, Rest, Result, TryRecv, TryRecvVec, Until, four_forms,
};
use ipc_sys::crash_point;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::{Acquire, Release};

/// The end that receives: threads take turns.
#[derive(Debug)]
pub struct Receiver {
    pub(crate) link: Link,
    slots: Slots<SLOT_BYTES>,
    shape: Shape,
    /// Messages that were taken.
    taken: Cell,
    /// How many of them the sender has been told of.
    told: Cell,
    /// At how many it is to be told again.
    due: Cell,
    /// Where the bytes of the last message that was taken end.
    end: Cell,
    /// Where they ended when the sender was told.
    told_end: Cell,
    /// How many were taken when this end was armed last.
    armed_at: Cell,
}

/// A message that has been found: its length, and where its bytes are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) len: usize,
    pub(crate) at: usize,
    /// Where the bytes of all messages up to it end.
    end: u64,
}

/// What a look without waiting comes to.
enum AtOnce {
    /// A message of so many bytes.
    Taken(usize),
    /// Nothing is there, once more.
    Nothing,
    /// That takes more than a look.
    Other,
}

impl Receiver {
    pub(crate) fn new(link: Link, shape: Shape) -> Result<Self> {
        Ok(Self {
            slots: link.regions().1.slots(AT_SLOTS, shape.slots as usize)?,
            link,
            shape,
            taken: Cell::new(0),
            told: Cell::new(0),
            due: Cell::new(shape.slots / 8 + 1),
            end: Cell::new(0),
            told_end: Cell::new(0),
            armed_at: Cell::new(u64::MAX),
        })
    }

    four_forms! {
        /// Receives a message into `buffer`; returns its length in bytes.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) where `buffer` is too small, and the message stays;
        /// [`Closed`](ErrorKind::Closed) and [`PeerDied`](ErrorKind::PeerDied) behind the last
        /// message; [`Corrupt`](ErrorKind::Corrupt) where the sender breaks the rules.
        recv / try_recv / recv_timeout / recv_deadline
            = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Receives a message of any size: `buffer` is replaced by it.
        ///
        /// # Errors
        /// As [`recv`](Receiver::recv), but for `TooLarge`.
        recv_vec / try_recv_vec / recv_vec_timeout / recv_vec_deadline
            = recv_vec_until(buffer: &mut Vec<u8>) -> ()
    }

    four_forms! {
        /// Receives a message where it stands, without copying it.
        ///
        /// # Errors
        /// As [`recv`](Receiver::recv), but for `TooLarge`; [`Deadlock`](ErrorKind::Deadlock)
        /// where this thread has one already.
        recv_loan / try_recv_loan / recv_loan_timeout / recv_loan_deadline
            = recv_loan_until() -> Lent<'_>
    }

    /// Says that all messages that were taken are done with, for which a sender may
    /// [wait](crate::Ack::Done).
    ///
    /// # Errors
    /// None so far; it waits for its turn.
    pub fn done(&self) -> Result<()> {
        let _turn = self.link.turn("done", Until::Forever)?;
        // Nobody is done with what it has not taken.
        self.tell();
        self.link.own.u64(AT_DONE).store(self.taken.get(), Release);
        self.link.published();
        Ok(())
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

    #[inline]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        match self.recv_at_once(buffer, until == Until::Now) {
            AtOnce::Taken(len) => Ok(len),
            AtOnce::Nothing => Err(until.over("recv")),
            AtOnce::Other => self.recv_slowly(buffer, until),
        }
    }

    /// Receives what stands in its slot. What this finds it returns in registers, so that a try in
    /// vain costs who polls no error in memory.
    #[inline(never)]
    fn recv_at_once(&self, buffer: &mut [u8], polls: bool) -> AtOnce {
        let Some(_turn) = self.link.own_turn() else {
            return AtOnce::Other;
        };
        let number = self.taken.get();
        match committed(self.slots.load(number, Acquire), number) {
            Some(len) if len <= INLINE_BYTES && len <= buffer.len() => {
                self.slots.read(number, &mut buffer[..len]);
                self.take_next();
                AtOnce::Taken(len)
            }
            // Who polls tries again at once: the sooner, the fresher is what it then finds.
            None if polls && self.link.nothing_again(number) => AtOnce::Nothing,
            _ => AtOnce::Other,
        }
    }

    /// Receives what no slot holds, or has to wait. It is kept out of the other's way.
    #[inline(never)]
    fn recv_slowly(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        let _turn = self.link.turn("recv", until)?;
        let found = self.found(until)?;
        self.link.read_into(buffer, found.at, found.len)?;
        self.take(found);
        Ok(found.len)
    }

    fn recv_vec_until(&self, buffer: &mut Vec<u8>, until: Until) -> Result<()> {
        let _turn = self.link.turn("recv", until)?;
        let found = self.found(until)?;
        buffer.clear();
        buffer.resize(found.len, 0);
        self.link.theirs.read(found.at, buffer);
        self.take(found);
        Ok(())
    }

    #[inline]
    pub(crate) fn recv_loan_until(&self, until: Until) -> Result<Lent<'_>> {
        let turn = self.link.turn("recv", until)?;
        Ok(Lent {
            receiver: self,
            found: self.found(until)?,
            taken: true,
            _turn: self.link.lend(turn),
        })
    }

    /// The next message, once there is one.
    #[inline]
    pub(crate) fn found(&self, until: Until) -> Result<Found> {
        match self.look()? {
            Some(found) => Ok(found),
            // Who polls tries again at once: the sooner, the fresher is what it then finds.
            None if until == Until::Now && self.link.nothing_again(self.taken.get()) => {
                Err(until.over("recv"))
            }
            None => self.wait(until),
        }
    }

    #[cold]
    fn wait(&self, until: Until) -> Result<Found> {
        // Whoever waits for us to go on should not.
        self.tell();
        let at = self.taken.get();
        self.link.wait_or_end("recv", at, until, || self.look())
    }

    /// Prepares for a sleep on the bell, by who has the turn.
    pub(crate) fn arm_in_turn(&self) -> Result<bool> {
        self.tell();
        self.link.arm()?;
        self.armed_at.set(self.taken.get());
        Ok(self.look()?.is_some() || self.link.has_ended())
    }

    /// The next message, if it is there. Its word is read once; what it says is checked before
    /// it is believed.
    #[inline]
    pub(crate) fn look(&self) -> Result<Option<Found>> {
        let number = self.taken.get();
        let word = self.slots.load(number, Acquire);
        let Some(len) = committed(word, number) else {
            return Ok(None);
        };
        if len <= INLINE_BYTES {
            let (at, end) = (self.shape.slot(number) + COMMIT_BYTES, self.end.get());
            return Ok(Some(Found { len, at, end }));
        }
        if len > self.shape.max_message_bytes() {
            return self.look_closer(number, len).map(Some);
        }
        Ok(Some(self.beside(len)))
    }

    /// How many messages an honest sender has under way at most.
    pub(crate) fn slot_count(&self) -> usize {
        self.shape.slots as usize
    }

    /// Whether an honest sender had room for that message before it is told of the others.
    pub(crate) fn had_room(&self, found: Found) -> bool {
        found.end.wrapping_sub(self.told_end.get()) <= self.shape.bytes
    }

    /// A message that stands beside its slot.
    #[inline]
    fn beside(&self, len: usize) -> Found {
        let (start, end) = self.shape.place(self.end.get(), len);
        let at = self.shape.at(start);
        Found { len, at, end }
    }

    /// A message whose sender waits to be told of it, or that cannot be.
    #[cold]
    #[inline(never)]
    fn look_closer(&self, number: u64, len: usize) -> Result<Found> {
        let (acked, len) = (len & ACKED != 0, len & !ACKED);
        if acked {
            self.due.set(self.due.get().min(number + 1));
        }
        if len <= INLINE_BYTES {
            let at = self.shape.slot(number) + COMMIT_BYTES;
            let end = self.end.get();
            return Ok(Found { len, at, end });
        }
        if len > self.shape.max_message_bytes() {
            return Err(Error::new("recv", ErrorKind::Corrupt)
                .hint(format!("the sender says that a message has {len} bytes")));
        }
        Ok(self.beside(len))
    }

    /// The message was copied: its slot is free.
    #[inline]
    pub(crate) fn take(&self, found: Found) {
        self.pass(found);
        self.tell_if_due();
    }

    /// Goes to the next message; the sender is to be told, if it is due.
    #[inline]
    pub(crate) fn pass(&self, found: Found) {
        self.end.set(found.end);
        self.taken.set(self.taken.get() + 1);
        crash_point!("ring.recv.taken");
    }

    /// The message in the next slot was copied.
    #[inline]
    fn take_next(&self) {
        self.taken.set(self.taken.get().wrapping_add(1));
        crash_point!("ring.recv.taken");
        self.tell_if_due();
    }

    #[inline]
    pub(crate) fn tell_if_due(&self) {
        self.tell_if_beyond(self.shape.bytes / 8);
    }

    /// What was read where it stands was taken. Who does so is back soon, and that is when the
    /// sender is told, if it has room until then: before an answer it would only delay that.
    #[inline]
    pub(crate) fn take_lent(&self, found: Found) {
        self.pass(found);
        self.tell_if_beyond(self.shape.bytes / 2);
    }

    /// Tells the sender, if it is due or has not been told of so many bytes.
    #[inline]
    fn tell_if_beyond(&self, bytes: u64) {
        let untold = self.end.get().wrapping_sub(self.told_end.get());
        if self.taken.get() >= self.due.get() || untold > bytes {
            self.tell();
        }
    }

    /// Tells the sender how many messages were taken.
    #[inline(never)]
    fn tell(&self) {
        if self.told.get() == self.taken.get() {
            return;
        }
        self.told.set(self.taken.get());
        self.told_end.set(self.end.get());
        self.due.set(self.taken.get() + self.shape.slots / 8 + 1);
        let progress = self.link.own.u64(AT_PROGRESS);
        progress.store(self.taken.get(), Release);
        crash_point!("ring.recv.told");
        self.link.published();
    }
}

#[cfg(not(ipc_model))]
impl Receiver {
    /// What this end knows, to go on from: messages taken, of which the sender is told now, and
    /// where the bytes of the last end.
    pub(crate) fn counters(&self) -> [u64; 2] {
        self.tell();
        [self.taken.get(), self.end.get()]
    }

    /// Goes on from there.
    pub(crate) fn resume(&self, taken: u64, end: u64) -> Result<()> {
        if self.link.own.u64(AT_PROGRESS).load(Acquire) != taken {
            return Err(Error::new("meet", ErrorKind::Corrupt)
                .hint("the receiver has told another number than it says"));
        }
        for cell in [&self.taken, &self.told] {
            cell.set(taken);
        }
        for cell in [&self.end, &self.told_end] {
            cell.set(end);
        }
        self.due.set(taken + self.shape.slots / 8 + 1);
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.tell();
        self.link.close();
    }
}

impl Pollable for Receiver {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.link.bell()
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let _turn = self.link.turn("wait", until)?;
        something_to_tell(self.found(until))
    }

    fn arm(&self, _interest: Interest) -> Result<bool> {
        let _turn = self.link.turn("wait", Until::Forever)?;
        self.arm_in_turn()
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

    fn is_undisturbed(&self, interest: Interest) -> bool {
        // Who rings has sent or closed before: that nothing is here says that nobody has.
        self.armed_at.get() == self.taken.get() && self.is_armed(interest)
    }

    fn has_buffered(&self) -> bool {
        matches!(self.look(), Ok(Some(_)) | Err(_))
    }

    fn looks(&self) -> u64 {
        match self.link.turn("wait", Until::Now) {
            Ok(_turn) => {
                // Who waits for us to go on should not, and nobody need wake us.
                self.tell();
                self.link.awaited_looks()
            }
            Err(_) => 0,
        }
    }

    fn looked(&self, looks: u64, found: bool) {
        self.link.learn(looks, found);
    }

    fn arms_anew(&self) -> bool {
        true
    }
}

impl TryRecv for Receiver {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl TryRecvVec for Receiver {
    fn try_recv_vec(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.recv_vec_until(buffer, Until::Now)
    }
}
