//! Process-shared POSIX semaphores in shared memory, one each way.

use std::{io, os::fd::AsFd};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    ours::tried,
    scenario::{Shape, Side},
    sys::Region,
};

const TO_SERVER: usize = 0;
/// Away from the other semaphore's cache line, and from the one that prefetchers pull along.
const TO_CLIENT: usize = 128;
const LEN: usize = 4096;

/// Semaphores.
pub fn family() -> Family {
    Family {
        name: "semaphore",
        about: "process-shared sem_t in shared memory, one each way; no payload",
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
                ..Maker::ours("ipc-sem", connect_ours)
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY)
}

pub(super) fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let region = match side {
        Side::Server => {
            let (region, fd) = Region::create(LEN)?;
            region.sem_init(TO_SERVER, 0)?;
            region.sem_init(TO_CLIENT, 0)?;
            meet.send_descriptors(&[fd.as_fd()])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            Region::map(fd, LEN)?
        }
    };
    let (tx, rx) = match side {
        Side::Client => (TO_SERVER, TO_CLIENT),
        Side::Server => (TO_CLIENT, TO_SERVER),
    };
    Ok(Box::new(Semaphores { region, tx, rx }))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = match side {
        Side::Server => {
            let region = ipc_shm::anonymous(LEN)?;
            let make = |offset| ipc_sem::posix::Semaphore::create_trusted(&region, offset, 0);
            let (rx, tx) = (make(TO_SERVER)?, make(TO_CLIENT)?);
            meet.send_descriptors(&[region.as_fd()?])?;
            (tx, rx)
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            let region = ipc_shm::Region::from_fd(fd)?;
            let open = |offset| ipc_sem::posix::Semaphore::open_trusted(&region, offset);
            (open(TO_SERVER)?, open(TO_CLIENT)?)
        }
    };
    Ok(Box::new(Ours { tx, rx }))
}

struct Ours {
    tx: ipc_sem::posix::Semaphore,
    rx: ipc_sem::posix::Semaphore,
}

impl Endpoint for Ours {
    #[inline]
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.tx.release()?)
    }

    #[inline]
    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(self.rx.acquire()?)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        Ok(self.tx.release().map(|()| true)?)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        Ok(tried(self.rx.try_acquire())?.is_some())
    }
}

struct Semaphores {
    region: Region,
    tx: usize,
    rx: usize,
}

impl Endpoint for Semaphores {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.region.sem_post(self.tx)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        self.region.sem_wait(self.rx)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        self.region.sem_post(self.tx).map(|()| true)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        self.region.sem_try_wait(self.rx)
    }
}
