//! The ring awaited on tokio, beside tokio's own Unix stream sockets.

use std::{io, os::unix::net};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    runtime::Runtime,
};

use super::ring::{channel, whole};
use crate::{
    abilities::Abilities,
    awaited::{self, Apart},
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
};

/// Awaited ends.
pub fn family() -> Family {
    Family {
        name: "ring-awaited",
        about: "the ring with .await on tokio, both sides (tokio: its own Unix stream)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            Maker {
                name: "tokio",
                kind: MakerKind::Raw,
                fits,
                ..Maker::raw(connect_tokio)
            },
            Maker {
                name: "blocking",
                copies: "2 (into and out of the ring)",
                references: &[],
                fits,
                ..Maker::raw(connect_blocking)
            },
            Maker {
                copies: "2 (into and out of the ring)",
                fits,
                ..Maker::ours("ipc-ring", connect_ours)
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

fn fits(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::SingleThread => Err("nobody waits".to_owned()),
        _ => awaited::fits(shape),
    }
}

fn connect_tokio(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let socket = meet.share(side, net::UnixStream::pair)?;
    socket.set_nonblocking(true)?;
    let runtime = awaited::runtime()?;
    let stream = {
        let _inside = runtime.enter();
        UnixStream::from_std(socket)?
    };
    Ok(Box::new(Tokio { stream, runtime }))
}

struct Tokio {
    stream: UnixStream,
    runtime: Runtime,
}

impl Endpoint for Tokio {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.runtime.block_on(self.stream.write_all(message))
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.runtime
            .block_on(self.stream.read_exact(into))
            .map(drop)
    }
}

fn connect_blocking(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (sender, receiver) = channel(side, meet, shape)?.split();
    Ok(Box::new(Blocking { sender, receiver }))
}

/// The same ring, whose thread waits itself.
struct Blocking {
    sender: ipc_ring::Sender,
    receiver: ipc_ring::Receiver,
}

impl Endpoint for Blocking {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.sender.send(message)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.receiver.recv(into)?, into)
    }
}

fn connect_ours(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (sender, receiver) = channel(side, meet, shape)?.split();
    Ok(Box::new(Apart::new(sender, receiver)?))
}
