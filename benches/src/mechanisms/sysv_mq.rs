//! System V message queues, one each way.

use std::io;

use crate::{
    abilities::Abilities,
    descriptors::whole,
    family::{Endpoint, Family, Maker, Role},
    fan_in::FanIn,
    limits::setting,
    meet::Meet,
    ours::tried,
    scenario::{Shape, Side},
    sys,
};
use ipc_mq::sysv::{self, Select};

/// The keys of a pair: these bits, its tag, who makes it, and the direction. A key must not be
/// IPC_PRIVATE (0), because a queue can only be swept after a killed pair if its key is known.
const KEY: u32 = 0x4000_0000;

/// System V message queues.
pub fn family() -> Family {
    Family {
        name: "sysv-mq",
        about: "System V message queues, one each way",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            Maker {
                probe,
                fits,
                fan_in: Some(FanIn {
                    receiver,
                    sender,
                    whole_up_to: usize::MAX,
                    stamped: true,
                }),
                ..Maker::raw(connect)
            },
            Maker {
                probe,
                fits,
                ..Maker::ours("ipc-mq", connect_ours)
            },
        ],
        sweep: Some(sweep),
    }
    .able(Abilities::MESSAGES)
}

fn probe() -> Result<(), String> {
    let key = KEY | 0x3f00_0000 | (std::process::id() & 0xff_ffff);
    let id = sys::msg_create(key).map_err(|error| format!("msgget: {error}"))?;
    sys::msg_remove(id).map_err(|error| format!("msgctl: {error}"))
}

fn fits(shape: &Shape) -> Result<(), String> {
    for (limit, name) in [("msgmax", "kernel.msgmax"), ("msgmnb", "kernel.msgmnb")] {
        let bytes = setting(&format!("/proc/sys/kernel/{limit}")).unwrap_or(8192);
        if shape.size > bytes {
            return Err(format!("{name} is {bytes}"));
        }
    }
    Ok(())
}

/// The makers of a pair, each of which has queues of its own.
const RAW: u32 = 0;
const OURS: u32 = 1;

/// The keys of a maker's two queues.
fn keys(tag: u32, maker: u32) -> (u32, u32) {
    let base = KEY | (tag & 0x0fff_ffff) << 2 | maker << 1;
    (base, base | 1)
}

fn sweep(tag: u32) {
    for (one, other) in [RAW, OURS].map(|maker| keys(tag, maker)) {
        for id in [sys::msg_find(one), sys::msg_find(other)]
            .into_iter()
            .flatten()
        {
            // It may have gone between the two calls: then there is nothing to sweep.
            let _ = sys::msg_remove(id);
        }
    }
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = exchange(side, meet, RAW)?;
    let packet = vec![0; 8 + shape.size];
    Ok(Box::new(Queues { tx, rx, packet }))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = exchange(side, meet, OURS)?;
    Ok(Box::new(Ours {
        tx: sysv::Queue::from_id(tx.id)?,
        rx: sysv::Queue::from_id(rx.id)?,
        _held: [tx, rx],
    }))
}

/// Two queues, made by the server; gives each side what it sends to and receives from.
fn exchange(side: Side, meet: &Meet, maker: u32) -> io::Result<(Queue, Queue)> {
    let (to_server, to_client) = keys(meet.tag(), maker);
    match side {
        Side::Server => {
            let rx = Queue {
                id: sys::msg_create(to_server)?,
                owned: true,
            };
            let tx = Queue {
                id: sys::msg_create(to_client)?,
                owned: true,
            };
            meet.send(b"made")?;
            Ok((tx, rx))
        }
        Side::Client => {
            meet.recv()?;
            Ok((Queue::open(to_server)?, Queue::open(to_client)?))
        }
    }
}

/// One queue for all senders; the other key has none.
fn receiver(meets: &[Meet], shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (to_server, _) = keys(meets[0].tag(), RAW);
    let rx = Queue {
        id: sys::msg_create(to_server)?,
        owned: true,
    };
    let tx = Queue {
        id: rx.id,
        owned: false,
    };
    meets.iter().try_for_each(|meet| meet.send(b"made"))?;
    let packet = vec![0; 8 + shape.size];
    Ok(Box::new(Queues { tx, rx, packet }))
}

fn sender(meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    meet.recv()?;
    let (to_server, _) = keys(meet.tag(), RAW);
    let (tx, rx) = (Queue::open(to_server)?, Queue::open(to_server)?);
    let packet = vec![0; 8 + shape.size];
    Ok(Box::new(Queues { tx, rx, packet }))
}

struct Queue {
    id: i32,
    owned: bool,
}

impl Queue {
    fn open(key: u32) -> io::Result<Queue> {
        let id = sys::msg_find(key).ok_or(io::ErrorKind::NotFound)?;
        Ok(Queue { id, owned: false })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if self.owned {
            // Nothing to do about a queue that somebody has removed already.
            let _ = sys::msg_remove(self.id);
        }
    }
}

struct Queues {
    tx: Queue,
    rx: Queue,
    packet: Vec<u8>,
}

impl Queues {
    /// The call wants the type in front of the payload, which costs every user this copy.
    fn put(&mut self, message: &[u8], polling: bool) -> io::Result<bool> {
        self.packet[..8].copy_from_slice(&1u64.to_ne_bytes());
        self.packet[8..].copy_from_slice(message);
        sys::msg_send(self.tx.id, &self.packet, polling)
    }

    fn take(&mut self, into: &mut [u8], polling: bool) -> io::Result<bool> {
        let Some(got) = sys::msg_receive(self.rx.id, &mut self.packet, polling)? else {
            return Ok(false);
        };
        whole(got, into.len())?;
        into.copy_from_slice(&self.packet[8..]);
        Ok(true)
    }
}

impl Endpoint for Queues {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.put(message, false).map(drop)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.take(into, false).map(drop)
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        self.put(message, true)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        self.take(into, true)
    }
}

struct Ours {
    tx: sysv::Queue,
    rx: sysv::Queue,
    _held: [Queue; 2],
}

impl Endpoint for Ours {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.tx.send(message, 1)?)
    }

    #[inline]
    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let received = self.rx.recv(into, Select::First)?;
        whole(received.length, into.len())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        Ok(tried(self.tx.try_send(message, 1))?.is_some())
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match tried(self.rx.try_recv(into, Select::First))? {
            Some(received) => whole(received.length, into.len()).map(|()| true),
            None => Ok(false),
        }
    }
}
