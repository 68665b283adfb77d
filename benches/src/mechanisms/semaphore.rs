//! Process-shared POSIX semaphores in shared memory, one each way.

use std::{io, os::fd::AsFd};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
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
        makers: vec![Maker {
            copies: "no payload",
            ..Maker::raw(connect)
        }],
        sweep: None,
    }
}

fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
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
