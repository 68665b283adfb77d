//! Floor: one cache line going back and forth between two CPUs, by two flags.

use std::{io, os::fd::AsFd, sync::atomic::Ordering};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

const TO_SERVER: usize = 0;
/// Away from the other flag's cache line, and from the one that prefetchers pull along.
const TO_CLIENT: usize = 128;
const LEN: usize = 4096;

/// The cache line.
pub fn family() -> Family {
    let raw = Maker {
        copies: "no payload",
        fits,
        ..Maker::raw(connect)
    };
    Family {
        name: "cache-line",
        about: "round trip of a cache line between two CPUs",
        role: Role::Floor,
        payload: false,
        takes_whole: false,
        makers: vec![raw],
        sweep: None,
    }
}

fn fits(shape: &Shape) -> Result<(), String> {
    if shape.scenario == Scenario::RoundTripSpin {
        return Ok(());
    }
    Err("this floor is one of polling".to_owned())
}

fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let region = match side {
        Side::Server => {
            let (region, fd) = Region::create(LEN)?;
            meet.send_descriptors(&[fd.as_fd()])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            Region::map(fd, LEN)?
        }
    };
    let (tx, rx) = match side {
        Side::Client => (TO_SERVER, TO_CLIENT),
        Side::Server => (TO_CLIENT, TO_SERVER),
    };
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
    sent: u32,
    received: u32,
}

impl Endpoint for Flags {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.try_send(message).map(drop)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        while !self.try_recv(into)? {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        self.sent = self.sent.wrapping_add(1);
        self.region
            .word32(self.tx)
            .store(self.sent, Ordering::Release);
        Ok(true)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        let next = self.received.wrapping_add(1);
        let here = self.region.word32(self.rx).load(Ordering::Acquire) == next;
        if here {
            self.received = next;
        }
        Ok(here)
    }
}
