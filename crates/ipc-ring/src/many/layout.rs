//! What stands where in the memory of a queue, which all of its members write.

use crate::Options;
use crate::ground::WritableWindow;
use crate::layout::{FORMAT_VERSION, LINE};
use ipc_core::{Error, ErrorKind, Result};
use ipc_shm::layout_hash;

/// Members that a queue has at a time, of both kinds together.
pub const MAX_MEMBERS: usize = 64;

/// `u32`: how many slots there are, a power of two.
pub(super) const AT_SLOT_COUNT: usize = 0;
/// `u32`: how many bytes each of them has, a multiple of a line.
pub(super) const AT_SLOT_BYTES: usize = 4;
/// `u64`: goes up when a member comes, and when one leaves.
pub(super) const AT_CHANGES: usize = 64;
/// `u64`, a bit for each seat: which consumers sleep, until somebody wakes them; and behind it,
/// `u64`: who waits for a descriptor, and is told of every message.
pub(super) const AT_ASLEEP: usize = 128;
/// From the consumers' two words to the producers'.
pub(super) const NEXT_ROLE: usize = 128;
/// `u64`: no message before this one is there any more.
pub(super) const AT_HEAD: usize = 384;
/// `u64`: no slot before that of this message is free.
pub(super) const AT_TAIL: usize = 512;
/// `u64`: messages that were dropped, since newer ones came.
pub(super) const AT_DROPPED: usize = 640;
/// A line for each seat.
pub(super) const AT_SEATS: usize = 768;
/// `u64`, of a seat: the number of the member that sits there, and whether it has left.
pub(super) const SEAT_MEMBER: usize = 0;
/// `u32`, of a seat: the processor that its member waited on last, plus 1.
pub(super) const SEAT_CPU: usize = 8;
pub(super) const AT_SLOTS: usize = AT_SEATS + MAX_MEMBERS * LINE;
/// `u64`, of a slot behind its word: how many bytes its message has.
pub(super) const SLOT_LENGTH: usize = 8;
/// The message.
pub(super) const SLOT_MESSAGE: usize = 16;

/// Bytes of a slot that has room for every message at hand, of one line.
const LEAST_BYTES: usize = LINE - SLOT_MESSAGE;
/// Members are counted so far; their numbers are never used again.
pub(super) const MAX_MEMBER: u32 = (1 << 24) - 1;
/// No message has such a number: what says so is damaged.
const NUMBERS: u64 = 1 << 61;
/// Bits of its number that the word of a slot has, while its message is written.
const LOW_BITS: u32 = 38;

/// How the memory of a queue is told from others'.
pub(super) const LAYOUT: u64 = layout_hash(
    &[
        ("slots u32", AT_SLOT_COUNT),
        ("slot bytes u32", AT_SLOT_BYTES),
        ("changes u64", AT_CHANGES),
        ("consumers asleep u64, armed u64", AT_ASLEEP),
        ("producers asleep u64, armed u64", AT_ASLEEP + NEXT_ROLE),
        ("head u64", AT_HEAD),
        ("tail u64", AT_TAIL),
        ("dropped u64", AT_DROPPED),
        ("64 seats: member u64, cpu u32", AT_SEATS),
        ("slots: word u64, length u64, message", AT_SLOTS),
    ],
    FORMAT_VERSION as usize,
);

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Consumer = 0,
    Producer = 1,
}

impl Role {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Consumer => Self::Producer,
            Self::Producer => Self::Consumer,
        }
    }

    pub(super) const fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Consumer),
            1 => Some(Self::Producer),
            _ => None,
        }
    }
}

/// How many slots there are, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// A power of two.
    pub(super) slots: u64,
    /// A multiple of a line.
    pub(super) slot_bytes: usize,
}

impl Shape {
    /// The shape for so many messages, which have so many bytes together.
    pub(super) fn of(options: &Options) -> Result<Self> {
        let shape = options.shape()?;
        let each = (shape.bytes / shape.slots) as usize;
        let slot_bytes = (SLOT_MESSAGE + each.max(LEAST_BYTES)).next_multiple_of(LINE);
        if u32::try_from(slot_bytes).is_err() {
            return Err(Error::new("create", ErrorKind::InvalidInput)
                .hint("a slot of a queue has less than 4 GiB"));
        }
        Ok(Self {
            slots: shape.slots,
            slot_bytes,
        })
    }

