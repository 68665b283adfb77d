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
            #[cfg(feature = "peers")]
            locks(peer::raw_sync()),
            #[cfg(feature = "peers")]
            locks(peer::posix_sync()),
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
    let make = |region: Region| region.mutex_init(OFFSET).map(|()| region);
    exchange(side, meet, make, Ok).map(|region| Box::new(Robust(region)) as Box<dyn Endpoint>)
}

/// A lock that the server makes in a region and the client finds there.
fn exchange<L>(
    side: Side,
    meet: &Meet,
    make: impl FnOnce(Region) -> io::Result<L>,
    find: impl FnOnce(Region) -> io::Result<L>,
) -> io::Result<L> {
    match side {
        Side::Server => {
            let (region, fd) = Region::create(LEN)?;
            let lock = make(region)?;
            meet.send_descriptors(&[fd.as_fd()])?;
            Ok(lock)
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            find(Region::map(fd, LEN)?)
        }
    }
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

#[cfg(feature = "peers")]
mod peer {
    //! The mutex of `raw_sync`, which is not robust, and the robust one of `posix-sync`.

    use std::io;

    use super::{OFFSET, exchange};
    use crate::{
        family::{Endpoint, Maker},
        meet::Meet,
        scenario::{Shape, Side},
        sys::{PosixSync, RawSync},
    };

    pub(super) fn raw_sync() -> Maker {
        Maker {
            name: "raw_sync",
            ..Maker::std(connect_raw_sync)
        }
    }

    pub(super) fn posix_sync() -> Maker {
        Maker {
            name: "posix-sync",
            ..Maker::std(connect_posix_sync)
        }
    }

    fn connect_raw_sync(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let make = |region| RawSync::create(region, OFFSET);
        let lock = exchange(side, meet, make, |region| RawSync::open(region, OFFSET))?;
        Ok(Box::new(lock))
    }

    fn connect_posix_sync(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let make = |region| Ok(PosixSync::create(region, OFFSET));
        let lock = exchange(side, meet, make, |region| Ok(PosixSync::open(region, OFFSET)))?;
        Ok(Box::new(lock))
    }

    impl Endpoint for RawSync {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            self.cycle()
        }

        fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
            self.cycle()
        }
    }

    impl Endpoint for PosixSync {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            self.cycle()
        }

        fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
            self.cycle()
        }
    }
}
