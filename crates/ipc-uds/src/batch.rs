//! Several messages with one system call: sendmmsg(2) and recvmmsg(2).

use crate::datagram::{Datagram, to_peer};
use crate::failures::did_not_fit;
use crate::seqpacket::{SeqPacket, check_message};
use crate::sys::{self, MAX_BATCH};
use ipc_core::{Interest, Result, TryRecvBatch, TrySendBatch, Until, four_forms};

/// Messages that are received together, and the room for them. It keeps its memory from one
/// receive to the next.
///
/// ```
/// let (left, right) = ipc_uds::pair_seqpacket()?;
/// assert_eq!(left.send_batch(&[b"one", b"two", b"three"])?, 3);
/// let mut batch = ipc_uds::Batch::new(64);
/// right.recv_batch(&mut batch, 16)?;
/// assert!(batch.iter().eq([&b"one"[..], b"two", b"three"]));
/// # Ok::<(), ipc_uds::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    message_bytes: usize,
    bytes: Vec<u8>,
    /// Where each message begins and ends.
    places: Vec<(usize, usize)>,
}

impl Batch {
    /// None yet, and room for messages of up to `message_bytes` each.
    #[must_use]
    pub const fn new(message_bytes: usize) -> Self {
        Self {
            message_bytes,
            bytes: Vec::new(),
            places: Vec::new(),
        }
    }

    /// How many messages there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The message at `index`, counted from nought.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let (start, end) = *self.places.get(index)?;
        self.bytes.get(start..end)
    }

    /// The messages, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places
            .iter()
            .map(|&(start, end)| &self.bytes[start..end])
    }

    /// Room for `most` messages, all others forgotten.
    fn room(&mut self, most: usize) -> (&mut [u8], usize) {
        self.places.clear();
        // A buffer of nothing would not tell a message from the end.
        let each = self.message_bytes.max(1);
        let needed = each.saturating_mul(most);
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
        (&mut self.bytes[..needed], each)
    }

    /// Judges the message at place `index` of the room; returns its length where it was cut.
    fn keep(&mut self, index: usize, length: usize) -> Option<usize> {
        if length > self.message_bytes {
            return Some(length);
        }
        let start = index * self.message_bytes.max(1);
        self.places.push((start, start + length));
        None
    }

    /// What is said of messages that were cut, if any were.
    fn whole(&self, cut: Option<usize>) -> Result<usize> {
        match cut {
            None => Ok(self.len()),
            Some(length) => Err(did_not_fit(length, self.message_bytes)),
        }
    }
}

impl SeqPacket {
    four_forms! {
        /// Sends as many of `messages` as there is room for, with one system call for each
        /// [`MAX_BATCH`](crate::MAX_BATCH); waits while there is room for none. Returns how many
        /// were sent.
        ///
        /// # Errors
        /// As [`send`](SeqPacket::send), for the first of them;
        /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where any of them is empty: then none
        /// is sent.
        #[doc(alias = "sendmmsg")]
        send_batch / try_send_batch / send_batch_timeout / send_batch_deadline
            = send_batch_until(messages: &[&[u8]]) -> usize
    }

    four_forms! {
        /// Receives all messages that are there, at most `most` and
        /// [`MAX_BATCH`](crate::MAX_BATCH), with one system call; waits while there is none.
        /// `batch` is replaced by them. Returns how many they are.
        ///
        /// # Errors
        /// As [`recv`](SeqPacket::recv). [`TooLarge`](crate::ErrorKind::TooLarge) where one did
        /// not fit the room in `batch`: it is lost, and those that fit are in `batch`.
        #[doc(alias = "recvmmsg")]
        recv_batch / try_recv_batch / recv_batch_timeout / recv_batch_deadline
            = recv_batch_until(batch: &mut Batch, most: usize) -> usize
    }

    fn send_batch_until(&self, messages: &[&[u8]], until: Until) -> Result<usize> {
        for message in messages {
            check_message(message)?;
        }
        self.socket().send_batch(messages, until)
    }

