//! System V semaphores, one each way in one set, beside POSIX ones.

use std::io;

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    mechanisms::semaphore,
    meet::Meet,
    ours::tried,
    scenario::{Shape, Side},
    sys,
};
use ipc_sem::sysv::{Operation, Set};

/// The key of a pair's set: this bit, and its tag. It must be known, so that the set of a killed
/// pair can be swept.
const KEY: u32 = 0x4000_0000;
const TO_SERVER: u16 = 0;
const TO_CLIENT: u16 = 1;
/// Well below what one semaphore can count (32,767).
const WINDOW: u32 = 8192;

/// System V semaphores.
pub fn family() -> Family {
    let counts = |maker| Maker {
        copies: "no payload",
        window: |_| Some(WINDOW),
        ..maker
    };
    Family {
        name: "sysv-sem",
        about: "System V semaphores in one set, one each way; no payload (posix: sem_t)",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            Maker {
                probe,
                references: &["posix"],
                ..counts(Maker::raw(connect_raw))
            },
            Maker {
                name: "posix",
                ..counts(Maker::raw(semaphore::connect))
            },
            Maker {
                probe,
                ..counts(Maker::ours("ipc-sem", connect_ours))
            },
        ],
        sweep: Some(sweep),
    }
    .able(Abilities::MEMORY)
}

fn probe() -> Result<(), String> {
    let key = KEY | 0x3f00_0000 | (std::process::id() & 0xff_ffff);
    let id = sys::set_create(key, 1).map_err(|error| format!("semget: {error}"))?;
    sys::set_remove(id).map_err(|error| format!("semctl: {error}"))
}

/// Each maker of a pair has a set of its own.
fn key(tag: u32, maker: u32) -> u32 {
    KEY | (tag & 0x1fff_ffff) << 1 | maker
}

fn sweep(tag: u32) {
    for id in [0, 1].map(|maker| sys::set_find(key(tag, maker))) {
        // It may have gone between the two calls: then there is nothing to sweep.
        let _ = id.map(sys::set_remove);
    }
}

/// A set, removed by the side that made it.
struct Held {
    id: i32,
    owned: bool,
}

impl Held {
    fn meet(side: Side, meet: &Meet, maker: u32) -> io::Result<Held> {
        let key = key(meet.tag(), maker);
        match side {
            Side::Server => {
                let id = sys::set_create(key, 2)?;
                let held = Held { id, owned: true };
                meet.send(b"made")?;
                Ok(held)
            }
            Side::Client => {
                meet.recv()?;
                let id = sys::set_find(key).ok_or(io::ErrorKind::NotFound)?;
                Ok(Held { id, owned: false })
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.owned {
            // Nothing to do about a set that somebody has removed already.
            let _ = sys::set_remove(self.id);
        }
    }
}

fn ends(side: Side) -> (u16, u16) {
    match side {
        Side::Client => (TO_SERVER, TO_CLIENT),
        Side::Server => (TO_CLIENT, TO_SERVER),
    }
}

fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let set = Held::meet(side, meet, 0)?;
    let (tx, rx) = ends(side);
    Ok(Box::new(Raw { set, tx, rx }))
}

struct Raw {
    set: Held,
    tx: u16,
    rx: u16,
}

impl Endpoint for Raw {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        sys::set_change(self.set.id, self.tx, 1, false).map(drop)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        sys::set_change(self.set.id, self.rx, -1, false).map(drop)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        sys::set_change(self.set.id, self.tx, 1, true)
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        sys::set_change(self.set.id, self.rx, -1, true)
    }
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let held = Held::meet(side, meet, 1)?;
    let (tx, rx) = ends(side);
    Ok(Box::new(Ours {
        set: Set::from_id(held.id)?,
        // What one side gives the other takes: the kernel has nothing to undo at an end.
        give: [Operation::give(tx, 1)?.lasting()],
        take: [Operation::take(rx, 1)?.lasting()],
        _held: held,
    }))
}

struct Ours {
    set: Set,
    give: [Operation; 1],
    take: [Operation; 1],
    _held: Held,
}

impl Endpoint for Ours {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.set.apply(&self.give)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(self.set.apply(&self.take)?)
    }

    fn try_send(&mut self, _: &[u8]) -> io::Result<bool> {
        Ok(tried(self.set.try_apply(&self.give))?.is_some())
    }

    fn try_recv(&mut self, _: &mut [u8]) -> io::Result<bool> {
        Ok(tried(self.set.try_apply(&self.take))?.is_some())
    }
}
