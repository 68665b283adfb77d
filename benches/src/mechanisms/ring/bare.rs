//! Two bare flags with a payload beside each, and nothing else: both only look at memory,
//! see no death, and believe what they read.

use std::{
    hint, io,
    os::fd::AsFd,
    sync::atomic::Ordering::{Acquire, Release},
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
pub(super) const APART: usize = 2 * LINE;
/// A payload of the flag's own line stands behind its word.
const BESIDE: usize = 8;
/// What fits there and is still a multiple of 16.
const FLAG_PAYLOAD_MAX: usize = 48;

/// Two flags, each of which its side sets when it has written its payload.
pub(in crate::mechanisms) fn two_flags() -> Maker {
    Maker {
        name: "two-flags",
        kind: MakerKind::Raw,
        copies: "2 (into and out of the flag's line)",
        fits: |shape| match shape.scenario {
            Scenario::RoundTripSpin | Scenario::RoundTripAwake
                if shape.size <= FLAG_PAYLOAD_MAX =>
            {
                Ok(())
            }
            Scenario::RoundTripSpin | Scenario::RoundTripAwake => {
                Err(format!("a flag's line has {FLAG_PAYLOAD_MAX} bytes of payload"))
            }
            _ => Err("two flags are polled".to_owned()),
        },
        ..Maker::raw(connect_flags)
    }
}

/// Memory of both sides, of `len` bytes each way; where this side writes, and where it reads.
pub(super) fn both_ways(side: Side, meet: &Meet, len: usize) -> io::Result<(Region, usize, usize)> {
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
