//! A bare pipeline of slots, each with a word that says whether it is full: what two copies cost.

use std::{
    hint, io,
    sync::atomic::Ordering::{Acquire, Release},
};

use super::bare::both_ways;
use crate::{
    family::{Endpoint, Maker},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

/// The word of a slot has lines of its own: prefetchers pull two along.
const BEFORE: usize = 128;
/// Slots, as long as they are small; what the ring has, too.
const SLOTS: u64 = 64;
const BYTES: usize = 4 << 20;

/// A payload is copied into a slot and out of it.
pub(in crate::mechanisms) fn pipeline() -> Maker {
    Maker {
        name: "pipeline",
        kind: MakerKind::Raw,
        copies: "2 (into and out of the slot)",
        fits: polled,
        ..Maker::raw(|side, meet, shape| connect(side, meet, Layout::joined(shape.size), true))
    }
}

/// As many words and as many bytes as the ring has, however large a message is; nobody touches the
/// payload.
pub(in crate::mechanisms) fn untouched() -> Maker {
    Maker {
        name: "untouched",
        copies: "none",
        verifies: false,
        connect: |side, meet, shape| connect(side, meet, Layout::apart(shape.size), false),
        ..pipeline()
    }
}

/// The same with the payload written and read where it stands.
pub(in crate::mechanisms) fn touched() -> Maker {
    Maker {
        name: "touched",
        copies: "1 into the memory, 1 out of it",
        connect: |side, meet, shape| connect(side, meet, Layout::apart(shape.size), true),
        ..pipeline()
    }
}

fn polled(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::OneWay | Scenario::RoundTripSpin => Ok(()),
        _ => Err("its sides never sleep".to_owned()),
    }
}

fn connect(side: Side, meet: &Meet, layout: Layout, copies: bool) -> io::Result<Box<dyn Endpoint>> {
    let (region, tx, rx) = both_ways(side, meet, layout.len())?;
    Ok(Box::new(Pipeline {
        region,
        layout,
        copies,
        tx: (tx, 0),
        rx: (rx, 0),
    }))
}

/// Where words and payloads of one way stand.
#[derive(Clone, Copy)]
struct Layout {
    /// How many words, and how many payloads they are of.
    words: u64,
    payloads: u64,
    /// From one to the next.
    word_stride: usize,
    payload_stride: usize,
    /// Where the first payload stands.
    first: usize,
}

impl Layout {
    /// Each payload behind its word.
    fn joined(size: usize) -> Layout {
        let stride = BEFORE + size.next_multiple_of(BEFORE);
        let slots = ((BYTES / stride) as u64).clamp(2, SLOTS);
        Layout {
            words: slots,
            payloads: slots,
            word_stride: stride,
            payload_stride: stride,
            first: BEFORE,
        }
    }

    /// All words, and behind them room for as many payloads as the ring has room for.
    fn apart(size: usize) -> Layout {
        let stride = size.next_multiple_of(BEFORE).max(BEFORE);
        Layout {
            words: SLOTS,
            payloads: ((BYTES / stride) as u64).clamp(2, SLOTS),
            word_stride: BEFORE,
            payload_stride: stride,
            first: SLOTS as usize * BEFORE,
        }
    }

    fn len(self) -> usize {
        self.payload(self.payloads - 1) + self.payload_stride
    }

    fn word(self, number: u64) -> usize {
        (number % self.words) as usize * self.word_stride
    }

    fn payload(self, number: u64) -> usize {
        self.first + (number % self.payloads) as usize * self.payload_stride
    }

    /// What the word of a message says before it: twice how often it was used. One more says that
    /// the message is there, and two more that it was taken.
    fn before(self, number: u64) -> u64 {
        number / self.words * 2
    }
}

struct Pipeline {
    region: Region,
    layout: Layout,
    copies: bool,
    /// Where each way begins, and the number of its next message.
    tx: (usize, u64),
    rx: (usize, u64),
}

impl Pipeline {
    /// Whether the payload's room is free: the message that had it was taken, and so was, in the
    /// order of messages, the one that had the word.
    fn is_free(&self) -> bool {
        let (base, number) = self.tx;
        let Some(last) = number.checked_sub(self.layout.payloads) else {
            return true;
        };
        let word = self.region.word64(base + self.layout.word(last));
        word.load(Acquire) == self.layout.before(last) + 2
    }
}

impl Endpoint for Pipeline {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while !self.try_send(message)? {
            hint::spin_loop();
        }
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        while !self.try_recv(into)? {
            hint::spin_loop();
        }
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        if !self.is_free() {
            return Ok(false);
        }
        let (base, number) = self.tx;
        if self.copies {
            let at = base + self.layout.payload(number);
            self.region.write(at, message);
        }
        let word = self.region.word64(base + self.layout.word(number));
        word.store(self.layout.before(number) + 1, Release);
        self.tx.1 += 1;
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let (base, number) = self.rx;
        let (word, before) = (self.layout.word(number), self.layout.before(number));
        let word = self.region.word64(base + word);
        if word.load(Acquire) != before + 1 {
            return Ok(false);
        }
        if self.copies {
            let at = base + self.layout.payload(number);
            self.region.read(at, into);
        }
        word.store(before + 2, Release);
        self.rx.1 += 1;
        Ok(true)
    }
}
