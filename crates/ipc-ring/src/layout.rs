//! What stands where in the two regions of a channel, of which each side writes one.
//!
//! A region begins with its writer's two lines. In the sender's, the slots follow, and behind
//! them the bytes of messages that no slot can hold.

use ipc_core::{Error, ErrorKind, Result};
use ipc_shm::layout_hash;

/// Version of the layout; another is refused.
pub const FORMAT_VERSION: u32 = 1;

/// Bytes of a message that stand in its slot, beside the word that commits it.
pub const INLINE_BYTES: usize = SLOT_BYTES - COMMIT_BYTES;

pub(crate) const LINE: usize = 64;
/// Two lines, which processors fetch together: a message of 64 bytes stands beside its word, too.
/// A model's has one, so that larger messages have fewer words.
pub(crate) const SLOT_BYTES: usize = if cfg!(ipc_model) { LINE } else { 2 * LINE };
pub(crate) const COMMIT_BYTES: usize = 8;

/// `u64`: odd while the region's writer sleeps, or is about to; each sleep has a number of its own.
pub(crate) const AT_PARKED: usize = 0;
/// `u32`: 1 when the region's writer has closed its end.
pub(crate) const AT_CLOSED: usize = 8;
/// `u32`: the processor that the writer waited on last, plus 1.
pub(crate) const AT_CPU: usize = 12;
/// `u32`: 1 while the writer leaves the memory barrier of each message to who wants to sleep.
pub(crate) const AT_ASYMMETRIC: usize = 16;
/// `u32`: how many slots there are.
pub(crate) const AT_SLOT_COUNT: usize = 20;
/// `u64`: how many bytes stand behind them.
pub(crate) const AT_BYTE_COUNT: usize = 24;
/// `u64`, in a line of its own: how many messages the receiver has taken; in a broadcaster's
/// region, the number of the oldest message that still stands whole.
pub(crate) const AT_PROGRESS: usize = LINE;
/// `u64`, in the slot of a broadcast message that stands beside: where its bytes begin.
pub(crate) const AT_START: usize = COMMIT_BYTES;
/// No message has such a number: what says so is damaged.
pub(crate) const NUMBERS: u64 = 1 << 62;
/// `u64`: how many messages the receiver is done with, as far as it says.
pub(crate) const AT_DONE: usize = LINE + 8;
/// In the length of a message: its sender waits to be told of it.
pub(crate) const ACKED: usize = 1 << 31;
/// The slots, in the sender's region.
pub(crate) const AT_SLOTS: usize = 2 * LINE;

/// How a region of this crate is told from others'.
pub(crate) const fn layout(side: Side) -> u64 {
    let (progress, slot) = match side {
        Side::Sender => ("sent u64", "slots: commit u64, 120 bytes; then bytes"),
        Side::Broadcaster => (
            "oldest u64",
            "slots: commit u64, 120 bytes or start u64; then bytes",
        ),
        Side::Receiver => ("taken u64", "nothing"),
    };
    let fields = [
        ("parked u64", AT_PARKED),
        ("closed u32", AT_CLOSED),
        ("cpu u32", AT_CPU),
        ("asymmetric u32", AT_ASYMMETRIC),
        ("slots u32", AT_SLOT_COUNT),
        ("bytes u64", AT_BYTE_COUNT),
        (progress, AT_PROGRESS),
        ("done u64", AT_DONE),
        (slot, AT_SLOTS),
    ];
    layout_hash(&fields, FORMAT_VERSION as usize)
}

/// Who writes a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Broadcaster,
    Receiver,
}

/// How large the parts of the sender's region are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// A power of two.
    pub(crate) slots: u64,
    /// A multiple of a line.
    pub(crate) bytes: u64,
    /// The number of the last slot, all of whose bits are set.
    last_slot: u64,
    /// How large a message may be.
    most: usize,
    /// Where the bytes begin.
    at_bytes: usize,
    /// One less than the bytes where they are a power of two, as they mostly are: a division costs
    /// as much as the rest of a small message.
    mask: Option<u64>,
}

