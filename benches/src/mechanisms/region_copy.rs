//! Bytes copied into shared memory and out again by one thread: the audited routine and memcpy.

use std::io;

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::permit::alone,
    meet::Meet,
    scenario::{Shape, Side},
    sys::Region,
};

/// Region copies.
pub fn family() -> Family {
    let copies = |maker| Maker {
        copies: "2 (in and out of shared memory)",
        fits: alone,
        ..maker
    };
    Family {
        name: "region-copy",
        about: "bytes copied into a region and out again by one thread (raw: memcpy)",
        role: Role::Mechanism,
        payload: true,
        makers: vec![
            copies(Maker::raw(connect_raw)),
            copies(Maker::ours("ipc-shm", connect_ours)),
        ],
        sweep: None,
    }
}

fn connect_raw(_: Side, _: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (region, _fd) = Region::create(shape.size)?;
    Ok(Box::new(Plain(region)))
}

struct Plain(Region);

impl Endpoint for Plain {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write(0, message);
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.0.read(0, into);
        Ok(())
    }
}

fn connect_ours(_: Side, _: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Ours(ipc_shm::anonymous(shape.size)?)))
}

struct Ours(ipc_shm::Region);

impl Endpoint for Ours {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.write_at(0, message)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        Ok(self.0.read_at(0, into)?)
    }
}
