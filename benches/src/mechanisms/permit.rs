//! A permit taken and given back by the same process, uncontended.

use std::io;

use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

const LEN: usize = 64 * 1024;
const OFFSET: usize = 0;

/// Permits.
pub fn family() -> Family {
    let within = |maker| Maker {
        copies: "no payload",
        fits: alone,
        verifies: false,
        ..maker
    };
    Family {
        name: "permit",
        about: "a permit taken and given back: sem_t, against one that returns when its holder \
                dies",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            within(Maker::raw(connect_raw)),
            within(Maker::ours("ipc-sem", connect_ours)),
        ],
        sweep: None,
    }
}

/// What carries nothing to the other side can be measured on one side only.
pub(super) fn alone(shape: &Shape) -> Result<(), String> {
    if shape.scenario == Scenario::SingleThread {
        return Ok(());
    }
    Err("it carries nothing from one process to the other".to_owned())
}

fn connect_raw(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (region, _fd) = Region::create(LEN)?;
    region.sem_init(OFFSET, 1)?;
    Ok(Box::new(Plain(region)))
}

/// Taken and given back in one call, as ours below.
struct Plain(Region);

impl Endpoint for Plain {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.0.sem_wait(OFFSET)?;
        self.0.sem_post(OFFSET)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

fn connect_ours(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let region = ipc_shm::anonymous(LEN)?;
    let semaphore = ipc_sem::Semaphore::create_trusted(&region, OFFSET, 1)?;
    Ok(Box::new(Ours(semaphore)))
}

/// Taken and given back in one call, since a permit cannot outlive the borrow of its semaphore.
struct Ours(ipc_sem::Semaphore);

impl Endpoint for Ours {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.0.acquire().map(drop)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}
