//! How a queue scales with its members and a broadcast with its readers, each a process of its own.

use std::{io, os::fd::OwnedFd, thread};

use ipc_ring::{Broadcaster, Received, Subscriber};
use ipc_uds::SeqPacket;
use rustix::pipe::{PipeFlags, pipe_with};

use super::{
    ring::whole,
    ring_many::{self, Tickets},
};
use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    fan_in::PIPE_WHOLE,
    members::{self, Counts, Members, Seat, Shared},
    results::MakerKind,
    scenario::{Scenario, Shape},
};

const NAME: &str = "ring-scaling";
/// What may be under way: what a pipe holds.
const HELD_BYTES: usize = 64 << 10;
/// Bytes that a message needs, which say who sent it and when.
const LEAST: usize = 8;

/// The rows of one shape: bare tickets, one pipe for all, and our queue.
macro_rules! queues {
    ($($shape:literal: $senders:literal x $receivers:literal, $usual:expr;)*) => {
        vec![$(
            row!(Bare, concat!("raw-", $shape), $senders, $receivers, false, $usual),
            row!(OnePipe, concat!("pipe-", $shape), $senders, $receivers, false, false),
            Maker {
                kind: MakerKind::Ours,
                references: &[concat!("raw-", $shape), concat!("pipe-", $shape)],
                ..row!(Queue, $shape, $senders, $receivers, false, $usual)
            },
        )*]
    };
}

/// The rows of one number of readers: a pipe to each, and our broadcast.
macro_rules! casts {
    ($($readers:literal, $name:literal, $usual:expr;)*) => {
        vec![$(
            row!(Pipes, concat!("pipes-", $readers), 1, $readers, true, $usual),
            Maker {
                kind: MakerKind::Ours,
                references: &[concat!("pipes-", $readers)],
                ..row!(Cast, $name, 1, $readers, true, $usual)
            },
        )*]
    };
}

macro_rules! row {
    ($kind:ty, $name:expr, $senders:expr, $receivers:expr, $all:expr, $usual:expr) => {
        maker(
            $name,
            |side, meet, shape| {
                let counts = ($senders, $receivers);
                members::connect(side, meet, shape, (NAME, $name), &of::<$kind>(counts, $all))
            },
            of::<$kind>(($senders, $receivers), $all),
            |shape| $usual && shape.size <= 64,
        )
    };
}

/// The queue with 1 to 4 senders and as many receivers; the broadcast with 1, 4 and 16 readers.
pub fn family() -> Family {
    let mut makers = queues! {
        "1x1": 1 x 1, true; "1x2": 1 x 2, false; "1x3": 1 x 3, false; "1x4": 1 x 4, false;
        "2x1": 2 x 1, false; "2x2": 2 x 2, true; "2x3": 2 x 3, false; "2x4": 2 x 4, false;
        "3x1": 3 x 1, false; "3x2": 3 x 2, false; "3x3": 3 x 3, false; "3x4": 3 x 4, false;
        "4x1": 4 x 1, false; "4x2": 4 x 2, false; "4x3": 4 x 3, false; "4x4": 4 x 4, true;
    };
    makers.extend(casts! { 1, "cast-1", false; 4, "cast-4", true; 16, "cast-16", false; });
    Family {
        name: NAME,
        about: "queue: senders x receivers; broadcast: readers; each a process (raw: tickets)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MEMORY.with_boundaries())
}

fn maker(
    name: &'static str,
    connect: crate::awaited::Connect,
    members: Members,
    usual: fn(&Shape) -> bool,
) -> Maker {
    Maker {
        name,
        copies: "2 (into and out of the memory, or the kernel)",
        fits: |shape| match shape.scenario {
            Scenario::OneWay if (LEAST..=PIPE_WHOLE).contains(&shape.size) => Ok(()),
            Scenario::OneWay => Err(format!("a message has {LEAST} to {PIPE_WHOLE} bytes here")),
            _ => Err("it is one way".to_owned()),
        },
        usual,
        members: Some(members),
        ..Maker::raw(connect)
    }
}

/// How members of one kind are made.
trait Kind: Shared + Sized + 'static {
    fn share(counts: Counts, shape: &Shape) -> io::Result<Self>;

    fn join(seat: Seat, given: Vec<OwnedFd>, shape: &Shape) -> io::Result<Box<dyn Endpoint>>;
}

fn of<K: Kind>(counts: Counts, each_gets_all: bool) -> Members {
    Members {
        counts,
        each_gets_all,
        share: |counts, shape| Ok(Box::new(K::share(counts, shape)?)),
        join: K::join,
    }
}

/// Our queue; a socket for the member that is about to come.
struct Queue(ipc_ring::Queue, Option<SeqPacket>);

impl Kind for Queue {
    fn share(_: Counts, shape: &Shape) -> io::Result<Queue> {
        Ok(Queue(options(shape).queue()?, None))
    }

    fn join(seat: Seat, given: Vec<OwnedFd>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let socket = SeqPacket::from(only(given)?);
        Ok(match seat {
            Seat::Sender(_) => ring_many::producing(options(shape).produce_over(socket)?),
            Seat::Receiver(_) => ring_many::consuming(options(shape).consume_over(socket)?),
        })
    }
}

impl Shared for Queue {
    fn give(&mut self, _: Seat) -> io::Result<Vec<OwnedFd>> {
        let (ours, theirs) = ipc_uds::pair_seqpacket()?;
        self.1 = Some(ours);
        Ok(vec![theirs.into()])
    }

    fn admit(&mut self, _: Seat) -> io::Result<()> {
        let socket = self.1.take().ok_or(io::ErrorKind::NotConnected)?;
        Ok(self.0.add(socket)?)
    }
}

