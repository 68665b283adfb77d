//! A thousand framed Unix sockets waited for at once, one of which has a message.

use std::{
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Arc,
};

use ipc_async::WaitSet;
use ipc_core::Framed;
use ipc_uds::Stream;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::wait_set::{ENDPOINTS, STEP, family_of, next_ready, on_one_side, warm};
use crate::{
    family::{Endpoint, Family},
    limits::descriptors,
};

/// Two sockets each, plain and ours, and what a process has anyway.
const DESCRIPTORS: u64 = 4 * ENDPOINTS as u64 + 512;
/// What stands before a message says its length.
const FRAME: usize = 4 + 8;

/// Sets of a thousand framed messages' ends. A message may be in memory already: one that was used
/// is asked before a sleep.
pub fn family() -> Family {
    family_of(
        "wait-set-framed",
        "one of 1,000 framed Unix sockets has 8 bytes: waited for, and taken (raw: epoll of 1,000 \
         sockets)",
        || descriptors(DESCRIPTORS),
        |side, _, _| on_one_side(side, raw),
        |side, _, _| on_one_side(side, ours),
    )
}

fn raw() -> io::Result<Box<dyn Endpoint>> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut pairs = Vec::with_capacity(ENDPOINTS);
    for number in 0..ENDPOINTS as u64 {
        let (near, far) = UnixStream::pair()?;
        epoll::add(&epoll, &far, EventData::new_u64(number), EventFlags::IN)?;
        pairs.push((near, far));
    }
    warm(Raw {
        epoll,
        pairs,
        next: 0,
    })
}

struct Raw {
    epoll: OwnedFd,
    pairs: Vec<(UnixStream, UnixStream)>,
    next: usize,
}

impl Endpoint for Raw {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.next = (self.next + STEP) % ENDPOINTS;
        (&self.pairs[self.next].0).write_all(&[0; FRAME])?;
        let ready = next_ready(&self.epoll)?;
        (&self.pairs[ready].1).read_exact(&mut [0; FRAME])
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn ours() -> io::Result<Box<dyn Endpoint>> {
    let set = WaitSet::new();
    let mut pairs = Vec::with_capacity(ENDPOINTS);
    for number in 0..ENDPOINTS {
        let (near, far) = ipc_uds::pair()?;
        let far = Arc::new(far.framed());
        set.add(Arc::clone(&far), number)?;
        pairs.push((near.framed(), far));
    }
    warm(Ours {
        set,
        pairs,
        next: 0,
    })
}

struct Ours {
    set: WaitSet<'static, usize>,
    pairs: Vec<(Framed<Stream>, Arc<Framed<Stream>>)>,
    next: usize,
}

impl Endpoint for Ours {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.next = (self.next + STEP) % ENDPOINTS;
        self.pairs[self.next].0.send(&self.next.to_le_bytes())?;
        let (_, far) = &self.pairs[self.set.wait()?];
        Ok(far.recv(&mut [0; 8]).map(drop)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
