//! One buffer each way in shared memory, handed over by event counters.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    mechanisms::eventfd::{self, Counter},
    meet::Meet,
    scenario::{Shape, Side},
    sys::Region,
};

/// Shared buffers with event counters.
pub fn family() -> Family {
    let raw = Maker {
        copies: "2 (into and out of the region)",
        ..Maker::raw(connect)
    };
    Family {
        name: "shm-copy",
        about: "one shared buffer each way, handed over by two event counters",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw],
        sweep: None,
    }
    .able(Abilities::MEMORY)
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let stride = shape.size.next_multiple_of(4096);
    let len = (2 * stride).max(4096);
    let polling = shape.scenario.polls();
    let (region, counters) = match side {
        Side::Server => {
            let (region, fd) = Region::create(len)?;
            let counters: [OwnedFd; 4] = [
                eventfd::create(0, polling)?,
                eventfd::create(1, polling)?,
                eventfd::create(0, polling)?,
                eventfd::create(1, polling)?,
            ];
            let [a, b, c, d] = counters.each_ref().map(AsFd::as_fd);
            meet.send_descriptors(&[fd.as_fd(), a, b, c, d])?;
            (region, counters)
        }
        Side::Client => {
            let [fd, a, b, c, d] = meet.recv_descriptors()?;
            (Region::map(fd, len)?, [a, b, c, d])
        }
    };
    let [full, empty, other_full, other_empty] = counters.map(Counter::new);
    let to_server = Buffer {
        offset: 0,
        full,
        empty,
    };
    let to_client = Buffer {
        offset: stride,
        full: other_full,
        empty: other_empty,
    };
    let (tx, rx) = match side {
        Side::Client => (to_server, to_client),
        Side::Server => (to_client, to_server),
    };
    Ok(Box::new(Buffers { region, tx, rx }))
}

struct Buffer {
    offset: usize,
    full: Counter,
    empty: Counter,
}

struct Buffers {
    region: Region,
    tx: Buffer,
    rx: Buffer,
}

impl Endpoint for Buffers {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.tx.empty.take()?;
        self.region.write(self.tx.offset, message);
        self.tx.full.add()
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.rx.full.take()?;
        self.region.read(self.rx.offset, into);
        self.rx.empty.add()
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        if !self.tx.empty.try_take()? {
            return Ok(false);
        }
        self.region.write(self.tx.offset, message);
        self.tx.full.add()?;
        Ok(true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        if !self.rx.full.try_take()? {
            return Ok(false);
        }
        self.region.read(self.rx.offset, into);
        self.rx.empty.add()?;
        Ok(true)
    }
}
