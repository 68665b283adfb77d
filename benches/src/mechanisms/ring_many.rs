//! Queues in shared memory for many senders and many receivers, one each way.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU32, Ordering::*},
};

use rustix::{
    io::Errno,
    thread::futex::{self, Flags},
};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    fan_in::FanIn,
    meet::Meet,
    scenario::{Shape, Side},
    sys::Region,
};

const LINE: usize = 64;
/// Where a queue's counters stand, and how many sleep.
const TAIL: usize = 0;
const HEAD: usize = 2 * LINE;
const ASLEEP: usize = 4 * LINE;
const QUEUE_HEADER: usize = 6 * LINE;
/// Bytes of a slot before its payload.
const SLOT_HEADER: usize = 16;
/// What a queue takes at most, as long as two slots fit.
const QUEUE_BYTES: usize = 4 << 20;

/// Queues of many in shared memory.
pub fn family() -> Family {
    let raw = Maker {
        copies: "2 (into and out of the queue)",
        fan_in: Some(FanIn {
            receiver: |meets, shape| {
                let fd = Tickets::create(shape.size, slots(shape))?;
                for meet in meets {
                    meet.send_descriptors(&[fd.as_fd()])?;
                }
                Ok(Box::new(Tickets::join(fd, shape.size, slots(shape))?))
            },
            sender: |meet, shape| {
                let [fd] = meet.recv_descriptors()?;
                Ok(Box::new(Tickets::join(fd, shape.size, slots(shape))?))
            },
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::raw(connect)
    };
    let ours = Maker {
        copies: "2 (into and out of the queue)",
        fan_in: Some(FanIn {
            receiver: |meets, shape| {
                let queue = options(shape).queue()?;
                let consumer = queue.consumer()?;
                for meet in meets {
                    queue.add(meet.share(Side::Server, || Ok(ipc_uds::pair_seqpacket()?))?)?;
                }
                Ok(Box::new(Ours {
                    producer: None,
                    consumer: Some(consumer),
                }))
            },
            sender: |meet, shape| {
                let socket = meet.share(Side::Client, || Ok(ipc_uds::pair_seqpacket()?))?;
                Ok(producing(options(shape).produce_over(socket)?))
            },
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        ..Maker::ours("ipc-ring", connect_ours)
    };
    Family {
        name: "ring-many",
        about: "queue of many senders and receivers in shared memory; raw: tickets, futex wait",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw, ours],
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let layout = Layout::of(shape.size);
    let (region, there, back) = match side {
        Side::Server => {
            let (region, fd) = Region::create(2 * layout.len())?;
            layout.begin(&region, 0);
            layout.begin(&region, layout.len());
            meet.send_descriptors(&[fd.as_fd()])?;
            (region, layout.len(), 0)
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            (Region::map(fd, 2 * layout.len())?, 0, layout.len())
        }
    };
    Ok(Box::new(Tickets::of(region, layout, there, back)))
}

/// As much as the raw queue has: 64 slots, as long as they are small, and two in any case.
fn options(shape: &Shape) -> ipc_ring::Options {
    options_of(shape.size, slots(shape))
}

fn slots(shape: &Shape) -> usize {
    Layout::of(shape.size).slots
}

/// Those of so many messages of a size.
pub(super) fn options_of(size: usize, slots: usize) -> ipc_ring::Options {
    let mut options = ipc_ring::Options::new();
    options
        .capacity_messages(slots)
        .capacity_bytes(slots * size.next_multiple_of(8));
    options
}

fn connect_ours(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = || meet.share(side, || Ok(ipc_uds::pair_seqpacket()?));
    let (first, second) = (socket()?, socket()?);
    let (producer, consumer) = match side {
        Side::Server => {
            let (here, there) = (options(shape).queue()?, options(shape).queue()?);
            let ends = (there.producer()?, here.consumer()?);
            here.add(first)?;
            there.add(second)?;
            ends
        }
        Side::Client => (
            options(shape).produce_over(first)?,
            options(shape).consume_over(second)?,
        ),
    };
    Ok(Box::new(Ours {
        producer: Some(producer),
        consumer: Some(consumer),
    }))
}

/// The end of who only sends.
pub(super) fn producing(producer: ipc_ring::Producer) -> Box<dyn Endpoint> {
    Box::new(Ours {
        producer: Some(producer),
        consumer: None,
    })
}

/// The end of who only receives.
pub(super) fn consuming(consumer: ipc_ring::Consumer) -> Box<dyn Endpoint> {
    Box::new(Ours {
        producer: None,
        consumer: Some(consumer),
    })
}

/// What a side has of our queues: of a fan-in, one of the two.
struct Ours {
    producer: Option<ipc_ring::Producer>,
    consumer: Option<ipc_ring::Consumer>,
}

impl Ours {
    fn producer(&self) -> io::Result<&ipc_ring::Producer> {
        self.producer.as_ref().ok_or(io::ErrorKind::Unsupported.into())
    }

    fn consumer(&self) -> io::Result<&ipc_ring::Consumer> {
        self.consumer.as_ref().ok_or(io::ErrorKind::Unsupported.into())
    }
}

impl Endpoint for Ours {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.producer()?.send(message)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.consumer()?.recv(into)?, into)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        done(self.producer()?.try_send(message))
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match self.consumer()?.try_recv(into) {
            Ok(len) => whole(len, into).map(|()| true),
            Err(error) => done(Err(error)),
        }
    }
}

fn whole(len: usize, into: &[u8]) -> io::Result<()> {
    match len == into.len() {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn done(outcome: ipc_ring::Result<()>) -> io::Result<bool> {
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
        let slots = (QUEUE_BYTES / Layout::stride(size)).clamp(2, 64);
        Layout::with(size, 1 << slots.ilog2())
    }

    fn with(size: usize, slots: usize) -> Layout {
        let stride = Layout::stride(size);
        Layout { stride, slots }
    }

    fn stride(size: usize) -> usize {
        (SLOT_HEADER + size).next_multiple_of(LINE)
    }

    fn len(self) -> usize {
        QUEUE_HEADER + self.stride * self.slots
    }

    /// A slot's word is the ticket it is free for, and one more when it is full.
    fn begin(self, region: &Region, base: usize) {
        for ticket in 0..self.slots as u32 {
            region
                .word32(self.slot(base, ticket))
                .store(ticket, Relaxed);
        }
    }

    fn slot(self, base: usize, ticket: u32) -> usize {
        base + QUEUE_HEADER + (ticket as usize & (self.slots - 1)) * self.stride
    }
}

/// Tickets, after Vyukov's bounded queue: who has one waits for its slot.
pub(super) struct Tickets {
    region: Region,
    layout: Layout,
    there: usize,
    back: usize,
}

impl Tickets {
    /// The memory of a queue that goes one way, of so many slots: a power of two.
    pub(super) fn create(size: usize, slots: usize) -> io::Result<OwnedFd> {
        let layout = Layout::with(size, slots);
        let (region, fd) = Region::create(layout.len())?;
        layout.begin(&region, 0);
        Ok(fd)
    }

    /// A member of it.
    pub(super) fn join(fd: OwnedFd, size: usize, slots: usize) -> io::Result<Tickets> {
        let layout = Layout::with(size, slots);
        Ok(Tickets::of(Region::map(fd, layout.len())?, layout, 0, 0))
    }

    fn of(region: Region, layout: Layout, there: usize, back: usize) -> Tickets {
        Tickets {
            region,
            layout,
            there,
            back,
        }
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        self.region.word32(at)
    }

    /// Waits until the slot of `ticket` has the word `wanted`.
    fn wait(&self, base: usize, ticket: u32, wanted: u32) -> io::Result<usize> {
        let slot = self.layout.slot(base, ticket);
        let (word, asleep) = (self.word(slot), self.word(base + ASLEEP));
        while word.load(Acquire) != wanted {
            asleep.fetch_add(1, SeqCst);
            let seen = word.load(SeqCst);
            let slept = match seen == wanted {
                true => Ok(()),
                false => futex::wait(word, Flags::empty(), seen, None),
            };
            asleep.fetch_sub(1, SeqCst);
            match slept {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(slot)
    }

    fn publish(&self, base: usize, slot: usize, value: u32) -> io::Result<()> {
        self.word(slot).store(value, SeqCst);
        if self.word(base + ASLEEP).load(SeqCst) > 0 {
            futex::wake(self.word(slot), Flags::empty(), u32::MAX >> 1)?;
        }
        Ok(())
    }

    /// Takes the next ticket of `counter`, if its slot has the word that is `ahead` of it.
    fn claim(&self, base: usize, counter: usize, ahead: u32) -> Option<(u32, usize)> {
        let counter = self.word(base + counter);
        let ticket = counter.load(Acquire);
        let slot = self.layout.slot(base, ticket);
        let ready = self.word(slot).load(Acquire) == ticket.wrapping_add(ahead);
        let next = ticket.wrapping_add(1);
        let mine = ready
            && counter
                .compare_exchange(ticket, next, SeqCst, Relaxed)
                .is_ok();
        mine.then_some((ticket, slot))
    }

    fn next_round(&self, ticket: u32) -> u32 {
        ticket.wrapping_add(self.layout.slots as u32)
    }
}

impl Endpoint for Tickets {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let ticket = self.word(self.there + TAIL).fetch_add(1, SeqCst);
        let slot = self.wait(self.there, ticket, ticket)?;
        self.region.write(slot + SLOT_HEADER, message);
        self.publish(self.there, slot, ticket.wrapping_add(1))
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let ticket = self.word(self.back + HEAD).fetch_add(1, SeqCst);
        let slot = self.wait(self.back, ticket, ticket.wrapping_add(1))?;
        self.region.read(slot + SLOT_HEADER, into);
        self.publish(self.back, slot, self.next_round(ticket))
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        let Some((ticket, slot)) = self.claim(self.there, TAIL, 0) else {
            return Ok(false);
        };
        self.region.write(slot + SLOT_HEADER, message);
        // Both sides poll, so there is no sleeper to look for.
        self.word(slot).store(ticket.wrapping_add(1), Release);
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let Some((ticket, slot)) = self.claim(self.back, HEAD, 1) else {
            return Ok(false);
        };
        self.region.read(slot + SLOT_HEADER, into);
        self.word(slot).store(self.next_round(ticket), Release);
        Ok(true)
    }
}
