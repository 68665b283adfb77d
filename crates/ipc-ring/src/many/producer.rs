//! The end of a queue that sends.

use super::layout::Role;
use super::member::Member;
use crate::cell::Cell;
use crate::turns::Lending;
use crate::{Spin, WhenFull};
use ipc_core::{Error, ErrorKind, Flush, Interest, Pollable, Result, TrySend, Until, four_forms};
use std::os::fd::BorrowedFd;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// A member of a [`Queue`](crate::Queue) that sends: threads take turns.
///
/// Messages of one producer are received in the order they were sent.
#[derive(Debug)]
pub struct Producer {
    pub(super) member: Member,
    when_full: WhenFull,
    /// Messages that were dropped, since there was no room.
    dropped: AtomicU64,
    /// Slots that are lent; those that are forgotten stay so.
    lent: Cell,
}

impl Producer {
    pub(super) fn new(member: Member, when_full: WhenFull) -> Self {
        Self {
            member,
            when_full,
            dropped: AtomicU64::new(0),
            lent: Cell::new(0),
        }
    }

    four_forms! {
        /// Sends a message, waiting while the queue is full.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) above
        /// [`max_message_bytes`](Producer::max_message_bytes); [`Closed`](ErrorKind::Closed) and
        /// [`PeerDied`](ErrorKind::PeerDied) where the last consumer has gone;
        /// [`Full`](ErrorKind::Full) with [`WhenFull::Fail`]; [`Corrupt`](ErrorKind::Corrupt)
        /// where a member breaks the rules.
        send / try_send / send_timeout / send_deadline = send_until(message: &[u8]) -> ()
    }

    four_forms! {
        /// Sends as many of `messages` as there is room for; waits while there is room for none.
        /// Returns how many were sent.
        ///
        /// # Errors
        /// As [`send`](Producer::send), for the first of them.
        send_batch / try_send_batch / send_batch_timeout / send_batch_deadline
            = send_batch_until(messages: &[&[u8]]) -> usize
    }

    four_forms! {
        /// Room for a message of `len` bytes, to be filled in the shared memory and then sent;
        /// waits while the queue is full. Meanwhile the others go on.
        ///
        /// # Errors
        /// As [`send`](Producer::send); [`Full`](ErrorKind::Full) with [`WhenFull::DropNewest`],
        /// too; [`Deadlock`](ErrorKind::Deadlock) where this thread has a loan already.
        loan / try_loan / loan_timeout / loan_deadline = loan_until(len: usize) -> Slot<'_>
    }

    /// How many messages we have dropped: our own ([`WhenFull::DropNewest`]), or the oldest of
    /// all ([`WhenFull::DropOldest`]).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// How many consumers there are, now that the dead ones are left out.
    ///
    /// # Errors
    /// As the system says.
    pub fn consumers(&self) -> Result<usize> {
        self.member.count(Role::Consumer)
    }

    /// How long this end looks at memory before it sleeps, from now on. Each member has its own
    /// way.
    pub fn set_spin(&mut self, spin: Spin) {
        self.member.set_spin(spin);
    }