/// Tickets that are taken when there is something, after `ArrayQueue` of crossbeam: nobody sleeps,
/// and who dies with one holds all others up.
struct Bare(OwnedFd);

impl Kind for Bare {
    fn share(_: Counts, shape: &Shape) -> io::Result<Bare> {
        Tickets::create(shape.size, slots(shape)).map(Bare)
    }

    fn join(_: Seat, given: Vec<OwnedFd>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let tickets = Tickets::join(only(given)?, shape.size, slots(shape))?;
        Ok(Box::new(Yielding(tickets)))
    }
}

impl Shared for Bare {
    fn give(&mut self, _: Seat) -> io::Result<Vec<OwnedFd>> {
        Ok(vec![self.0.try_clone()?])
    }
}

/// Who finds nothing to do leaves the CPU to others.
struct Yielding(Tickets);

impl Endpoint for Yielding {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while !self.0.try_send(message)? {
            thread::yield_now();
        }
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        while !self.0.try_recv(into)? {
            thread::yield_now();
        }
        Ok(())
    }
}

/// One pipe for all; its reading end and its writing end.
struct OnePipe(Option<(OwnedFd, OwnedFd)>);

impl Kind for OnePipe {
    fn share(_: Counts, _: &Shape) -> io::Result<OnePipe> {
        Ok(OnePipe(Some(pipe_with(PipeFlags::CLOEXEC)?)))
    }

    fn join(_: Seat, given: Vec<OwnedFd>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Ok(Box::new(PipeEnds(given)))
    }
}

impl Shared for OnePipe {
    fn give(&mut self, seat: Seat) -> io::Result<Vec<OwnedFd>> {
        let (read, write) = self.0.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        Ok(vec![match seat {
            Seat::Sender(_) => write.try_clone()?,
            Seat::Receiver(_) => read.try_clone()?,
        }])
    }

    fn complete(&mut self) {
        self.0 = None;
    }
}

/// What each of one sender's readers gets, the last one first.
struct ToEach(Vec<OwnedFd>, Vec<OwnedFd>);

impl ToEach {
    fn make<T: Into<OwnedFd>>(
        (_, readers): Counts,
        make: impl Fn() -> io::Result<(T, T)>,
    ) -> io::Result<ToEach> {
        let mut ends = ToEach(Vec::new(), Vec::new());
        for _ in 0..readers {
            let (to, from) = make()?;
            ends.0.push(to.into());
            ends.1.push(from.into());
        }
        Ok(ends)
    }

    fn give(&mut self, seat: Seat) -> io::Result<Vec<OwnedFd>> {
        match seat {
            Seat::Sender(_) => Ok(std::mem::take(&mut self.0)),
            Seat::Receiver(_) => Ok(self.1.pop().into_iter().collect()),
        }
    }
}

/// A pipe to each reader.
struct Pipes(ToEach);

impl Kind for Pipes {
    fn share(counts: Counts, _: &Shape) -> io::Result<Pipes> {
        let ends = ToEach::make(counts, || {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            Ok((write, read))
        });
        ends.map(Pipes)
    }

    fn join(_: Seat, given: Vec<OwnedFd>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Ok(Box::new(PipeEnds(given)))
    }
}

impl Shared for Pipes {
    fn give(&mut self, seat: Seat) -> io::Result<Vec<OwnedFd>> {
        self.0.give(seat)
    }
}

/// The ends of pipes that one member has: what it sends goes into each of them.
struct PipeEnds(Vec<OwnedFd>);

impl Endpoint for PipeEnds {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        for end in &self.0 {
            // A write of that size is whole, or not at all.
            let written = rustix::io::retry_on_intr(|| rustix::io::write(end, message))?;
            whole(written, message)?;
        }
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let [end] = self.0.as_slice() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let read = rustix::io::retry_on_intr(|| rustix::io::read(end, &mut *into))?;
        whole(read, into)
    }
}

/// Our broadcast: its sockets.
struct Cast(ToEach);

impl Kind for Cast {
    fn share(counts: Counts, _: &Shape) -> io::Result<Cast> {
        ToEach::make(counts, || Ok(ipc_uds::pair_seqpacket()?)).map(Cast)
    }

    fn join(seat: Seat, given: Vec<OwnedFd>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = options(shape);
        if let Seat::Receiver(_) = seat {
            return Ok(Box::new(Reader(
                options.subscribe_over(SeqPacket::from(only(given)?))?,
            )));
        }
        let writer = options.broadcast()?;
        for socket in given {
            writer.add(SeqPacket::from(socket))?;
        }
        Ok(Box::new(Writer(writer)))
    }
}

impl Shared for Cast {
    fn give(&mut self, seat: Seat) -> io::Result<Vec<OwnedFd>> {
        self.0.give(seat)
    }
}

struct Writer(Broadcaster);

impl Endpoint for Writer {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.send(message)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

struct Reader(Subscriber);

impl Endpoint for Reader {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        match self.0.recv(into)? {
            Received::Message(len) => whole(len, into),
            missed => Err(io::Error::other(format!("{missed:?} messages"))),
        }
    }
}

/// Messages that may be under way.
fn slots(shape: &Shape) -> usize {
    let slots = HELD_BYTES / shape.size.next_power_of_two();
    slots.min(1024)
}

fn options(shape: &Shape) -> ipc_ring::Options {
    ring_many::options_of(shape.size, slots(shape))
}

fn only(given: Vec<OwnedFd>) -> io::Result<OwnedFd> {
    let [only] = <[OwnedFd; 1]>::try_from(given)
        .map_err(|given| io::Error::other(format!("{} descriptors instead of 1", given.len())))?;
    Ok(only)
}
