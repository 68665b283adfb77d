//! Our own calls, awaited and blocking, of whatever service over whatever connection.

use std::{io, marker::PhantomData, sync::Arc, time::Duration};

use rpc_core::{Channel, Served, Status, block_on};
use rpc_native::{BlockingConnection, Limits, Options};

use super::{
    AsyncClient, Batch, Caller, Calls, Echoes, Kit, Serving, Socket, Tally,
    client::{Messages, one_by_one, whole},
    one_call_at_a_time,
};
use crate::{
    family::Endpoint,
    overhead::BLOCKING,
    results::MakerKind,
    scenario::{Scenario, Shape},
};

/// A service that is called.
pub trait Contract: 'static {
    /// What calls it over a channel.
    type Stubs<C: Channel + Clone + 'static>: Caller;

    /// Why it cannot do a cell.
    fn fits(shape: &Shape) -> Result<(), String>;

    /// A server of it, which counts.
    fn served(tally: &Arc<Tally>) -> Served;

    /// Its stubs.
    fn stubs<C: Channel + Clone + 'static>(channel: C) -> Self::Stubs<C>;
}

pub(super) fn failed(status: Status) -> io::Error {
    io::Error::other(status)
}

/// The two sides of a pair run when it is their turn: others' slices are no slow greeting.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// More calls than any scenario has under way.
pub(super) const MAX_CALLS: u32 = 1024;

/// Messages of the sweep are larger than the default limit.
fn options(shape: &Shape) -> Options {
    let mut limits = Limits::new();
    limits
        .max_calls(MAX_CALLS)
        .handshake_timeout(PATIENCE)
        .frame_timeout(PATIENCE);
    if shape.size as u32 >= LARGE {
        limits.max_message_bytes(Limits::MAX_MESSAGE_BYTES);
    }
    Options::new().limits(limits).clone()
}

/// From here on a message does not fit the default limit.
pub(super) const LARGE: u32 = 4 << 20;

/// Client and server on tokio.
#[derive(Debug)]
pub struct Awaited<S = Echoes>(PhantomData<S>);

impl<S: Contract> Kit for Awaited<S> {
    const NAME: &'static str = "awaited";
    const KIND: MakerKind = MakerKind::Ours;
    const REFERENCES: &'static [&'static str] = &[BLOCKING];

    fn fits(shape: &Shape) -> Result<(), String> {
        S::fits(shape)
    }

    fn client(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = options(shape);
        AsyncClient::connect(sockets, |socket| async {
            let wire = socket.into_wire()?;
            options.over(wire).await.map(S::stubs).map_err(failed)
        })
    }

    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = options(shape);
        Serving::run(move |tally| async move {
            let mut sessions = tokio::task::JoinSet::new();
            for socket in sockets {
                let wire = socket.into_wire()?;
                let served = S::served(&tally);
                sessions.spawn(options.clone().serve(wire, served));
            }
            while let Some(ended) = sessions.join_next().await {
                ended.map_err(io::Error::other)?.map_err(failed)?;
            }
            Ok(())
        })
    }
}

/// Client and server without a runtime.
#[derive(Debug)]
pub struct Blocking<S = Echoes>(PhantomData<S>);

impl<S: Contract> Kit for Blocking<S> {
    const NAME: &'static str = BLOCKING;
    const KIND: MakerKind = MakerKind::Ours;

    fn fits(shape: &Shape) -> Result<(), String> {
        if matches!(shape.scenario, Scenario::OneWay | Scenario::BothStreams) {
            return Err("a blocking server takes no stream of arguments".to_owned());
        }
        one_call_at_a_time(shape).and_then(|()| S::fits(shape))
    }

    fn client(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let wire = Socket::only(sockets)?.into_wire()?;
        let connection = options(shape).over_blocking(wire);
        let connection: Arc<BlockingConnection> = Arc::new(connection.map_err(failed)?);
        Ok(Box::new(BlockingClient {
            caller: S::stubs(connection),
            answer: Vec::new(),
        }))
    }

    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let sessions = sockets.into_iter().map(|socket| {
            let options = options(shape);
            move |tally: Arc<Tally>| {
                let wire = socket.into_wire()?;
                options
                    .session(wire, S::served(&tally))
                    .run()
                    .map_err(failed)
            }
        });
        Serving::start(sessions.collect())
    }
}

struct BlockingClient<C> {
    caller: C,
    answer: Vec<u8>,
}

impl<C: Caller> Endpoint for BlockingClient<C> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.answer = block_on(self.caller.call(message.to_vec()))?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl<C: Caller> Calls for BlockingClient<C> {
    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        block_on(self.caller.receive(Messages::of(batch)))
    }

    fn saturate(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        self.at_rate(batch, 0, &mut Vec::new())
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        one_by_one(batch, every_ns, laps, |message| {
            block_on(self.caller.call(message))
        })
    }
}
