//! Floor: two processes that wake each other by a futex in turn.

use std::{
    io,
    os::fd::AsFd,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    io::Errno,
    thread::futex::{self, Flags},
};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

const TO_SERVER: usize = 0;
/// Away from the other word's cache line, and from the one that prefetchers pull along.
const TO_CLIENT: usize = 128;
const LEN: usize = 4096;

/// The futex wake.
pub fn family() -> Family {
    let raw = Maker {
        copies: "no payload",
        fits,
        ..Maker::raw(connect)
    };
    Family {
        name: "futex-wake",
        about: "round trip of a futex wait and wake",
        role: Role::Floor,
        payload: false,
        takes_whole: false,
        makers: vec![raw],
        sweep: None,
    }
}

fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::RoundTrip
        | Scenario::RoundTripAwake
        | Scenario::RoundTripAsleep
        | Scenario::Wake => Ok(()),
        _ => Err("this floor is one of waking".to_owned()),
    }
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
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
    if shape.scenario == Scenario::RoundTrip {
        return Ok(Box::new(Counts {
            region,
            tx,
            rx,
            sent: 0,
            received: 0,
        }));
    }
    Ok(Box::new(Sleepers { region, tx, rx }))
}

/// For one CPU: words that count, so that who is overtaken on its way to sleep need not sleep.
struct Counts {
    region: Region,
    tx: usize,
    rx: usize,
    sent: u32,
    received: u32,
}

impl Endpoint for Counts {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.sent = self.sent.wrapping_add(1);
        let word = self.region.word32(self.tx);
        word.store(self.sent, Ordering::Release);
        futex::wake(word, Flags::empty(), 1)?;
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        let word = self.region.word32(self.rx);
        let last = self.received;
        while word.load(Ordering::Acquire) == last {
            sleep(word, last)?;
        }
        self.received = last.wrapping_add(1);
        Ok(())
    }
}

/// For two CPUs: words that never change, so that a receiver always sleeps, and a sender has
/// succeeded when it has woken it. With counts, two awake CPUs fall into a rhythm in which nobody
/// ever sleeps, and the floor of waking would measure no wake.
struct Sleepers {
    region: Region,
    tx: usize,
    rx: usize,
}

impl Endpoint for Sleepers {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        let word = self.region.word32(self.tx);
        while futex::wake(word, Flags::empty(), 1)? == 0 {
            // The receiver is on its way to sleep.
            rustix::thread::sched_yield();
        }
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        while !sleep(self.region.word32(self.rx), 0)? {}
        Ok(())
    }
}

/// Sleeps while the word has that value; true after a wake.
fn sleep(word: &AtomicU32, value: u32) -> io::Result<bool> {
    match futex::wait(word, Flags::empty(), value, None) {
        Ok(()) => Ok(true),
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
