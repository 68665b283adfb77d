//! The reference of calls: the bytes there and back, by plain system calls.

use std::{io, os::fd::AsFd};

use super::{Batch, Calls, Kit, Socket, calls_only, client, way::RawStream};
use crate::{
    family::Endpoint,
    fan_in::{Polled, STAMP_BYTES},
    payload,
    results::MakerKind,
    scenario::{Scenario, Shape},
};

/// What the kernel books for a small message of a Unix socket beside its bytes, and what surely
/// fits in one before its sender has to wait (net.core.wmem_default).
const BOOKED: usize = 768;
const FITS: usize = 208 << 10;
/// What a stream each way has under way at most.
const STREAMED: usize = 64;
/// What a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

/// Plain system calls.
#[derive(Debug)]
pub struct Raw;

impl Kit for Raw {
    const NAME: &'static str = "raw";
    const KIND: MakerKind = MakerKind::Raw;

    fn fits(shape: &Shape) -> Result<(), String> {
        calls_only(shape)?;
        if shape.size == 0 {
            return Err("no bytes are no message".to_owned());
        }
        if shape.scenario == Scenario::FanIn && shape.size < STAMP_BYTES {
            return Err(format!(
                "a message below {STAMP_BYTES} bytes does not say who of several sent it"
            ));
        }
        let under_way = shape.scenario.under_way() as usize;
        let booked = under_way * (shape.size + BOOKED);
        if under_way > 1 && (booked > FITS || under_way * shape.size > PIPE_BYTES) {
            return Err(format!(
                "one thread: {under_way} messages of {} bytes under way may not fit",
                shape.size
            ));
        }
        Ok(())
    }

    fn client(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Ok(match Socket::only(sockets)?.into_raw()? {
            RawStream::Socket(stream) => Box::new(Asking {
                stream,
                back: Vec::new(),
            }),
            RawStream::Pipes(stream) => Box::new(Asking {
                stream,
                back: Vec::new(),
            }),
            RawStream::Ring(stream) => Box::new(Asking {
                stream,
                back: Vec::new(),
            }),
            #[cfg(feature = "tls")]
            RawStream::Tls(stream) => Box::new(Asking {
                stream,
                back: Vec::new(),
            }),
        })
    }

    fn server(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let mut streams = Vec::new();
        for socket in sockets {
            streams.push(match socket.into_raw()? {
                RawStream::Socket(stream) => Box::new(stream) as Box<dyn Stream>,
                RawStream::Pipes(stream) => Box::new(stream),
                RawStream::Ring(stream) => Box::new(stream),
                #[cfg(feature = "tls")]
                RawStream::Tls(stream) => Box::new(stream),
            });
        }
        Ok(match <[_; 1]>::try_from(streams) {
            Ok([stream]) => Box::new(stream),
            Err(streams) => Box::new(Polled::of(streams)?),
        })
    }
}

/// How many messages may surely be under way of one thread, which takes none while it sends.
fn fitting(size: usize) -> u32 {
    let most = (FITS / (size + BOOKED)).min(PIPE_BYTES / size.max(1));
    most.clamp(1, STREAMED) as u32
}

trait Stream: Endpoint + AsFd {}

impl<T: Endpoint + AsFd> Stream for T {}

impl Endpoint for Box<dyn Stream> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        (**self).send(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        (**self).recv(into)
    }
}

/// The client's end: what it sends comes back.
struct Asking<E> {
    stream: E,
    back: Vec<u8>,
}

impl<E: Endpoint> Endpoint for Asking<E> {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.send(message)
    }

    #[inline]
    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.stream.recv(into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl<E: Endpoint> Asking<E> {
    fn next(&mut self, batch: &Batch<'_>, place: u32) -> io::Result<()> {
        self.back.resize(batch.message.len(), 0);
        self.stream.recv(&mut self.back)?;
        batch.check(place, &self.back)
    }
}

impl<E: Endpoint> Calls for Asking<E> {
    fn keep_under_way(&mut self, batch: &Batch<'_>, under_way: u32) -> io::Result<()> {
        let mut message = batch.message.to_vec();
        for place in 0..batch.messages + under_way {
            if place >= under_way {
                self.next(batch, place - under_way)?;
            }
            if place < batch.messages {
                payload::stamp(&mut message, batch.first + u64::from(place));
                self.stream.send(&message)?;
            }
        }
        Ok(())
    }

    fn both_streams(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.keep_under_way(batch, fitting(batch.message.len()))
    }

    fn saturate(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.at_rate(batch, 0, &mut Vec::new())
    }

    fn stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let mut message = batch.message.to_vec();
        for place in 0..batch.messages {
            payload::stamp(&mut message, batch.first + u64::from(place));
            self.stream.send(&message)?;
        }
        Ok(())
    }

    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        (0..batch.messages).try_for_each(|place| self.next(batch, place))
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        client::one_by_one(batch, every_ns, laps, |message| {
            self.stream.send(&message)?;
            let mut back = message;
            self.stream.recv(&mut back)?;
            Ok(back)
        })
    }
}
