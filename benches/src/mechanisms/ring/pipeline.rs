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

/// A payload is copied into a slot and out of it; or only the word is written.
pub(in crate::mechanisms) fn pipeline() -> Maker {
    Maker {
        name: "pipeline",
        kind: MakerKind::Raw,
        copies: "2 (into and out of the slot)",
        fits: polled,
        ..Maker::raw(|side, meet, shape| connect(side, meet, shape, true))
    }
}

/// The same slots, whose payload nobody touches.
pub(in crate::mechanisms) fn untouched() -> Maker {
    Maker {
        name: "untouched",
        copies: "none",
        verifies: false,
        ..Maker {
            connect: |side, meet, shape| connect(side, meet, shape, false),
            ..pipeline()
        }
    }
}

fn polled(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::OneWay | Scenario::RoundTripSpin => Ok(()),
        _ => Err("its sides never sleep".to_owned()),
    }
}

fn connect(side: Side, meet: &Meet, shape: &Shape, copies: bool) -> io::Result<Box<dyn Endpoint>> {
    let stride = BEFORE + shape.size.next_multiple_of(BEFORE);
    let slots = ((BYTES / stride) as u64).clamp(2, SLOTS);
    let (region, tx, rx) = both_ways(side, meet, slots as usize * stride)?;
    Ok(Box::new(Pipeline {
        region,
        stride,
        slots,
        copies,
        tx: (tx, 0),
        rx: (rx, 0),
    }))
}

struct Pipeline {
    region: Region,
    stride: usize,
    slots: u64,
    copies: bool,
    /// Where the slots of a way begin, and the number of its next message.
    tx: (usize, u64),
    rx: (usize, u64),
}

impl Pipeline {
    /// Where the slot of the next message stands, and the word that says that it is free.
    fn slot(&self, (base, number): (usize, u64)) -> (usize, u64) {
        let at = base + (number % self.slots) as usize * self.stride;
        (at, number / self.slots * 2)
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
        let (at, free) = self.slot(self.tx);
        if self.region.word64(at).load(Acquire) != free {
            return Ok(false);
        }
        if self.copies {
            self.region.write(at + BEFORE, message);
        }
        self.region.word64(at).store(free + 1, Release);
        self.tx.1 += 1;
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let (at, free) = self.slot(self.rx);
        if self.region.word64(at).load(Acquire) != free + 1 {
            return Ok(false);
        }
        if self.copies {
            self.region.read(at + BEFORE, into);
        }
        self.region.word64(at).store(free + 2, Release);
        self.rx.1 += 1;
        Ok(true)
    }
}
