//! The end that sends.

use crate::ground::WritableSlots;
#[cfg(not(ipc_model))]
use crate::layout::{ACKED, committed};
use crate::layout::{AT_PROGRESS, AT_SLOTS, COMMIT_BYTES, INLINE_BYTES, SLOT_BYTES, Shape, commit};
use crate::link::Link;
use crate::loan::Loan;
use crate::turns::Cell;
use crate::{Spin, WhenFull};
use ipc_core::{
    Error, ErrorKind, Flush, Interest, Pollable, Rest, Result, TrySend, Until, four_forms,
};
use ipc_sys::crash_point;
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// The end that sends: threads take turns.
#[derive(Debug)]
pub struct Sender {
    pub(crate) link: Link,
    slots: WritableSlots<SLOT_BYTES>,
    shape: Shape,
    /// Messages that were sent.
    pub(crate) sent: Cell,
    /// Messages that were taken, as far as we have looked.
    pub(crate) taken: Cell,
    /// Where the bytes of the last message end.
    end: Cell,
    /// Where those of the last message that was taken end.
    freed: Cell,
    /// Where those of the last message would end that found no room.
    wanted: Cell,
    /// Where those of each message under way end, by slot.
    ends: Box<[Cell]>,
    pub(crate) when_full: WhenFull,
    /// Messages that were dropped, since there was no room.
    dropped: AtomicU64,
}

impl Sender {
    pub(crate) fn new(link: Link, shape: Shape, when_full: WhenFull) -> Result<Self> {
        Ok(Self {
            slots: link
                .regions()
                .0
                .writable_slots(AT_SLOTS, shape.slots as usize)?,
            when_full,
            dropped: AtomicU64::new(0),
            link,
            shape,
            sent: Cell::new(0),
            taken: Cell::new(0),
            end: Cell::new(0),
            freed: Cell::new(0),
            wanted: Cell::new(0),
            ends: (0..shape.slots).map(|_| Cell::new(0)).collect(),
        })
    }

    four_forms! {
        /// Sends a message, waiting while the channel is full.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) above
        /// [`max_message_bytes`](Sender::max_message_bytes); [`Closed`](ErrorKind::Closed) and
        /// [`PeerDied`](ErrorKind::PeerDied) where nobody will take it; [`Full`](ErrorKind::Full)
        /// with [`WhenFull::Fail`].
        send / try_send / send_timeout / send_deadline
            = send_until(message: &[u8]) -> ()
    }

    /// How many messages were dropped for want of room ([`WhenFull::DropNewest`]).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
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

    four_forms! {
        /// Room for a message of `len` bytes, to be filled in the shared memory and then sent;
        /// waits while the channel is full.
        ///
        /// # Errors
        /// As [`send`](Sender::send); [`Full`](ErrorKind::Full) with [`WhenFull::DropNewest`], too;
        /// [`Deadlock`](ErrorKind::Deadlock) where this thread has a loan already.
        loan / try_loan / loan_timeout / loan_deadline = loan_until(len: usize) -> Loan<'_>
    }