    /// How large a message may be.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        self.member.slots.shape.max_message_bytes()
    }

    #[inline]
    fn send_until(&self, message: &[u8], until: Until) -> Result<()> {
        let _turn = self.member.turn("send", until)?;
        match self.put(message, until) {
            Ok(()) => {
                self.member.wake(1);
                Ok(())
            }
            Err(error) => self.drop_newest(error),
        }
    }

    /// Commits a message; a consumer is to be woken.
    #[inline]
    fn put(&self, message: &[u8], until: Until) -> Result<()> {
        let number = self.claim(message.len(), until)?;
        let slots = &self.member.slots;
        slots.memory.write(slots.place(number), message);
        slots.commit(number, self.member.number, message.len())
    }

    fn send_batch_until(&self, messages: &[&[u8]], until: Until) -> Result<usize> {
        let Some(first) = messages.first() else {
            return Ok(0);
        };
        let _turn = self.member.turn("send", until)?;
        if let Err(error) = self.put(first, until) {
            return self.drop_newest(error).map(|()| 1);
        }
        // Each is committed before the next is begun. Why one cannot be sent, the next call tells.
        let rest = messages[1..].iter();
        let sent = 1 + rest
            .take_while(|message| self.put(message, Until::Now).is_ok())
            .count();
        self.member.wake(sent);
        Ok(sent)
    }

    fn loan_until(&self, len: usize, until: Until) -> Result<Slot<'_>> {
        let turn = self.member.turn("send", until)?;
        let number = self.claim(len, until)?;
        self.lent.set(self.lent.get().wrapping_add(1));
        Ok(Slot {
            number,
            producer: self,
            _turn: self.member.lend(turn),
            len,
            filled: 0,
            sent: false,
        })
    }

    #[cold]
    fn drop_newest(&self, error: Error) -> Result<()> {
        if self.when_full != WhenFull::DropNewest || error.kind() != ErrorKind::Full {
            return Err(error);
        }
        self.dropped.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Claims a slot for a message of `len` bytes.
    #[inline]
    fn claim(&self, len: usize, until: Until) -> Result<u64> {
        if len > self.max_message_bytes() {
            return Err(self.too_large(len));
        }
        self.member.still_there("send")?;
        match self.try_claim()? {
            Some(number) => {
                self.member.found();
                Ok(number)
            }
            None => self.claim_when_there_is_room(until),
        }
    }

    #[inline]
    fn try_claim(&self) -> Result<Option<u64>> {
        self.member.slots.claim(self.member.number)
    }

    #[cold]
    fn claim_when_there_is_room(&self, until: Until) -> Result<u64> {
        match self.when_full {
            WhenFull::Block => self.member.wait("send", until, || self.try_claim()),
            WhenFull::DropOldest => loop {
                if self.member.slots.drop_oldest()? {
                    self.dropped.fetch_add(1, Relaxed);
                } else {
                    // Others took what was the oldest, or a producer writes it still.
                    self.member.attend()?;
                    self.member.still_there("send")?;
                    if !self.member.slots.has_room()? {
                        return self.full();
                    }
                }
                if let Some(number) = self.try_claim()? {
                    return Ok(number);
                }
            },
            _ => {
                // The dead empty no queue, and hold no slot.
                self.member.attend()?;
                self.member.still_there("send")?;
                match self.try_claim()? {
                    Some(number) => Ok(number),
                    None => self.full(),
                }
            }
        }
    }

    fn full(&self) -> Result<u64> {
        Err(Error::new("send", ErrorKind::Full).hint("the consumers have not taken what is there"))
    }

    #[cold]
    fn too_large(&self, len: usize) -> Error {
        let most = self.max_message_bytes();
        Error::new("send", ErrorKind::TooLarge).hint(format!(
            "the message has {len} bytes, and a slot of the queue room for {most}"
        ))
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // One that leaves is not dead: nobody else would give back what it has forgotten.
        if self.lent.get() != 0 {
            self.member.slots.recover(self.member.number);
        }
    }
}

impl Pollable for Producer {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.member.descriptor()
    }

    fn shown_by(&self, _interest: Interest) -> Interest {
        // Of room, too, it is told by its bell.
        Interest::Read
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let _turn = self.member.turn("wait", until)?;
        if self.when_full != WhenFull::Block {
            return Ok(());
        }
        let look = || Ok(self.member.slots.has_room()?.then_some(()));
        self.member.wait("wait", until, look)
    }

    fn arm(&self, _interest: Interest) -> Result<bool> {
        let _turn = self.member.turn("wait", Until::Forever)?;
        let ended = self.member.arm()?;
        Ok(ended || self.when_full != WhenFull::Block || self.member.slots.has_room()?)
    }
}

impl TrySend for Producer {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Producer {
    fn try_flush(&self) -> Result<()> {
        // A message is there whole or not at all.
        Ok(())
    }
}

/// Room for a message of a [`Queue`](crate::Queue), to be filled and then sent. Dropped, it is
/// given back and nothing is sent.
///
/// Other threads' sends by this producer wait for it; those of the thread that has it are refused
/// ([`Deadlock`](ErrorKind::Deadlock)).
#[derive(Debug)]
#[must_use = "what is not sent is given back"]
pub struct Slot<'a> {
    producer: &'a Producer,
    _turn: Lending<'a>,
    number: u64,
    len: usize,
    filled: usize,
    sent: bool,
}

impl Slot<'_> {
    /// How many bytes the message has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes behind what was written.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) beyond the end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_at(self.filled, bytes)?;
        self.filled += bytes.len();
        Ok(())
    }

    /// Writes at `offset`.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) beyond the end.
    pub fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        crate::loan::inside("write", self.len, offset, bytes.len())?;
        let slots = &self.producer.member.slots;
        slots.memory.write(slots.place(self.number) + offset, bytes);
        Ok(())
    }

    /// Sends it as it is. What was not written is what an earlier message left there.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) where a member breaks the rules.
    pub fn send(mut self) -> Result<()> {
        self.sent = true;
        let member = &self.producer.member;
        member.slots.commit(self.number, member.number, self.len)?;
        member.wake(1);
        Ok(())
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let lent = &self.producer.lent;
        lent.set(lent.get().wrapping_sub(1));
        if !self.sent {
            let member = &self.producer.member;
            member.slots.give_up(self.number, member.number);
            // Other producers may wait for room.
            member.pass_on();
        }
    }
}
