//! Messages of Unix seqpacket sockets that are sent and received in batches.

use std::io;

use super::uds_seqpacket;
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// Messages of a batch.
const BATCH: usize = 32;
/// Batches are for small messages.
const LARGEST: usize = 4 << 10;

/// Batches.
pub fn family() -> Family {
    let single = Maker {
        name: "single",
        fits: only_small_streams,
        ..Maker::raw(uds_seqpacket::connect_ours)
    };
    let ours = Maker {
        copies: "4 (into and out of the batch, too)",
        fits: only_small_streams,
        ..Maker::ours("ipc-uds", connect)
    };
    Family {
        name: "uds-batch",
        about: "messages of Unix seqpacket sockets, up to 32 a call (single: one a call)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![single, ours],
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}

fn only_small_streams(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::OneWay if shape.size <= LARGEST => Ok(()),
        Scenario::OneWay => Err(format!("a batch is of messages up to {LARGEST} B")),
        _ => Err("a batch is kept back".to_owned()),
    }
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let size = shape.size.max(1);
    Ok(Box::new(Batches {
        socket: meet.share(side, || Ok(ipc_uds::pair_seqpacket()?))?,
        size,
        out: Vec::with_capacity(BATCH * size),
        back: ipc_uds::Batch::new(size),
        given: 0,
    }))
}

/// What is sent is gathered, and what was received is given out, as a program would do.
struct Batches {
    socket: ipc_uds::SeqPacket,
    size: usize,
    out: Vec<u8>,
    back: ipc_uds::Batch,
    given: usize,
}

impl Endpoint for Batches {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.out.extend_from_slice(message);
        match self.out.len() >= BATCH * self.size {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut messages: [&[u8]; BATCH] = [&[]; BATCH];
        let chunks = self.out.chunks(self.size);
        let count = chunks.len();
        for (place, message) in messages.iter_mut().zip(chunks) {
            *place = message;
        }
        let mut rest = &messages[..count];
        while !rest.is_empty() {
            rest = &rest[self.socket.send_batch(rest)?..];
        }
        self.out.clear();
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        if self.given == self.back.len() {
            self.socket.recv_batch(&mut self.back, BATCH)?;
            self.given = 0;
        }
        let message = self.back.get(self.given);
        let message = message.filter(|message| message.len() == into.len());
        into.copy_from_slice(message.ok_or(io::ErrorKind::UnexpectedEof)?);
        self.given += 1;
        Ok(())
    }
}