impl Shape {
    /// The shape for so many messages and bytes.
    pub(crate) fn new(messages: usize, bytes: usize) -> Result<Self> {
        let refuse =
            |hint: &'static str| Err(Error::new("create", ErrorKind::InvalidInput).hint(hint));
        if !(1..=1 << 24).contains(&messages) {
            return refuse("a ring holds 1 to 2^24 messages");
        }
        if bytes > 1 << 32 {
            return refuse("a ring holds at most 4 GiB");
        }
        let slots = messages.next_power_of_two();
        let bytes = bytes.next_multiple_of(LINE);
        Ok(Self {
            slots: slots as u64,
            bytes: bytes as u64,
            last_slot: slots as u64 - 1,
            most: bytes.clamp(INLINE_BYTES, ACKED - 1),
            at_bytes: AT_SLOTS + slots * SLOT_BYTES,
            mask: bytes.is_power_of_two().then(|| bytes as u64 - 1),
        })
    }

    /// How large the sender's region is.
    pub(crate) const fn region_bytes(self) -> usize {
        self.at_bytes + self.bytes as usize
    }

    /// Refuses a message that the channel has no room for.
    #[inline]
    pub(crate) fn admit(self, len: usize) -> Result<()> {
        let most = self.max_message_bytes();
        if len > most {
            return Err(Error::new("send", ErrorKind::TooLarge).hint(format!(
                "the message has {len} bytes, and the channel room for {most}"
            )));
        }
        Ok(())
    }

    /// How large a message may be.
    #[inline]
    pub(crate) const fn max_message_bytes(self) -> usize {
        self.most
    }

    /// Which slot is that of message `number`, counted from nought: at most 2^24.
    #[inline]
    pub(crate) const fn index(self, number: u64) -> usize {
        (number & self.last_slot & 0xff_ffff) as usize
    }

    /// The slot of message `number`.
    #[inline]
    pub(crate) const fn slot(self, number: u64) -> usize {
        AT_SLOTS.wrapping_add(self.index(number).wrapping_mul(SLOT_BYTES))
    }

    /// Where the bytes of a message begin and end that are `len` long and follow those that end
    /// at `after`: a message stands in one piece, so the rest before the end may be left out.
    #[inline]
    pub(crate) const fn place(self, after: u64, len: usize) -> (u64, u64) {
        // No channel lives for 2^64 bytes.
        let start = after.wrapping_add(LINE as u64 - 1) & !(LINE as u64 - 1);
        let left = self.bytes.wrapping_sub(self.within(start));
        let start = if (len as u64) > left {
            start.wrapping_add(left)
        } else {
            start
        };
        (start, start.wrapping_add(len as u64))
    }

    /// Where byte `position` stands in the region.
    #[inline]
    pub(crate) const fn at(self, position: u64) -> usize {
        self.at_bytes.wrapping_add(self.within(position) as usize)
    }

    /// How far `position` is behind the last multiple of all bytes.
    #[inline]
    const fn within(self, position: u64) -> u64 {
        match self.mask {
            Some(mask) => position & mask,
            None => position % self.bytes,
        }
    }
}

/// The word that commits message `number` of `len` bytes. A slot holds the words of messages that
/// are a whole ring apart, and no two of them are equal.
#[inline]
pub(crate) const fn commit(number: u64, len: usize) -> u64 {
    (number.wrapping_add(1) << 32) | len as u64
}

/// The length that `word` says, where it commits message `number`.
#[inline]
pub(crate) const fn committed(word: u64, number: u64) -> Option<usize> {
    if (word >> 32) as u32 == number.wrapping_add(1) as u32 {
        Some(word as u32 as usize)
    } else {
        None
    }
}

#[cfg(all(test, not(ipc_model)))]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_the_document() {
        let hashes = [Side::Sender, Side::Receiver, Side::Broadcaster].map(layout);
        let document = [
            "0xc181802cb168532f",
            "0xdd4bc0541ad55717",
            "0xcec0f6aa21da9b6a",
        ];
        assert_eq!(hashes.map(|hash| format!("{hash:#018x}")), document);
    }
}
