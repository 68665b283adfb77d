//! A bare ring of indices, told of by every message or by every batch: it looks at memory, sees
//! no death, and believes what it reads.

use std::{
    hint, io,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use super::bare::{APART, both_ways};
use crate::{
    family::{Endpoint, Maker},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

/// Slots, as many as the others have.
const SLOTS: u64 = 64;
/// Larger ones are a matter of copying, for which the pipeline is the reference.
const INDEX_PAYLOAD_MAX: usize = 4 << 10;
/// Messages that are told of together.
const BATCH: u64 = 16;

/// A ring whose sides each publish an index with every message, and keep a copy of the other's.
pub(in crate::mechanisms) fn index_ring() -> Maker {
    Maker {
        name: "index-ring",
        kind: MakerKind::Raw,
        copies: "2 (into and out of the ring)",
        fits: |shape| match shape.scenario {
            Scenario::OneWay | Scenario::RoundTripSpin if shape.size <= INDEX_PAYLOAD_MAX => Ok(()),
            Scenario::OneWay | Scenario::RoundTripSpin => {
                Err(format!("its slots have {INDEX_PAYLOAD_MAX} bytes"))
            }
            _ => Err("its sides never sleep".to_owned()),
        },
        ..Maker::raw(|side, meet, shape| connect(side, meet, shape, 1))
    }
}

/// The same ring, of which each side tells by every sixteenth message.
pub(in crate::mechanisms) fn batched_ring() -> Maker {
    Maker {
        name: "batched-ring",
        fits: |shape| match shape.scenario {
            Scenario::OneWay if shape.size <= INDEX_PAYLOAD_MAX => Ok(()),
            Scenario::OneWay => Err(format!("its slots have {INDEX_PAYLOAD_MAX} bytes")),
            _ => Err("it keeps messages back".to_owned()),
        },
        connect: |side, meet, shape| connect(side, meet, shape, BATCH),
        ..index_ring()
    }
}

fn connect(
    side: Side,
    meet: &Meet,
    shape: &Shape,
    batch: u64,
) -> io::Result<Box<dyn Endpoint>> {
    let stride = shape.size.next_multiple_of(8).max(8);
    let len = (2 * APART + SLOTS as usize * stride).next_multiple_of(APART);
    let (region, tx, rx) = both_ways(side, meet, len)?;
    Ok(Box::new(Indices {
        region,
        stride,
        batch,
        tx: Way::at(tx),
        rx: Way::at(rx),
    }))
}

/// One way of a ring of indices: what was written, what was read, then slots.
struct Way {
    base: usize,
    /// Our own index.
    own: u64,
    /// The other side's, as far as we have looked.
    other: u64,
}

impl Way {
    fn at(base: usize) -> Way {
        Way {
            base,
            own: 0,
            other: 0,
        }
    }

    fn written<'a>(&self, region: &'a Region) -> &'a AtomicU64 {
        region.word64(self.base)
    }

    fn read<'a>(&self, region: &'a Region) -> &'a AtomicU64 {
        region.word64(self.base + APART)
    }

    fn slot(&self, stride: usize) -> usize {
        self.base + 2 * APART + (self.own % SLOTS) as usize * stride
    }
}

struct Indices {
    region: Region,
    stride: usize,
    batch: u64,
    tx: Way,
    rx: Way,
}

impl Endpoint for Indices {
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

    fn flush(&mut self) -> io::Result<()> {
        self.tx.written(&self.region).store(self.tx.own, Release);
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        let way = &mut self.tx;
        if way.own - way.other == SLOTS {
            way.other = way.read(&self.region).load(Acquire);
            if way.own - way.other == SLOTS {
                return Ok(false);
            }
        }
        self.region.write(way.slot(self.stride), message);
        way.own += 1;
        if way.own.is_multiple_of(self.batch) {
            way.written(&self.region).store(way.own, Release);
        }
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let way = &mut self.rx;
        if way.own == way.other {
            way.other = way.written(&self.region).load(Acquire);
            if way.own == way.other {
                return Ok(false);
            }
        }
        self.region.read(way.slot(self.stride), into);
        way.own += 1;
        // Who has read all that it knows of tells, too: the writer may wait for just that.
        if way.own.is_multiple_of(self.batch) || way.own == way.other {
            way.read(&self.region).store(way.own, Release);
        }
        Ok(true)
    }
}
