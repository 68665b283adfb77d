//! A ring in shared memory, one each way, with the sequence word in each slot's own line.

#[path = "ring/bare.rs"]
pub(super) mod bare;
#[path = "ring/indices.rs"]
pub(super) mod indices;
#[cfg(feature = "peers")]
#[path = "ring/peers.rs"]
pub(super) mod peers;
#[path = "ring/pipeline.rs"]
pub(super) mod pipeline;

use std::{
    hint, io,
    os::fd::AsFd,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    io::Errno,
    thread::futex::{self, Flags},
};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

const LINE: usize = 64;
/// Bytes of a slot before its payload: the sequence word and padding to eight.
const SLOT_HEADER: usize = 8;
/// Where the words of a ring stand that say who sleeps.
const CONSUMER_SLEEPS: usize = 0;
const PRODUCER_SLEEPS: usize = 2 * LINE;
const RING_HEADER: usize = 4 * LINE;
/// What a seqpacket socket takes without settings (the default of wmem, less its overhead).
const UDS_MAX: usize = 64 << 10;
/// What a ring takes at most, as long as two slots fit.
const RING_BYTES: usize = 4 << 20;

/// Rings in shared memory.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        raw(),
        bare::two_flags(),
        indices::index_ring(),
        indices::batched_ring(),
        pipeline::pipeline(),
        polled(),
        uds(),
        Maker {
            copies: "2 (into and out of the ring)",
            ..Maker::ours("ipc-ring", connect_ours)
        },
    ];
    #[cfg(feature = "peers")]
    makers.extend(peers::makers());
    Family {
        name: "ring",
        about: "ring in shared memory, sequence word in each slot; futex wait, or polling",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        #[cfg(feature = "peers")]
        sweep: Some(crate::sys::iceoryx::sweep),
        #[cfg(not(feature = "peers"))]
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
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
    let (tx, rx) = (
        Cursor {
            base: tx,
            position: 0,
        },
        Cursor {
            base: rx,
            position: 0,
        },
    );
    Ok(Box::new(Rings {
        region,
        layout,
        tx,
        rx,
    }))
}

/// A ring whose sides sleep by a futex.
pub(super) fn raw() -> Maker {
    Maker {
        copies: "2 (into and out of the ring)",
        ..Maker::raw(connect)
    }
}

/// Our own ring, which looks until something comes: what a receive that may block is to reach while
/// the other side is awake.
fn polled() -> Maker {
    Maker {
        name: "polled",
        kind: MakerKind::Raw,
        copies: "2 (into and out of the ring)",
        fits: |shape| match shape.scenario {
            Scenario::RoundTripAwake => Ok(()),
            _ => Err("the ring itself shows it".to_owned()),
        },
        ..Maker::raw(|side, meet, shape| {
            Ok(Box::new(Polled(Channel(channel(side, meet, shape)?))))
        })
    }
}

/// Our own Unix sockets that keep messages apart, for what the ring gains over them.
pub(super) fn uds() -> Maker {
    Maker {
        name: "uds",
        kind: MakerKind::Raw,
        fits: |shape| match shape.scenario {
            Scenario::RoundTripAwake | Scenario::RoundTripAsleep | Scenario::OneWay
                if shape.size <= UDS_MAX =>
            {
                Ok(())
            }
            _ => Err("the family `uds-seqpacket` has it".to_owned()),
        },
        ..Maker::raw(super::uds_seqpacket::connect_ours)
    }
}

fn connect_ours(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Channel(channel(side, meet, shape)?)))
}

/// A channel between the two sides.
pub(super) fn channel(side: Side, meet: &Meet, shape: &Shape) -> io::Result<ipc_ring::Channel> {
    let socket = meet.share(side, || Ok(ipc_uds::pair_seqpacket()?))?;
    // As much as the raw ring has: 64 slots, as long as they are small, and two in any case.
    let bytes = (64 * shape.size).min(RING_BYTES).max(2 * shape.size);
    let mut options = ipc_ring::Options::new();
    options.capacity_messages(64).capacity_bytes(bytes);
    Ok(options.over(socket)?)
}

struct Polled(Channel);

impl Endpoint for Polled {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while !self.0.try_send(message)? {
            hint::spin_loop();
        }
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        while !self.0.try_recv(into)? {
            hint::spin_loop();
        }
        Ok(())
    }
}

struct Channel(ipc_ring::Channel);

impl Endpoint for Channel {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.sender().send(message)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.0.receiver().recv(into)?, into)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        done(self.0.sender().try_send(message))
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match self.0.receiver().try_recv(into) {
            Ok(len) => whole(len, into).map(|()| true),
            Err(error) => done(Err(error)),
        }
    }
}

