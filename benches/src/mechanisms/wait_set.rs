//! A thousand event counters waited for at once, one of which is ready.

use std::io;

use ipc_async::WaitSet;
use ipc_event::Event;
use rustix::{
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    io::retry_on_intr,
};
use std::{os::fd::OwnedFd, sync::Arc};

use super::eventfd::{Counter, create};
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    limits::descriptors,
    mechanisms::permit::alone,
    meet::Meet,
    scenario::{Shape, Side},
};

/// How many are waited for.
pub(super) const ENDPOINTS: usize = 1_000;
/// From one that is ready to the next: no neighbour, and each has its turn.
pub(super) const STEP: usize = 389;

/// A counter each in plain epoll and in our set, which are there at once, and what a process has
/// anyway.
const DESCRIPTORS: u64 = 2 * ENDPOINTS as u64 + 512;

/// Sets of a thousand. A send makes one ready, waits and takes it: nobody else is there.
pub fn family() -> Family {
    family_of(
        "wait-set",
        "one of 1,000 event counters is ready: waited for, and taken (raw: epoll)",
        || descriptors(DESCRIPTORS),
        |side, _, _| on_one_side(side, counters),
        |side, _, _| on_one_side(side, ours),
    )
}

/// Both makers are measured in one process, in which the server's side has nothing to do: it does
/// not make a thousand of its own.
pub(super) fn on_one_side(
    side: Side,
    make: fn() -> io::Result<Box<dyn Endpoint>>,
) -> io::Result<Box<dyn Endpoint>> {
    match side {
        Side::Client => make(),
        Side::Server => Ok(Box::new(Idle)),
    }
}

struct Idle;

impl Endpoint for Idle {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Uses each once before anything is measured: what a first message costs an endpoint, such as the
/// memory it is received in, is no cost of a wait.
pub(super) fn warm(mut set: impl Endpoint + 'static) -> io::Result<Box<dyn Endpoint>> {
    for _ in 0..ENDPOINTS {
        set.send(&[])?;
    }
    Ok(Box::new(set))
}

/// Makes one side's endpoint.
type Connect = fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>;

/// A family of sets of a thousand of whatever, of which `probe` says whether there may be so many.
pub(super) fn family_of(
    name: &'static str,
    about: &'static str,
    probe: fn() -> Result<(), String>,
    raw: Connect,
    ours: Connect,
) -> Family {
    let makes = |maker| Maker {
        copies: "no payload",
        probe,
        fits: alone,
        verifies: false,
        ..maker
    };
    Family {
        name,
        about,
        role: Role::Mechanism,
        payload: false,
        takes_whole: true,
        makers: vec![
            makes(Maker::raw(raw)),
            makes(Maker::ours("ipc-async", ours)),
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY)
}

/// A thousand event counters, and plain epoll.
pub(super) fn counters() -> io::Result<Box<dyn Endpoint>> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut counters = Vec::with_capacity(ENDPOINTS);
    for number in 0..ENDPOINTS {
        let counter = create(0, false)?;
        epoll::add(
            &epoll,
            &counter,
            EventData::new_u64(number as u64),
            EventFlags::IN,
        )?;
        counters.push(Counter::new(counter));
    }
    warm(Raw {
        epoll,
        counters,
        next: 0,
    })
}

struct Raw {
    epoll: OwnedFd,
    counters: Vec<Counter>,
    next: usize,
}

impl Endpoint for Raw {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.next = (self.next + STEP) % ENDPOINTS;
        self.counters[self.next].add()?;
        self.counters[next_ready(&self.epoll)?].take()
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Waits; the number of one that is ready.
pub(super) fn next_ready(epoll: &OwnedFd) -> io::Result<usize> {
    let mut events = [epoll::Event {
        flags: EventFlags::empty(),
        data: EventData::new_u64(0),
    }];
    while retry_on_intr(|| epoll::wait(epoll, &mut events, None))? == 0 {}
    Ok(events[0].data.u64() as usize)
}

fn ours() -> io::Result<Box<dyn Endpoint>> {
    let set = WaitSet::new();
    let mut events = Vec::with_capacity(ENDPOINTS);
    for number in 0..ENDPOINTS {
        let event = Arc::new(ipc_event::Options::new().semaphore(true).create()?);
        set.add(Arc::clone(&event), number)?;
        events.push(event);
    }
    warm(Ours {
        set,
        events,
        next: 0,
    })
}

struct Ours {
    set: WaitSet<'static, usize>,
    events: Vec<Arc<Event>>,
    next: usize,
}

impl Endpoint for Ours {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.next = (self.next + STEP) % ENDPOINTS;
        self.events[self.next].notify()?;
        let number = self.set.wait()?;
        Ok(self.events[number].wait().map(drop)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
