//! The reference of calls that have a size of their own: a few bytes there and back.

use std::io;

use super::{Batch, Calls, Kit, Raw, Socket};
use crate::{
    family::Endpoint,
    results::MakerKind,
    scenario::{Scenario, Shape},
};

/// What a small call moves each way, at least.
const BYTES: usize = 16;

/// Plain system calls that move 16 bytes.
#[derive(Debug)]
pub struct Fixed;

impl Kit for Fixed {
    const NAME: &'static str = Raw::NAME;
    const KIND: MakerKind = Raw::KIND;

    fn fits(shape: &Shape) -> Result<(), String> {
        match shape.scenario {
            Scenario::FanIn => Err("it does not say who of several sent it".to_owned()),
            _ => Raw::fits(&of_bytes(shape)),
        }
    }

    fn client(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Raw::client(sockets, &of_bytes(shape)).map(Padded::around)
    }

    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Raw::server(sockets, &of_bytes(shape)).map(Padded::around)
    }
}

fn of_bytes(shape: &Shape) -> Shape {
    Shape {
        size: BYTES,
        ..*shape
    }
}

/// An end of which the harness believes that its messages have no bytes.
struct Padded {
    end: Box<dyn Endpoint>,
    message: [u8; BYTES],
}

impl Padded {
    fn around(end: Box<dyn Endpoint>) -> Box<dyn Endpoint> {
        let message = [1; BYTES];
        Box::new(Padded { end, message })
    }

    /// What the end inside does of the calls, with messages of its own.
    fn inside(
        &mut self,
        batch: &Batch<'_>,
        act: impl FnOnce(&mut dyn Calls, &Batch<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let batch = Batch {
            message: &self.message,
            ..*batch
        };
        act(self.end.calls().ok_or(io::ErrorKind::Unsupported)?, &batch)
    }
}

impl Endpoint for Padded {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.end.send(&self.message)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        self.end.recv(&mut self.message)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl Calls for Padded {
    fn keep_under_way(&mut self, batch: &Batch<'_>, under_way: u32) -> io::Result<()> {
        self.inside(batch, |calls, batch| calls.keep_under_way(batch, under_way))
    }

    fn stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.inside(batch, |calls, batch| calls.stream(batch))
    }

    /// Whose bytes nobody has numbered.
    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        (0..batch.messages).try_for_each(|_| self.end.recv(&mut self.message))
    }

    fn both_streams(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.inside(batch, |calls, batch| calls.both_streams(batch))
    }

    fn saturate(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.inside(batch, |calls, batch| calls.saturate(batch))
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        self.inside(batch, |calls, batch| calls.at_rate(batch, every_ns, laps))
    }
}
