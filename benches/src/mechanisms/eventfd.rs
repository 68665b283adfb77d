//! Event counters, one each way.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::EventfdFlags,
    io::{Errno, retry_on_intr},
};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    ours::tried,
    scenario::{Shape, Side},
};

/// Event counters.
pub fn family() -> Family {
    Family {
        name: "eventfd",
        about: "event counters (eventfd), one each way; no payload",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            Maker {
                copies: "no payload",
                ..Maker::raw(connect)
            },
            Maker {
                copies: "no payload",
                ..Maker::ours("ipc-event", blocking)
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY)
}

/// A counter that gives one event a read.
pub(super) fn create(value: u32, polling: bool) -> io::Result<OwnedFd> {
    let mut flags = EventfdFlags::CLOEXEC | EventfdFlags::SEMAPHORE;
    flags.set(EventfdFlags::NONBLOCK, polling);
    Ok(rustix::event::eventfd(value, flags)?)
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let polling = shape.scenario.polls();
    let (tx, rx) = match side {
        Side::Server => {
            let (to_server, to_client) = (create(0, polling)?, create(0, polling)?);
            meet.send_descriptors(&[to_server.as_fd(), to_client.as_fd()])?;
            (to_client, to_server)
        }
        Side::Client => {
            let [tx, rx] = meet.recv_descriptors()?;
            (tx, rx)
        }
    };
    Ok(Box::new(Counters {
        tx: Counter::new(tx),
        rx: Counter::new(rx),
    }))
}

pub(super) fn blocking(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = events(side, meet)?;
    Ok(Box::new(Events { tx, rx }))
}

/// Both events of our crate, the one to notify first.
pub(super) fn events(side: Side, meet: &Meet) -> io::Result<(ipc_event::Event, ipc_event::Event)> {
    let event = || ipc_event::Options::new().semaphore(true).create();
    Ok(match side {
        Side::Server => {
            let (to_server, to_client) = (event()?, event()?);
            meet.send_descriptors(&[to_server.as_fd(), to_client.as_fd()])?;
            (to_client, to_server)
        }
        Side::Client => {
            let [tx, rx] = meet.recv_descriptors()?;
            let adopt = ipc_event::Event::from_descriptor;
            (adopt(tx)?, adopt(rx)?)
        }
    })
}

struct Events {
    tx: ipc_event::Event,
    rx: ipc_event::Event,
}

impl Endpoint for Events {
    #[inline]
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.tx.notify()?)
    }

    #[inline]
    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(self.rx.wait().map(drop)?)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        Ok(tried(self.tx.try_notify())?.is_some())
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        Ok(tried(self.rx.try_wait())?.is_some())
    }
}

/// An event counter by plain reads and writes.
pub(super) struct Counter(OwnedFd);

impl Counter {
    pub(super) fn new(counter: OwnedFd) -> Counter {
        Counter(counter)
    }

    pub(super) fn add(&self) -> io::Result<()> {
        retry_on_intr(|| rustix::io::write(&self.0, &1_u64.to_ne_bytes()))?;
        Ok(())
    }

    pub(super) fn take(&self) -> io::Result<()> {
        let mut value = [0; 8];
        retry_on_intr(|| rustix::io::read(&self.0, &mut value))?;
        Ok(())
    }

    pub(super) fn try_take(&self) -> io::Result<bool> {
        let mut value = [0; 8];
        match rustix::io::read(&self.0, &mut value) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

struct Counters {
    tx: Counter,
    rx: Counter,
}

impl Endpoint for Counters {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.tx.add()
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        self.rx.take()
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        self.tx.add().map(|()| true)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        self.rx.try_take()
    }
}
