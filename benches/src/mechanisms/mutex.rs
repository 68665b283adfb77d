//! A lock taken and released: alone, or with both processes at it at once.

use std::{io, os::fd::AsFd, sync::Mutex};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::permit::alone,
    meet::Meet,
    scenario::{Scenario, Shape, Side},
    sys::Region,
};

const LEN: usize = 64 * 1024;
const OFFSET: usize = 0;

/// Locks.
pub fn family() -> Family {
    let locks = |maker| Maker {
        copies: "no payload",
        fits,
        verifies: false,
        ..maker
    };
    Family {
        name: "mutex",
        about: "a lock taken and released (raw: the C library's robust one); one-way: contended",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            locks(Maker::raw(connect_raw)),
            locks(Maker::ours("ipc-sem", connect_ours)),
            Maker {
                fits: alone,
                ..locks(Maker::std(connect_std))
            },
        ],
        sweep: None,
    }
}

fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::SingleThread | Scenario::OneWay => Ok(()),
        _ => Err("a lock carries nothing from one process to the other".to_owned()),
    }
}

fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let region = match side {
        Side::Server => {
            let (region, fd) = Region::create(LEN)?;
            region.mutex_init(OFFSET)?;
            meet.send_descriptors(&[fd.as_fd()])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            Region::map(fd, LEN)?
        }
    };
    Ok(Box::new(Robust(region)))
}

/// A send takes the lock and releases it; so does a receive where both sides are at it.
struct Robust(Region);

impl Endpoint for Robust {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.0.mutex_lock(OFFSET)?;
        self.0.mutex_unlock(OFFSET)
    }

    fn recv(&mut self, message: &mut [u8]) -> io::Result<()> {
        self.send(message)
    }
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let mutex = match side {
        Side::Server => {
            let region = ipc_shm::anonymous(LEN)?;
            let mutex = ipc_sem::Mutex::create_trusted(&region, OFFSET, 0_u64)?;
            meet.send_descriptors(&[region.as_fd()?])?;
            mutex
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            ipc_sem::Mutex::open_trusted(&ipc_shm::Region::from_fd(fd)?, OFFSET)?
        }
    };
    Ok(Box::new(Ours(mutex)))
}

struct Ours(ipc_sem::Mutex<u64>);

impl Endpoint for Ours {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.0.lock().map(drop)?)
    }

    fn recv(&mut self, message: &mut [u8]) -> io::Result<()> {
        self.send(message)
    }
}

fn connect_std(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Std(Mutex::new(()))))
}

/// In one process, and not robust: what a lock costs that survives nothing.
struct Std(Mutex<()>);

impl Endpoint for Std {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        drop(std::hint::black_box(self.0.lock()));
        Ok(())
    }

    fn recv(&mut self, message: &mut [u8]) -> io::Result<()> {
        self.send(message)
    }
}
