//! What a ring is measured against: two bare flags with a payload beside each, and a bare ring of
//! indices. Both only look at memory, see no death, and believe what they read.

use std::{
    hint, io,
    os::fd::AsFd,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
};

use super::LINE;
use crate::{
    family::{Endpoint, Maker},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

/// Away from the next flag's line, and from the one that prefetchers pull along.
const APART: usize = 2 * LINE;
/// A payload of the flag's own line stands behind its word.
const BESIDE: usize = 8;
/// What fits there and is still a multiple of 16.
const FLAG_PAYLOAD_MAX: usize = 48;
/// Slots of the ring of indices, as many as the others have.
const SLOTS: u64 = 64;
/// Larger ones are a matter of copying, for which `raw` is the reference.
const INDEX_PAYLOAD_MAX: usize = 4 << 10;

/// Two flags, each of which its side sets when it has written its payload.
pub(super) fn two_flags() -> Maker {
    Maker {
        name: "two-flags",
        kind: MakerKind::Raw,
        copies: "2 (into and out of the flag's line)",
        fits: |shape| match shape.scenario == Scenario::RoundTripSpin {
            true if shape.size <= FLAG_PAYLOAD_MAX => Ok(()),
            true => Err(format!("a flag's line has {FLAG_PAYLOAD_MAX} bytes of payload")),
            false => Err("two flags are polled".to_owned()),
        },
        ..Maker::raw(connect_flags)
    }
}

/// A ring whose sides each publish an index with every message, and keep a copy of the other's.
pub(super) fn index_ring() -> Maker {
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
        ..Maker::raw(connect_indices)
    }
}

/// Memory of both sides, of `len` bytes each way; where this side writes, and where it reads.
fn both_ways(side: Side, meet: &Meet, len: usize) -> io::Result<(Region, usize, usize)> {
    let region = match side {
        Side::Server => {
            let (region, fd) = Region::create(2 * len)?;
            meet.send_descriptors(&[fd.as_fd()])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            Region::map(fd, 2 * len)?
        }
    };
    let (tx, rx) = match side {
        Side::Client => (0, len),
        Side::Server => (len, 0),
    };
    Ok((region, tx, rx))
}

fn connect_flags(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (region, tx, rx) = both_ways(side, meet, APART)?;
    Ok(Box::new(Flags {
        region,
        tx,
        rx,
        sent: 0,
        received: 0,
    }))
}

struct Flags {
    region: Region,
    tx: usize,
    rx: usize,
    sent: u64,
    received: u64,
}

impl Endpoint for Flags {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.try_send(message).map(drop)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        while !self.try_recv(into)? {
            hint::spin_loop();
        }
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        self.region.write(self.tx + BESIDE, message);
        self.sent += 1;
        self.region.word64(self.tx).store(self.sent, Release);
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        if self.region.word64(self.rx).load(Acquire) == self.received {
            return Ok(false);
        }
        self.region.read(self.rx + BESIDE, into);
        self.received += 1;
        Ok(true)
    }
}

fn connect_indices(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let stride = shape.size.next_multiple_of(8).max(8);
    let len = (2 * APART + SLOTS as usize * stride).next_multiple_of(APART);
    let (region, tx, rx) = both_ways(side, meet, len)?;
    Ok(Box::new(Indices {
        region,
        stride,
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
        way.written(&self.region).store(way.own, Release);
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
        way.read(&self.region).store(way.own, Release);
        Ok(true)
    }
}
