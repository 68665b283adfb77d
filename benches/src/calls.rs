//! Messages that are the arguments of calls: what a client does with them besides one call after
//! the other, and what each maker of calls has to write for that.

mod client;
mod datagrams;
mod echoes;
mod fixed;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "peers")]
mod grpcio;
mod here;
mod ours;
mod raw;
mod server;
mod stock;
mod sums;
mod way;

#[cfg(feature = "peers")]
mod capnp_calls;
#[cfg(feature = "peers")]
mod socket_library;
#[cfg(feature = "peers")]
mod tarpc_calls;
#[cfg(feature = "peers")]
mod tonic_calls;
#[cfg(feature = "peers")]
mod ttrpc_calls;

use std::io;

use crate::{
    family::{Endpoint, Maker},
    fan_in::FanIn,
    meet::Meet,
    payload,
    results::MakerKind,
    scenario::{Scenario, Shape, Side},
};

pub use client::{AsyncClient, Caller};
pub use datagrams::maker as datagrams;
pub use echoes::Echoes;
pub use fixed::Fixed;
#[cfg(feature = "grpc")]
pub use grpc::Grpc;
pub use here::by_name;
pub use ours::{Awaited, Blocking, Contract};
pub use raw::Raw;
pub use server::{Serving, Tally};
pub use stock::Items;
pub use sums::Sums;
#[cfg(feature = "tls")]
pub use way::Tls;
pub use way::{Pipe, Shm, Socket, Tcp, Unix, Way};

#[cfg(feature = "peers")]
pub use {
    capnp_calls::Capnp,
    grpcio::{to_ours as grpcio, to_tonic as grpcio_to_tonic},
    socket_library::{Nng, Zeromq, maker as library},
    tarpc_calls::Tarpc,
    tonic_calls::Tonic,
    ttrpc_calls::Ttrpc,
};

/// How many calls are under way where the rate is found that saturates.
const SATURATING: u32 = 64;
/// What the calls of one client may hold in memory at once.
const HELD_BYTES: usize = 256 << 20;

/// Which way the messages go that a server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// There, and the answer back.
    Calls,
    /// There, as one stream.
    ToServer,
    /// Back, as the answers of one call.
    ToClient,
}

impl Flow {
    /// Of the timed messages of a scenario.
    pub fn of(scenario: Scenario) -> Flow {
        match scenario {
            Scenario::OneWay => Flow::ToServer,
            Scenario::ServerStream => Flow::ToClient,
            _ => Flow::Calls,
        }
    }
}

/// The messages of a slice: copies of one, each with its number at its head.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// What they look like.
    pub message: &'a [u8],
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub messages: u32,
}

impl Batch<'_> {
    /// The message at this place.
    pub fn at(&self, place: u32) -> Vec<u8> {
        let mut message = self.message.to_vec();
        payload::stamp(&mut message, self.first + u64::from(place));
        message
    }

    /// Whether this is the answer to the message at a place.
    pub fn check(&self, place: u32, answer: &[u8]) -> io::Result<()> {
        if answer.len() != self.message.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        payload::check(answer, self.first + u64::from(place))
    }
}

/// What a client of calls does besides one call after the other. A maker whose [`Maker::fits`]
/// refuses the scenario keeps the default.
pub trait Calls {
    /// Makes one call after the other, and takes the time of each by itself; false where the
    /// harness is to make them.
    fn one_after_another(&mut self, batch: &Batch<'_>, laps: &mut Vec<u64>) -> io::Result<bool> {
        let _ = (batch, laps);
        Ok(false)
    }

    /// Makes the calls, so many of them at once.
    fn keep_under_way(&mut self, batch: &Batch<'_>, under_way: u32) -> io::Result<()> {
        let _ = (batch, under_way);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes one call with the messages as its stream of arguments.
    fn stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let _ = batch;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes one call that is answered by the messages, as a stream.
    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let _ = batch;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes one call with the messages as its stream of arguments, each answered by one.
    fn both_streams(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let _ = batch;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes the calls as fast as they are answered, with as many under way as this client can
    /// have in an open loop.
    fn saturate(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.keep_under_way(batch, SATURATING)
    }

    /// Makes a call every so many nanoseconds, or at once where that is past; adds the time from
    /// when each was due to its answer.
    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        let _ = (batch, every_ns, laps);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// One implementation of calls over a socket.
pub trait Kit: 'static {
    /// Its name as a maker.
    const NAME: &'static str;
    /// Whose code it is.
    const KIND: MakerKind;
    /// What it is compared with though both are ours.
    const REFERENCES: &'static [&'static str] = &[];

    /// Why it cannot do a cell.
    fn fits(shape: &Shape) -> Result<(), String>;

    /// The client at one end of these connections: of one, unless the scenario has more.
    fn client(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>>;

    /// A server of all these connections.
    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>>;
}

/// The maker of calls by a kit over one kind of connection.
pub fn maker<K: Kit, W: Way>() -> Maker {
    Maker {
        name: K::NAME,
        kind: K::KIND,
        references: K::REFERENCES,
        copies: W::COPIES,
        probe: W::probe,
        fits: K::fits,
        fan_in: Some(FanIn {
            receiver: |meets, shape| {
                let sockets = meets.iter().map(|meet| W::socket(Side::Server, meet));
                K::server(sockets.collect::<io::Result<_>>()?, shape)
            },
            sender: |meet, shape| K::client(vec![W::socket(Side::Client, meet)?], shape),
            whole_up_to: usize::MAX,
            stamped: false,
        }),
        calls: true,
        usual: W::usual,
        ..Maker::raw(connect::<K, W>)
    }
}

fn connect<K: Kit, W: Way>(
    side: Side,
    meet: &Meet,
    shape: &Shape,
) -> io::Result<Box<dyn Endpoint>> {
    let sockets = (0..shape.scenario.connections()).map(|_| W::socket(side, meet));
    let sockets = sockets.collect::<io::Result<_>>()?;
    match side {
        Side::Client => K::client(sockets, shape),
        Side::Server => K::server(sockets, shape),
    }
}

/// What every maker of calls refuses: an answer takes time, and another process.
pub fn calls_only(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::SingleThread | Scenario::RoundTripSpin => {
            Err("a call waits for its answer".to_owned())
        }
        Scenario::Wake => Err("a call has no receiver to be woken: its answer counts".to_owned()),
        scenario if scenario.under_way() as usize * shape.size > HELD_BYTES => {
            let (calls, bytes) = (scenario.under_way(), shape.size);
            Err(format!(
                "{calls} calls of {bytes} bytes under way hold too much memory"
            ))
        }
        _ => Ok(()),
    }
}

/// What a maker without streams refuses besides.
pub fn calls_without_streams(shape: &Shape) -> Result<(), String> {
    match shape.scenario.is_stream() {
        false => calls_only(shape),
        true => Err("it has calls only, no streams".to_owned()),
    }
}

/// What a client refuses besides that waits for each answer before it sends the next call.
pub fn one_call_at_a_time(shape: &Shape) -> Result<(), String> {
    match shape.scenario.under_way() {
        1 => Ok(()),
        _ => Err("its client makes one call at a time".to_owned()),
    }
}

/// What a client refuses besides that has one connection.
pub fn one_connection(shape: &Shape) -> Result<(), String> {
    match shape.scenario.connections() {
        1 => Ok(()),
        _ => Err("its client has one connection here".to_owned()),
    }
}
