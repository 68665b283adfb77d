//! A ring in shared memory, one each way, with the sequence word in each slot's own line.

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
    scenario::{Shape, Side},
    sys::Region,
};

const LINE: usize = 64;
/// Bytes of a slot before its payload: the sequence word and padding to eight.
const SLOT_HEADER: usize = 8;
/// Where the words of a ring stand that say who sleeps.
const CONSUMER_SLEEPS: usize = 0;
const PRODUCER_SLEEPS: usize = 2 * LINE;
const RING_HEADER: usize = 4 * LINE;
/// What a ring takes at most, as long as two slots fit.
const RING_BYTES: usize = 4 << 20;

/// Rings in shared memory.
pub fn family() -> Family {
    let raw = Maker { copies: "2 (into and out of the ring)", ..Maker::raw(connect) };
    Family {
        name: "shm-ring",
        about: "ring in shared memory, sequence word in each slot; futex wait, or polling",
        role: Role::Mechanism,
        payload: true,
        makers: vec![raw],
        sweep: None,
    }
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let layout = Layout::of(shape.size);
    let region = match side {
        Side::Server => {
            let (region, fd) = Region::create(2 * layout.len())?;
            meet.send_descriptors(&[fd.as_fd()])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            Region::map(fd, 2 * layout.len())?
        }
    };
    let (tx, rx) = match side {
        Side::Client => (0, layout.len()),
        Side::Server => (layout.len(), 0),
    };
    let cursor = |base| Cursor { base, slot: 0, lap: 0 };
    Ok(Box::new(Rings { region, layout, tx: cursor(tx), rx: cursor(rx) }))
}

#[derive(Clone, Copy)]
struct Layout {
    stride: usize,
    slots: usize,
}

impl Layout {
    fn of(size: usize) -> Layout {
        let stride = (SLOT_HEADER + size).next_multiple_of(LINE);
        Layout { stride, slots: (RING_BYTES / stride).clamp(2, 64) }
    }

    fn len(self) -> usize {
        RING_HEADER + self.stride * self.slots
    }
}

/// A position in one ring. A slot's word is `2 × lap` when free for that lap, and one more when
/// full.
struct Cursor {
    base: usize,
    slot: usize,
    lap: u32,
}

impl Cursor {
    fn offset(&self, layout: Layout) -> usize {
        self.base + RING_HEADER + self.slot * layout.stride
    }

    fn advance(&mut self, layout: Layout) {
        self.slot += 1;
        if self.slot == layout.slots {
            self.slot = 0;
            self.lap = self.lap.wrapping_add(1);
        }
    }
}

struct Rings {
    region: Region,
    layout: Layout,
    tx: Cursor,
    rx: Cursor,
}

impl Endpoint for Rings {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let at = self.tx.offset(self.layout);
        let word = self.region.word32(at);
        let free = self.tx.lap.wrapping_mul(2);
        wait(word, free, self.region.word32(self.tx.base + PRODUCER_SLEEPS))?;
        self.region.write(at + SLOT_HEADER, message);
        let sleeps = self.region.word32(self.tx.base + CONSUMER_SLEEPS);
        publish(word, free.wrapping_add(1), sleeps)?;
        self.tx.advance(self.layout);
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let at = self.rx.offset(self.layout);
        let word = self.region.word32(at);
        let full = self.rx.lap.wrapping_mul(2).wrapping_add(1);
        wait(word, full, self.region.word32(self.rx.base + CONSUMER_SLEEPS))?;
        self.region.read(at + SLOT_HEADER, into);
        let sleeps = self.region.word32(self.rx.base + PRODUCER_SLEEPS);
        publish(word, full.wrapping_add(1), sleeps)?;
        self.rx.advance(self.layout);
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        let at = self.tx.offset(self.layout);
        let word = self.region.word32(at);
        let free = self.tx.lap.wrapping_mul(2);
        if word.load(Ordering::Acquire) != free {
            return Ok(false);
        }
        self.region.write(at + SLOT_HEADER, message);
        // Both sides poll, so there is no sleeper to look for.
        word.store(free.wrapping_add(1), Ordering::Release);
        self.tx.advance(self.layout);
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let at = self.rx.offset(self.layout);
        let word = self.region.word32(at);
        let full = self.rx.lap.wrapping_mul(2).wrapping_add(1);
        if word.load(Ordering::Acquire) != full {
            return Ok(false);
        }
        self.region.read(at + SLOT_HEADER, into);
        word.store(full.wrapping_add(1), Ordering::Release);
        self.rx.advance(self.layout);
        Ok(true)
    }
}

/// Waits until `word` is `wanted`. The flag is raised before the last look, and the other side
/// looks at it after its store: one of the two sees the other.
fn wait(word: &AtomicU32, wanted: u32, sleeps: &AtomicU32) -> io::Result<()> {
    loop {
        if word.load(Ordering::Acquire) == wanted {
            return Ok(());
        }
        sleeps.store(1, Ordering::SeqCst);
        let seen = word.load(Ordering::SeqCst);
        if seen == wanted {
            sleeps.store(0, Ordering::Relaxed);
            return Ok(());
        }
        match futex::wait(word, Flags::empty(), seen, None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn publish(word: &AtomicU32, value: u32, sleeps: &AtomicU32) -> io::Result<()> {
    word.store(value, Ordering::SeqCst);
    if sleeps.load(Ordering::SeqCst) != 0 {
        sleeps.store(0, Ordering::Relaxed);
        futex::wake(word, Flags::empty(), 1)?;
    }
    Ok(())
}
