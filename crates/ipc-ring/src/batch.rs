//! Several messages at a time, of which the other side is told once.

use crate::{Receiver, Sender};
use ipc_core::{Result, Until, four_forms};

/// Messages that were received together. It keeps its memory from one to the next.
///
/// ```
/// let (sender, receiver) = ipc_ring::pair()?;
/// assert_eq!(sender.send_batch(&[b"one", b"two", b"three"])?, 3);
/// let mut batch = ipc_ring::Batch::new();
/// receiver.recv_batch(&mut batch, 16)?;
/// assert!(batch.iter().eq([&b"one"[..], b"two", b"three"]));
/// assert_eq!(batch.get(2), Some(&b"three"[..]));
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Batch {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// How many messages there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The message at `index`, counted from nought.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Room for one more message of `len` bytes, which is one when it is [kept](Batch::keep).
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.ends.last().copied().unwrap_or(0);
        self.bytes.truncate(start);
        self.bytes.resize(start + len, 0);
        &mut self.bytes[start..]
    }

    pub(crate) fn keep(&mut self, len: usize) {
        let start = self.ends.last().copied().unwrap_or(0);
        self.ends.push(start + len);
    }

    /// The messages, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .map(|(&start, &end)| &self.bytes[start..end])
    }
}

impl Sender {
    four_forms! {
        /// Sends as many of `messages` as there is room for, and wakes the receiver once; waits
        /// while there is room for none. Returns how many were sent.
        ///
        /// # Errors
        /// As [`send`](Sender::send), for the first of them.
        send_batch / try_send_batch / send_batch_timeout / send_batch_deadline
            = send_batch_until(messages: &[&[u8]]) -> usize
    }

    fn send_batch_until(&self, messages: &[&[u8]], until: Until) -> Result<usize> {
        let Some(first) = messages.first() else {
            return Ok(0);
        };
        let _turn = self.link.turn("send", until)?;
        let mut room = match self.room(first.len(), until) {
            Ok(room) => room,
            Err(error) => return self.drop_newest(error).map(|()| 1),
        };
        let mut sent = 0;
        loop {
            let message = messages[sent];
            if !message.is_empty() {
                self.link.own.write(room.0, message);
            }
            self.put_commit(message.len(), room.1);
            sent += 1;
            let next = messages.get(sent);
            // Why there is none, the next call tells.
            match next.map(|next| self.room(next.len(), Until::Now)) {
                Some(Ok(next)) => room = next,
                _ => break,
            }
        }
        self.link.published();
        Ok(sent)
    }
}

impl Receiver {
    four_forms! {
        /// Receives all messages that are there, at most `most` and what the channel holds, and
        /// tells the sender once; waits while there is none. `batch` is replaced by them. Returns
        /// how many they are.
        ///
        /// # Errors
        /// As [`recv_vec`](Receiver::recv_vec), for the first of them.
        recv_batch / try_recv_batch / recv_batch_timeout / recv_batch_deadline
            = recv_batch_until(batch: &mut Batch, most: usize) -> usize
    }

    fn recv_batch_until(&self, batch: &mut Batch, most: usize, until: Until) -> Result<usize> {
        batch.bytes.clear();
        batch.ends.clear();
        if most == 0 {
            return Ok(0);
        }
        let _turn = self.link.turn("recv", until)?;
        let mut found = self.found(until)?;
        // A sender that breaks the rules goes on over what was not taken: it ends nevertheless.
        let most = most.min(self.slot_count());
        loop {
            let start = batch.bytes.len();
            batch.bytes.resize(start + found.len, 0);
            self.link.theirs.read(found.at, &mut batch.bytes[start..]);
            batch.ends.push(batch.bytes.len());
            self.pass(found);
            match self.look() {
                Ok(Some(next)) if batch.len() < most && self.had_room(next) => found = next,
                // What is wrong with the next one, the next call tells.
                _ => break,
            }
        }
        self.tell_if_due();
        Ok(batch.len())
    }
}
