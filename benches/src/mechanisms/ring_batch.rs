//! Messages of the ring that are sent and received in batches.

use std::io;

use super::ring::{channel, indices, uds, whole};
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
    Family {
        name: "ring-batch",
        about: "messages of the ring, up to 32 at a time",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            indices::batched_ring(),
            uds(),
            Maker {
                copies: "4 (into and out of the batch, too)",
                fits: |shape| match shape.scenario {
                    Scenario::OneWay if shape.size <= LARGEST => Ok(()),
                    Scenario::OneWay => Err(format!("a batch is of messages up to {LARGEST} B")),
                    _ => Err("a batch is kept back".to_owned()),
                },
                ..Maker::ours("ipc-ring", connect)
            },
        ],
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Batches {
        channel: channel(side, meet, shape)?,
        size: shape.size.max(1),
        out: Vec::with_capacity(BATCH * shape.size),
        back: ipc_ring::Batch::new(),
        given: 0,
    }))
}

/// What is sent is gathered, and what was received is given out, as a program would do.
struct Batches {
    channel: ipc_ring::Channel,
    size: usize,
    out: Vec<u8>,
    back: ipc_ring::Batch,
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
            rest = &rest[self.channel.sender().send_batch(rest)?..];
        }
        self.out.clear();
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        if self.given == self.back.len() {
            self.channel.receiver().recv_batch(&mut self.back, BATCH)?;
            self.given = 0;
        }
        let message = self.back.get(self.given);
        let message = message.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.given += 1;
        whole(message.len(), into)?;
        into.copy_from_slice(message);
        Ok(())
    }
}