pub(super) fn whole(len: usize, into: &[u8]) -> io::Result<()> {
    match len == into.len() {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

pub(super) fn done(outcome: ipc_ring::Result<()>) -> io::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ipc_ring::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[derive(Clone, Copy)]
struct Layout {
    stride: usize,
    slots: usize,
}

impl Layout {
    fn of(size: usize) -> Layout {
        let stride = (SLOT_HEADER + size).next_multiple_of(LINE);
        let slots = (RING_BYTES / stride).clamp(2, 64);
        Layout {
            stride,
            slots: 1 << slots.ilog2(),
        }
    }

    fn len(self) -> usize {
        RING_HEADER + self.stride * self.slots
    }
}

/// A position in one ring. A slot's word is `2 × lap` when free for that lap, and one more when
/// full.
struct Cursor {
    base: usize,
    position: u64,
}

impl Cursor {
    fn slot(&self, layout: Layout) -> usize {
        let slot = self.position as usize & (layout.slots - 1);
        self.base + RING_HEADER + slot * layout.stride
    }

    fn free(&self, layout: Layout) -> u32 {
        (self.position / layout.slots as u64 * 2) as u32
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
        let position = self.tx.position;
        let (slot, free) = (self.tx.slot(self.layout), self.tx.free(self.layout));
        let word = self.region.word32(slot);
        wait(
            word,
            free,
            position,
            self.region.word32(self.tx.base + PRODUCER_SLEEPS),
        )?;
        self.region.write(slot + SLOT_HEADER, message);
        let sleeps = self.region.word32(self.tx.base + CONSUMER_SLEEPS);
        publish(word, free.wrapping_add(1), position, sleeps)?;
        self.tx.position += 1;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let position = self.rx.position;
        let (slot, free) = (self.rx.slot(self.layout), self.rx.free(self.layout));
        let word = self.region.word32(slot);
        let sleeps = self.region.word32(self.rx.base + CONSUMER_SLEEPS);
        wait(word, free.wrapping_add(1), position, sleeps)?;
        self.region.read(slot + SLOT_HEADER, into);
        // The slot is free for the producer's next lap: that position it may sleep on.
        let next = position + self.layout.slots as u64;
        let sleeps = self.region.word32(self.rx.base + PRODUCER_SLEEPS);
        publish(word, free.wrapping_add(2), next, sleeps)?;
        self.rx.position += 1;
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        let (slot, free) = (self.tx.slot(self.layout), self.tx.free(self.layout));
        let word = self.region.word32(slot);
        if word.load(Ordering::Acquire) != free {
            return Ok(false);
        }
        self.region.write(slot + SLOT_HEADER, message);
        // Both sides poll, so there is no sleeper to look for.
        word.store(free.wrapping_add(1), Ordering::Release);
        self.tx.position += 1;
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let (slot, free) = (self.rx.slot(self.layout), self.rx.free(self.layout));
        let word = self.region.word32(slot);
        if word.load(Ordering::Acquire) != free.wrapping_add(1) {
            return Ok(false);
        }
        self.region.read(slot + SLOT_HEADER, into);
        word.store(free.wrapping_add(2), Ordering::Release);
        self.rx.position += 1;
        Ok(true)
    }
}

/// Says for which position a side sleeps; never zero, which says that it does not.
fn token(position: u64) -> u32 {
    position as u32 | 1 << 31
}

/// Waits until `word` is `wanted`. The token is put up before the last look, and the other side
/// looks for it after its store: one of the two sees the other.
fn wait(word: &AtomicU32, wanted: u32, position: u64, sleeps: &AtomicU32) -> io::Result<()> {
    loop {
        if word.load(Ordering::Acquire) == wanted {
            return Ok(());
        }
        sleeps.store(token(position), Ordering::SeqCst);
        let seen = word.load(Ordering::SeqCst);
        if seen == wanted {
            return Ok(());
        }
        match futex::wait(word, Flags::empty(), seen, None) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Stores the word and wakes who sleeps for that very position. A sleeper for a later one has put
/// up another token, which must stay for whoever publishes that one.
fn publish(word: &AtomicU32, value: u32, position: u64, sleeps: &AtomicU32) -> io::Result<()> {
    word.store(value, Ordering::SeqCst);
    let awaited = token(position);
    if sleeps.load(Ordering::SeqCst) == awaited
        && sleeps
            .compare_exchange(awaited, 0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    {
        futex::wake(word, Flags::empty(), 1)?;
    }
    Ok(())
}