    #[inline]
    fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        match self.send_at_once(message) {
            true => Ok(()),
            false => self.send_slowly(message, until),
        }
    }

    /// Sends what a slot holds, if one is free.
    #[inline(never)]
    fn send_at_once(&self, message: &[u8]) -> bool {
        if message.len() <= INLINE_BYTES
            && let Some(_turn) = self.link.own_turn()
            && self.has_slot()
            && !self.link.they_closed()
        {
            self.slots.write(self.sent.get(), message);
            crash_point!("ring.send.written");
            self.commit(message.len(), self.end.get());
            return true;
        }
        false
    }

    /// Sends what no slot holds, or has to wait. It is kept out of the other's way.
    #[inline(never)]
    fn send_slowly(&self, message: &[u8], until: Until) -> Result<()> {
        let _turn = self.link.turn("send", until)?;
        match self.room(message.len(), until) {
            Ok((at, end)) => {
                if !message.is_empty() {
                    self.link.own.write(at, message);
                }
                crash_point!("ring.send.written");
                self.commit(message.len(), end);
                Ok(())
            }
            Err(error) => self.drop_newest(error),
        }
    }

    #[inline]
    pub(crate) fn loan_until(&self, len: usize, until: Until) -> Result<Loan<'_>> {
        let turn = self.link.turn("send", until)?;
        let (at, end) = self.room(len, until)?;
        Ok(Loan {
            sender: self,
            _turn: self.link.lend(turn),
            at,
            len,
            end,
            filled: 0,
        })
    }

    #[cold]
    pub(crate) fn drop_newest(&self, error: Error) -> Result<()> {
        if self.when_full != WhenFull::DropNewest || error.kind() != ErrorKind::Full {
            return Err(error);
        }
        self.dropped.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Room for the next message: where it stands, and where the bytes of all up to it end.
    #[inline]
    pub(crate) fn room(&self, len: usize, until: Until) -> Result<(usize, u64)> {
        if self.link.they_closed() {
            return Err(Error::new("send", ErrorKind::Closed));
        }
        if len > INLINE_BYTES {
            return self.large_room(len, until);
        }
        let end = self.end.get();
        if !self.has_slot() {
            self.wait_for_room(end, until)?;
        }
        Ok((self.shape.slot(self.sent.get()) + COMMIT_BYTES, end))
    }

    /// Whether it is free, as far as we have looked.
    #[inline]
    fn has_slot(&self) -> bool {
        self.sent.get().wrapping_sub(self.taken.get()) < self.shape.slots
    }

    #[inline]
    fn large_room(&self, len: usize, until: Until) -> Result<(usize, u64)> {
        self.shape.admit(len)?;
        let (start, end) = self.shape.place(self.end.get(), len);
        if !self.has_room(end) {
            self.wait_for_room(end, until)?;
        }
        Ok((self.shape.at(start), end))
    }

    #[inline]
    pub(crate) fn commit(&self, len: usize, end: u64) {
        self.put_commit(len, end);
        self.link.published();
    }

    /// Commits a message; the receiver is to be woken.
    #[inline]
    pub(crate) fn put_commit(&self, len: usize, end: u64) {
        let number = self.sent.get();
        self.ends[self.shape.index(number)].set(end);
        self.end.set(end);
        self.sent.set(number.wrapping_add(1));
        let word = self.slots.word(number);
        word.store(commit(number, len), Release);
        crash_point!("ring.send.committed");
    }

    /// Whether one more message fits whose bytes end at `end`. Bytes that were left out before the
    /// end of the memory take room only while messages stand before them.
    #[inline]
    fn has_room(&self, end: u64) -> bool {
        self.has_slot()
            && (self.sent.get() == self.taken.get() || end - self.freed.get() <= self.shape.bytes)
    }

    /// Where the bytes of the next message end, as far as the last one that found no room tells.
    fn next_end(&self) -> u64 {
        self.end.get().max(self.wanted.get())
    }

    /// Looks at what was taken before the next message of that size has to wait for it: reading the
    /// other side's line takes as long as a message does, which is now on its way.
    #[inline]
    pub(crate) fn look_ahead(&self, len: usize) {
        if len > INLINE_BYTES {
            let (_, end) = self.shape.place(self.end.get(), len);
            if !self.has_room(end) {
                // What is wrong the next message tells.
                let _ = self.look_at_progress();
            }
        }
    }

    #[cold]
    fn wait_for_room(&self, end: u64, until: Until) -> Result<()> {
        self.wanted.set(end);
        match self.look_for_room(end)? {
            Some(()) => Ok(()),
            None if self.when_full != WhenFull::Block => self.no_room(),
            None => self.wait_until_room(end, until),
        }
    }

    /// Waits for it whatever a send does where there is none.
    fn wait_until_room(&self, end: u64, until: Until) -> Result<()> {
        match self.has_room(end) {
            true => Ok(()),
            false => (self.link).wait("send", self.sent.get(), until, || self.look_for_room(end)),
        }
    }

    fn look_for_room(&self, end: u64) -> Result<Option<()>> {
        if self.link.they_closed() {
            return Err(Error::new("send", ErrorKind::Closed));
        }
        self.look_at_progress()?;
        Ok(self.has_room(end).then_some(()))
    }

    /// Prepares for a sleep on the bell, by who has the turn.
    pub(crate) fn arm_in_turn(&self) -> Result<bool> {
        self.link.arm()?;
        self.look_at_progress()?;
        Ok(self.has_room(self.next_end()) || self.link.has_ended())
    }

    /// There is no room, or nobody: the dead empty no channel.
    fn no_room(&self) -> Result<()> {
        self.link.still_there("send", self.sent.get())?;
        Err(Error::new("send", ErrorKind::Full).hint("the receiver has not taken what is there"))
    }

    /// Reads how many messages were taken, which only ever grows, and not beyond what was sent.
    pub(crate) fn look_at_progress(&self) -> Result<()> {
        let (taken, sent) = (self.taken.get(), self.sent.get());
        let now = self.link.theirs.load_u64(AT_PROGRESS, Acquire);
        if now == taken {
            return Ok(());
        }
        if now.wrapping_sub(taken) > sent - taken {
            return Err(Error::new("send", ErrorKind::Corrupt)
                .hint("the receiver says that it has taken what was not sent"));
        }
        self.taken.set(now);
        let last = (now - 1) & (self.shape.slots - 1);
        self.freed.set(self.ends[last as usize].get());
        Ok(())
    }
}