    /// The shape that stands in a queue's memory of `len` bytes, if it can be.
    pub(super) fn read(slots: u32, slot_bytes: u32, len: usize) -> Option<Self> {
        let shape = Self {
            slots: u64::from(slots),
            slot_bytes: slot_bytes as usize,
        };
        let possible = slots.is_power_of_two()
            && slots <= 1 << 24
            && slot_bytes as usize >= LINE
            && shape.slot_bytes.is_multiple_of(LINE)
            && shape.region_bytes() == Some(len);
        possible.then_some(shape)
    }

    pub(super) fn region_bytes(self) -> Option<usize> {
        let slots = usize::try_from(self.slots).ok()?;
        slots.checked_mul(self.slot_bytes)?.checked_add(AT_SLOTS)
    }

    pub(super) const fn max_message_bytes(self) -> usize {
        self.slot_bytes - SLOT_MESSAGE
    }

    /// The slot of message `number`.
    #[inline]
    pub(super) const fn slot(self, number: u64) -> usize {
        AT_SLOTS + (number & (self.slots - 1)) as usize * self.slot_bytes
    }
}

/// What the word of a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It awaits its message.
    Free,
    /// Its message is there.
    Ready,
    /// The member of this number writes it.
    Writing(u32),
}

/// The word of the slot that awaits message `number`.
#[inline]
pub(super) const fn free(number: u64) -> u64 {
    number << 2
}

/// The word that commits message `number`.
#[inline]
pub(super) const fn ready(number: u64) -> u64 {
    number << 2 | 1
}

/// The word of message `number`, which `member` writes.
#[inline]
pub(super) const fn writing(number: u64, member: u32) -> u64 {
    (member as u64) << (LOW_BITS + 2) | (number & low_bits()) << 2 | 2
}

const fn low_bits() -> u64 {
    (1 << LOW_BITS) - 1
}

/// What `word` says of the slot of message `near`: the number of the message that it is about,
/// and what of it. Nothing where no member writes such a word there.
#[inline]
pub(super) fn decode(shape: Shape, word: u64, near: u64) -> Option<(u64, State)> {
    let (number, state) = match word & 3 {
        0 => (word >> 2, State::Free),
        1 => (word >> 2, State::Ready),
        2 => {
            let member = (word >> (LOW_BITS + 2)) as u32;
            let ahead = (word >> 2).wrapping_sub(near) << (64 - LOW_BITS);
            let ahead = ahead.cast_signed() >> (64 - LOW_BITS);
            (near.wrapping_add_signed(ahead), State::Writing(member))
        }
        _ => return None,
    };
    let its_own = (number ^ near) & (shape.slots - 1) == 0;
    (its_own && number < NUMBERS).then_some((number, state))
}

/// The word of a seat in which `member` sits; `here` until it leaves.
pub(super) const fn seat(member: u32, here: bool) -> u64 {
    (member as u64) << 1 | here as u64
}

/// Writes what a new queue has.
pub(super) fn begin(memory: &WritableWindow, shape: Shape) {
    use std::sync::atomic::Ordering::Relaxed;
    let slots = u32::try_from(shape.slots).unwrap_or(u32::MAX);
    let slot_bytes = u32::try_from(shape.slot_bytes).unwrap_or(u32::MAX);
    memory.u32(AT_SLOT_COUNT).store(slots, Relaxed);
    memory.u32(AT_SLOT_BYTES).store(slot_bytes, Relaxed);
    for number in 0..shape.slots {
        memory.u64(shape.slot(number)).store(free(number), Relaxed);
    }
}

pub(super) fn corrupt(operation: &'static str, why: &'static str) -> Error {
    Error::new(operation, ErrorKind::Corrupt).hint(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_the_document() {
        assert_eq!(format!("{LAYOUT:#018x}"), "0x68fa4f7bdb03b090");
    }

    #[test]
    fn a_word_says_what_it_was_made_of() {
        let shape = Shape {
            slots: 8,
            slot_bytes: 64,
        };
        for number in [0, 5, 8, (1 << 38) - 3, 1 << 38, (1 << 60) + 5] {
            for near in [number, number + 8] {
                let read = |word| decode(shape, word, near);
                assert_eq!(read(free(number)), Some((number, State::Free)));
                assert_eq!(read(ready(number)), Some((number, State::Ready)));
                let member = MAX_MEMBER;
                let written = Some((number, State::Writing(member)));
                assert_eq!(read(writing(number, member)), written);
            }
            assert_eq!(decode(shape, ready(number), number + 1), None);
            assert_eq!(decode(shape, 3, number), None);
        }
    }
}
