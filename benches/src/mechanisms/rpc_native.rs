//! A unary call over a Unix socket, against the round trip of the same bytes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rpc_core::{Context, Router, Server, Status, block_on, service};
use rpc_native::{BlockingConnection, BlockingSession, Connection, Options};
use rpc_transport::Wire;
use tokio::{runtime::Runtime, sync::Notify};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    mechanisms::uds_stream,
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// Unary calls.
pub fn family() -> Family {
    let calls = |name, connect| Maker {
        fits: only_round_trips,
        // The server's end is a handler, which has the message and gives it back.
        verifies: false,
        ..Maker::ours(name, connect)
    };
    Family {
        name: "rpc-native",
        about: "a unary call over a Unix socket (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            Maker {
                fits: only_round_trips,
                ..Maker::raw(uds_stream::connect_raw)
            },
            calls("blocking", connect_blocking),
            calls("awaited", connect_awaited),
        ],
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}

fn only_round_trips(shape: &Shape) -> Result<(), String> {
    match shape.scenario {
        Scenario::RoundTrip | Scenario::RoundTripAwake | Scenario::RoundTripAsleep => Ok(()),
        _ => Err("a call is a round trip that blocks".to_owned()),
    }
}

#[service(name = "bench.v1.Echo")]
trait Echo {
    #[rpc(idempotency = "no_side_effects")]
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
}

/// Gives back what it is given, and says that it has.
#[derive(Clone, Default)]
struct Back {
    called: Arc<Notify>,
    calls: Arc<AtomicU64>,
}

impl Echo for Back {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.called.notify_one();
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(bytes)
    }
}

fn failed(status: Status) -> io::Error {
    io::Error::other(status)
}

/// The two sides of a pair run when it is their turn: others' slices are no slow greeting.
const PATIENCE: Duration = Duration::from_secs(60);

/// Messages of the sweep are larger than the default limit.
fn options() -> Options {
    let mut limits = rpc_native::Limits::new();
    limits
        .max_message_bytes(rpc_native::Limits::MAX_MESSAGE_BYTES)
        .handshake_timeout(PATIENCE)
        .frame_timeout(PATIENCE);
    Options::new().limits(limits).clone()
}

fn wire(side: Side, meet: &Meet) -> io::Result<Wire> {
    let socket = meet.share(side, || Ok(ipc_uds::pair()?))?;
    Ok(Wire::unix(socket)?)
}

fn connect_blocking(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let wire = wire(side, meet)?;
    Ok(match side {
        Side::Client => {
            let connection = options().over_blocking(wire).map_err(failed)?;
            Box::new(BlockingCaller {
                echo: EchoClient::new(connection),
                answer: Vec::new(),
            })
        }
        Side::Server => {
            let back = Back::default();
            let calls = Arc::clone(&back.calls);
            let router = Router::new().service(EchoServer::new(back));
            let mut session = options().session(wire, Server::new(router).served());
            // The greeting comes before the first call.
            session.serve_next().map_err(failed)?;
            Box::new(BlockingCallee { session, calls })
        }
    })
}

struct BlockingCaller {
    echo: EchoClient<BlockingConnection>,
    answer: Vec<u8>,
}

impl Endpoint for BlockingCaller {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let cx = Context::background();
        let call = self.echo.echo(&cx, message.to_vec());
        self.answer = block_on(call).map_err(failed)?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }
}

struct BlockingCallee {
    session: BlockingSession,
    calls: Arc<AtomicU64>,
}

impl Endpoint for BlockingCallee {
    fn send(&mut self, _message: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn recv(&mut self, _into: &mut [u8]) -> io::Result<()> {
        let before = self.calls.load(Ordering::Relaxed);
        // The word on the service comes between the greeting and the first call.
        while self.calls.load(Ordering::Relaxed) == before {
            if !self.session.serve_next().map_err(failed)? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

fn connect_awaited(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let wire = wire(side, meet)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(match side {
        Side::Client => Box::new(AwaitedCaller {
            echo: None,
            wire: Some(wire),
            runtime,
            answer: Vec::new(),
        }),
        Side::Server => {
            let back = Back::default();
            let called = Arc::clone(&back.called);
            let router = Router::new().service(EchoServer::new(back));
            runtime.spawn(options().serve(wire, Server::new(router).served()));
            Box::new(AwaitedCallee { called, runtime })
        }
    })
}

struct AwaitedCaller {
    echo: Option<EchoClient<Connection>>,
    /// Until the first call: the server's runtime runs, and greets, only while it receives.
    wire: Option<Wire>,
    runtime: Runtime,
    answer: Vec<u8>,
}

impl Endpoint for AwaitedCaller {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if let Some(wire) = self.wire.take() {
            let connection = self.runtime.block_on(options().over(wire));
            self.echo = Some(EchoClient::new(connection.map_err(failed)?));
        }
        let echo = self.echo.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let cx = Context::background();
        let call = echo.echo(&cx, message.to_vec());
        self.answer = self.runtime.block_on(call).map_err(failed)?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }
}

struct AwaitedCallee {
    called: Arc<Notify>,
    runtime: Runtime,
}

impl Endpoint for AwaitedCallee {
    fn send(&mut self, _message: &[u8]) -> io::Result<()> {
        // The task that has called the handler now answers.
        self.runtime.block_on(tokio::task::yield_now());
        Ok(())
    }

    fn recv(&mut self, _into: &mut [u8]) -> io::Result<()> {
        self.runtime.block_on(self.called.notified());
        Ok(())
    }
}

fn whole(answer: &[u8], into: &mut [u8]) -> io::Result<()> {
    if answer.len() != into.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    into.copy_from_slice(answer);
    Ok(())
}
