//! The end of a queue that receives.

use super::layout::Role;
use super::member::Member;
use super::slots::Message;
use crate::link::something_to_tell;
use crate::{Batch, Spin};
use ipc_core::{
    Error, ErrorKind, Interest, Pollable, Result, TryRecv, TryRecvVec, Until, four_forms,
};
use std::os::fd::BorrowedFd;

/// A member of a [`Queue`](crate::Queue) that receives: each message comes to one consumer.
/// Threads take turns.
#[derive(Debug)]
pub struct Consumer {
    member: Member,
    /// At which messages the producers are told of room.
    step: u64,
}

impl Consumer {
    pub(super) fn new(member: Member) -> Self {
        let step = (member.slots.shape.slots / 8).max(1);
        Self { member, step }
    }

    four_forms! {
        /// Receives a message into `buffer`; returns its length in bytes.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) where `buffer` is too small, and the message stays;
        /// behind the last message [`PeerDied`](ErrorKind::PeerDied) where no producer is left
        /// and one has died, [`Closed`](ErrorKind::Closed) where all had closed their ends;
        /// [`Corrupt`](ErrorKind::Corrupt) where a member breaks the rules.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Receives a message of any size: `buffer` is replaced by it.
        ///
        /// # Errors
        /// As [`recv`](Consumer::recv), but for `TooLarge`.
        recv_vec / try_recv_vec / recv_vec_timeout / recv_vec_deadline
            = recv_vec_until(buffer: &mut Vec<u8>) -> ()
    }

    four_forms! {
        /// Receives the messages that are there, at most `most`; waits while there is none.
        /// `batch` is replaced by them. Returns how many they are.
        ///
        /// # Errors
        /// As [`recv_vec`](Consumer::recv_vec), for the first of them.
        recv_batch / try_recv_batch / recv_batch_timeout / recv_batch_deadline
            = recv_batch_until(batch: &mut Batch, most: usize) -> usize
    }

    /// How many messages producers have dropped for newer ones
    /// ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)), as far as they say.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.member.slots.dropped()
    }

    /// How many producers there are, now that the dead ones are left out.
    ///
    /// # Errors
    /// As the system says.
    pub fn producers(&self) -> Result<usize> {
        self.member.count(Role::Producer)
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
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        let _turn = self.member.turn("recv", until)?;
        self.taken(until, |message| {
            let Some(buffer) = buffer.get_mut(..message.len) else {
                return Err(self.too_small(message.len, buffer.len()));
            };
            self.member.slots.memory.read(message.at, buffer);
            Ok(message.len)
        })
    }

    fn recv_vec_until(&self, buffer: &mut Vec<u8>, until: Until) -> Result<()> {
        let _turn = self.member.turn("recv", until)?;
        self.taken(until, |message| {
            buffer.clear();
            buffer.resize(message.len, 0);
            self.member.slots.memory.read(message.at, buffer);
            Ok(())
        })
    }

    fn recv_batch_until(&self, batch: &mut Batch, most: usize, until: Until) -> Result<usize> {
        batch.clear();
        if most == 0 {
            return Ok(0);
        }
        let _turn = self.member.turn("recv", until)?;
        let slots = &self.member.slots;
        let mut next = until;
        while batch.len() < most {
            let len = self.taken(next, |message| {
                slots.memory.read(message.at, batch.room(message.len));
                Ok(message.len)
            });
            match len {
                Ok(len) => batch.keep(len),
                Err(error) if batch.is_empty() => return Err(error),
                // What is wrong with the next one, the next call tells.
                Err(_) => break,
            }
            next = Until::Now;
        }
        Ok(batch.len())
    }

    /// Copies a message and takes it, unless another is faster: then the next.
    #[inline]
    fn taken<T>(&self, until: Until, mut copy: impl FnMut(Message) -> Result<T>) -> Result<T> {
        let slots = &self.member.slots;
        loop {
            let message = match slots.next()? {
                Some(message) => message,
                None => self.wait(until)?,
            };
            let copied = copy(message)?;
            if slots.take(message.number) {
                self.member.found();
                if message.number & (self.step - 1) == 0 {
                    self.member.wake(usize::MAX);
                }
                return Ok(copied);
            }
        }
    }

    #[cold]
    fn wait(&self, until: Until) -> Result<Message> {
        // Whoever waits for us to go on should not.
        self.member.wake(usize::MAX);
        let slots = &self.member.slots;
        self.member.wait("recv", until, || slots.next())
    }

    #[cold]
    fn too_small(&self, len: usize, buffer: usize) -> Error {
        // It may fit another's buffer.
        self.member.pass_on();
        Error::new("recv", ErrorKind::TooLarge)
            .hint(format!("the message has {len} bytes, the buffer {buffer}"))
    }
}

impl Pollable for Consumer {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.member.descriptor()
    }

    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        let _turn = self.member.turn("wait", until)?;
        let ready = match self.member.slots.next()? {
            Some(message) => Ok(message),
            None => self.wait(until),
        };
        // It is still everybody's: another may have been woken in our place.
        self.member.pass_on();
        something_to_tell(ready)
    }

    fn arm(&self, _interest: Interest) -> Result<bool> {
        let _turn = self.member.turn("wait", Until::Forever)?;
        self.member.wake(usize::MAX);
        let ended = self.member.arm()?;
        Ok(ended || self.member.slots.next()?.is_some())
    }

    fn has_buffered(&self) -> bool {
        !matches!(self.member.slots.next(), Ok(None))
    }
}

impl TryRecv for Consumer {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl TryRecvVec for Consumer {
    fn try_recv_vec(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.recv_vec_until(buffer, Until::Now)
    }
}