    fn recv_batch_until(&self, batch: &mut Batch, most: usize, until: Until) -> Result<usize> {
        let most = most.min(MAX_BATCH);
        let (room, each) = batch.room(most);
        if most == 0 {
            return Ok(0);
        }
        let (mut lengths, mut came) = ([0; MAX_BATCH], 0);
        self.socket()
            .run("recv", Interest::Read, until, |dont_wait| {
                sys::recv_batch(self.socket().fd(), room, each, dont_wait, |slot| {
                    lengths[came] = slot.length;
                    came += 1;
                })
            })?;
        let last = lengths[..came].iter().rposition(|length| *length > 0);
        let full = last.map_or(0, |last| last + 1);
        // At the end the kernel fills the rest of a batch with nothing, as often as it is asked.
        if full < came && self.has_ended() {
            came = full;
        }
        if came == 0 {
            return Err(self.socket().end("recv", until));
        }
        let mut cut = None;
        for (index, length) in lengths[..came].iter().enumerate() {
            cut = cut.or(batch.keep(index, *length));
        }
        batch.whole(cut)
    }
}

impl Datagram {
    four_forms! {
        /// Sends as many of `messages` to the connected peer as there is room for, with one
        /// system call for each [`MAX_BATCH`](crate::MAX_BATCH); waits while there is room for
        /// none. Returns how many were sent.
        ///
        /// # Errors
        /// As [`send`](Datagram::send), for the first of them.
        #[doc(alias = "sendmmsg")]
        send_batch / try_send_batch / send_batch_timeout / send_batch_deadline
            = send_batch_until(messages: &[&[u8]]) -> usize
    }

    four_forms! {
        /// Receives all messages that are there, at most `most` and
        /// [`MAX_BATCH`](crate::MAX_BATCH), with one system call; waits while there is none.
        /// `batch` is replaced by them. Returns how many they are. Descriptors that come with
        /// them are closed.
        ///
        /// # Errors
        /// As [`recv`](Datagram::recv). [`TooLarge`](crate::ErrorKind::TooLarge) where one did
        /// not fit the room in `batch`: it is lost, and those that fit are in `batch`.
        #[doc(alias = "recvmmsg")]
        recv_batch / try_recv_batch / recv_batch_timeout / recv_batch_deadline
            = recv_batch_until(batch: &mut Batch, most: usize) -> usize
    }

    fn send_batch_until(&self, messages: &[&[u8]], until: Until) -> Result<usize> {
        let sent = self.socket.send_batch(messages, until);
        sent.map_err(to_peer)
    }

    fn recv_batch_until(&self, batch: &mut Batch, most: usize, until: Until) -> Result<usize> {
        let most = most.min(MAX_BATCH);
        batch.room(most);
        if most == 0 {
            return Ok(0);
        }
        loop {
            let (room, each) = batch.room(most);
            let (mut slots, mut came) = ([None; MAX_BATCH], 0);
            (self.socket).run("recv", Interest::Read, until, |dont_wait| {
                let take = |slot| {
                    slots[came] = Some(slot);
                    came += 1;
                };
                match self.has_policy() {
                    false => sys::recv_batch(self.socket.fd(), room, each, dont_wait, take),
                    true => {
                        sys::recv_identified_batch(self.socket.fd(), room, each, dont_wait, take)
                    }
                }
            })?;
            let (mut cut, mut in_time) = (None, Ok(()));
            for (index, slot) in slots.iter().flatten().enumerate() {
                match self.admits(slot.credentials) {
                    true => cut = cut.or(batch.keep(index, slot.length)),
                    false => in_time = in_time.and(self.refuse(until)),
                }
            }
            if !batch.is_empty() || cut.is_some() {
                return batch.whole(cut);
            }
            in_time?;
        }
    }
}

impl crate::socket::Socket {
    /// Sends what there is room for, at least one message.
    fn send_batch(&self, messages: &[&[u8]], until: Until) -> Result<usize> {
        let mut sent = 0;
        for part in messages.chunks(MAX_BATCH) {
            // Only the first of all is waited for.
            let until = if sent == 0 { until } else { Until::Now };
            let outcome = self.run("send", Interest::Write, until, |_| {
                sys::send_batch(self.fd(), part)
            });
            match outcome {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                // Why not, the next call tells.
                Err(_) => return Ok(sent),
            }
            if sent % MAX_BATCH != 0 {
                break;
            }
        }
        Ok(sent)
    }
}

macro_rules! tried {
    ($kind:ident) => {
        impl TrySendBatch for $kind {
            fn try_send_batch(&self, messages: &[&[u8]]) -> Result<usize> {
                self.send_batch_until(messages, Until::Now)
            }
        }

        impl TryRecvBatch for $kind {
            type Batch = Batch;
            fn try_recv_batch(&self, batch: &mut Batch, most: usize) -> Result<usize> {
                self.recv_batch_until(batch, most, Until::Now)
            }
        }
    };
}

tried!(SeqPacket);
tried!(Datagram);
