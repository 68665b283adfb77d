//! Request and reply over the sockets of 0MQ and nng, by `ipc://`, where their libraries are.

use std::io;

use super::{Batch, Calls, calls_without_streams, client::one_by_one, one_call_at_a_time};
use crate::{
    family::{Endpoint, Maker},
    fan_in::{FanIn, PIPE_WHOLE},
    meet::Meet,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
    sys::{NngEnd, Part, ZmqSocket},
};

/// A socket that asks and is answered.
pub trait Library: Send + Sized + 'static {
    /// Its name as a maker.
    const NAME: &'static str;

    /// Why this host lacks it.
    fn probe() -> Result<(), String>;

    /// A socket of that part at an address.
    fn open(part: Part, address: &str) -> io::Result<Self>;

    /// Sends one message.
    fn send(&self, message: &[u8]) -> io::Result<()>;

    /// Receives one message that fills `into`.
    fn recv(&self, into: &mut [u8]) -> io::Result<()>;
}

/// 0MQ.
#[derive(Debug)]
pub struct Zeromq(ZmqSocket);

impl Library for Zeromq {
    const NAME: &'static str = "zeromq";

    fn probe() -> Result<(), String> {
        ZmqSocket::probe()
    }

    fn open(part: Part, address: &str) -> io::Result<Zeromq> {
        ZmqSocket::open(part, address).map(Zeromq)
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0.send(message)
    }

    fn recv(&self, into: &mut [u8]) -> io::Result<()> {
        self.0.recv(into)
    }
}

/// nng.
#[derive(Debug)]
pub struct Nng(NngEnd);

impl Library for Nng {
    const NAME: &'static str = "nng";

    fn probe() -> Result<(), String> {
        NngEnd::probe()
    }

    fn open(part: Part, address: &str) -> io::Result<Nng> {
        NngEnd::open(part, address).map(Nng)
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0.send(message)
    }

    fn recv(&self, into: &mut [u8]) -> io::Result<()> {
        self.0.recv(into)
    }
}

/// The maker of calls by such a library.
pub fn maker<L: Library>() -> Maker {
    Maker {
        name: L::NAME,
        kind: MakerKind::Peer,
        probe: L::probe,
        fits: |shape| one_call_at_a_time(shape).and_then(|()| calls_without_streams(shape)),
        fan_in: Some(FanIn {
            receiver: |meets, _| answering::<L>(meets),
            sender: |meet, _| asking::<L>(meet),
            whole_up_to: usize::MAX,
            stamped: true,
        }),
        calls: true,
        usual: |shape| shape.scenario == Scenario::RoundTrip && shape.size <= PIPE_WHOLE,
        ..Maker::raw(connect::<L>)
    }
}

fn connect<L: Library>(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    match side {
        Side::Client => asking::<L>(meet),
        Side::Server => answering::<L>(std::slice::from_ref(meet)),
    }
}

fn asking<L: Library>(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    let address = String::from_utf8(meet.recv()?).map_err(io::Error::other)?;
    Ok(Box::new(End(L::open(Part::Asks, &address)?)))
}

fn answering<L: Library>(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let first = meets.first().ok_or(io::ErrorKind::InvalidInput)?;
    let place = first
        .directory()
        .join(format!("{}-{}", L::NAME, first.tag()));
    let address = format!("ipc://{}", place.display());
    let end = End(L::open(Part::Answers, &address)?);
    for meet in meets {
        meet.send(address.as_bytes())?;
    }
    Ok(Box::new(end))
}

/// Either end: the harness itself answers, by sending what it has received.
struct End<L>(L);

impl<L: Library> Endpoint for End<L> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.send(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.0.recv(into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl<L: Library> Calls for End<L> {
    fn saturate(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.at_rate(batch, 0, &mut Vec::new())
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        one_by_one(batch, every_ns, laps, |message| {
            self.0.send(&message)?;
            let mut back = message;
            self.0.recv(&mut back)?;
            Ok(back)
        })
    }
}
