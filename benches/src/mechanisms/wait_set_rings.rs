//! A thousand rings waited for at once, one of which has a message.

use std::{io, sync::Arc};

use ipc_async::WaitSet;
use ipc_ring::{Receiver, Sender};

use super::wait_set::{ENDPOINTS, STEP, counters, family_of, on_one_side, warm};
use crate::{
    family::{Endpoint, Family},
    limits::descriptors,
};

/// Two regions and two pipes each, the event counters beside them, and what a process has anyway.
const DESCRIPTORS: u64 = 7 * ENDPOINTS as u64 + 512;

/// Sets of a thousand rings. What is in memory makes no descriptor ready: a ring that was used is
/// looked at before a sleep, and is to be woken by its bell.
pub fn family() -> Family {
    family_of(
        "wait-set-rings",
        "one of 1,000 rings has 8 bytes: waited for, and taken (raw: epoll of 1,000 event counters)",
        || descriptors(DESCRIPTORS),
        |side, _, _| on_one_side(side, counters),
        |side, _, _| on_one_side(side, ours),
    )
}

fn ours() -> io::Result<Box<dyn Endpoint>> {
    let set = WaitSet::new();
    let mut options = ipc_ring::Options::new();
    options.capacity_messages(2).capacity_bytes(256);
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    for number in 0..ENDPOINTS {
        let (sender, receiver) = options.pair()?;
        let receiver = Arc::new(receiver);
        set.add(Arc::clone(&receiver), number)?;
        senders.push(sender);
        receivers.push(receiver);
    }
    warm(Rings {
        set,
        senders,
        receivers,
        next: 0,
    })
}

struct Rings {
    set: WaitSet<'static, usize>,
    senders: Vec<Sender>,
    receivers: Vec<Arc<Receiver>>,
    next: usize,
}

impl Endpoint for Rings {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.next = (self.next + STEP) % ENDPOINTS;
        self.senders[self.next].send(&self.next.to_le_bytes())?;
        let number = self.set.wait()?;
        Ok(self.receivers[number].recv(&mut [0; 8]).map(drop)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