#[cfg(not(ipc_model))]
impl Sender {
    /// What this end knows, to go on from: messages sent and taken, and where their bytes end,
    /// those of the last that was taken and of the last.
    pub(crate) fn counters(&self) -> [u64; 4] {
        [&self.sent, &self.taken, &self.freed, &self.end].map(Cell::get)
    }

    /// Goes on from there. Where the bytes of each message under way end its commit word tells.
    pub(crate) fn resume(&self, [sent, taken, freed, end]: [u64; 4], dropped: u64) -> Result<()> {
        let wrong = || {
            Error::new("meet", ErrorKind::Corrupt)
                .hint("the messages under way are not those that the sender says")
        };
        if !(taken..=taken.saturating_add(self.shape.slots)).contains(&sent) {
            return Err(wrong());
        }
        let mut at = freed;
        for number in taken..sent {
            let word = self.link.own.u64(self.shape.slot(number)).load(Relaxed);
            let len = committed(word, number).ok_or_else(wrong)? & !ACKED;
            if len > self.shape.max_message_bytes() {
                return Err(wrong());
            }
            if len > INLINE_BYTES {
                (_, at) = self.shape.place(at, len);
            }
            self.ends[(number & (self.shape.slots - 1)) as usize].set(at);
        }
        let next = self.link.own.u64(self.shape.slot(sent)).load(Relaxed);
        if at != end || committed(next, sent).is_some() {
            return Err(wrong());
        }
        self.dropped.store(dropped, Relaxed);
        for (cell, value) in [
            (&self.sent, sent),
            (&self.taken, taken),
            (&self.freed, freed),
            (&self.end, end),
        ] {
            cell.set(value);
        }
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl Pollable for Sender {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.link.bell()
    }

    fn shown_by(&self, _interest: Interest) -> Interest {
        // Of room, too, it is told by its bell.
        Interest::Read
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let _turn = self.link.turn("wait", until)?;
        self.wait_until_room(self.next_end(), until)
    }

    fn arm(&self, _interest: Interest) -> Result<bool> {
        let _turn = self.link.turn("wait", Until::Forever)?;
        self.arm_in_turn()
    }

    fn arms_anew(&self) -> bool {
        true
    }

    fn rest(&self, _interest: Interest) -> Option<&Rest> {
        Some(&self.link.rest)
    }

    fn is_armed(&self, _interest: Interest) -> bool {
        let Ok(_turn) = self.link.turn("wait", Until::Now) else {
            return false;
        };
        self.link.is_armed()
            && self.look_at_progress().is_ok()
            && !self.has_room(self.next_end())
            && !self.link.they_closed()
    }
}

impl TrySend for Sender {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Sender {
    fn try_flush(&self) -> Result<()> {
        // A message is there whole or not at all.
        Ok(())
    }
}
