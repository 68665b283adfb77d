//! Our own calls: one service, awaited and blocking, over whatever connection.

use std::{io, sync::Arc, time::Duration};

use futures_util::StreamExt;
use rpc_core::{
    Context, Router, Served, Server, Status, Streaming, block_on, export::Stream, items, service,
};
use rpc_native::{BlockingConnection, Connection, Limits, Options};

use super::{
    AsyncClient, Batch, Caller, Calls, Kit, Serving, Socket, Tally, calls_only,
    client::{Messages, one_by_one, whole},
    one_call_at_a_time,
};
use crate::{
    family::Endpoint,
    results::MakerKind,
    scenario::{Scenario, Shape},
};

#[service(name = "bench.v1.Echo")]
trait Echo {
    /// What it is given.
    #[rpc(idempotency = "no_side_effects")]
    async fn echo(&self, cx: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status>;
    /// The messages that were ordered.
    async fn give(
        &self,
        cx: &Context,
        order: Vec<u8>,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Status>>, Status>;
}

#[service(name = "bench.v1.Intake")]
trait Intake {
    /// How many came.
    async fn take(&self, cx: &Context, messages: Streaming<Vec<u8>>) -> Result<u64, Status>;
}

/// Gives back, gives, takes; and counts.
#[derive(Clone)]
struct Counted(Arc<Tally>);

impl Echo for Counted {
    async fn echo(&self, _: &Context, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.0.count();
        Ok(bytes)
    }

    async fn give(
        &self,
        _: &Context,
        order: Vec<u8>,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Status>>, Status> {
        let messages = Messages::ordered(&order)
            .map_err(|error| Status::new(rpc_core::Code::InvalidArgument, error.to_string()))?;
        let tally = Arc::clone(&self.0);
        Ok(items(messages).map(move |message| {
            tally.count();
            Ok(message)
        }))
    }
}

impl Intake for Counted {
    async fn take(&self, _: &Context, mut messages: Streaming<Vec<u8>>) -> Result<u64, Status> {
        let mut taken = 0;
        while let Some(message) = messages.next().await {
            message?;
            self.0.count();
            taken += 1;
        }
        Ok(taken)
    }
}

fn failed(status: Status) -> io::Error {
    io::Error::other(status)
}

/// The two sides of a pair run when it is their turn: others' slices are no slow greeting.
const PATIENCE: Duration = Duration::from_secs(60);
/// More calls than any scenario has under way.
const MAX_CALLS: u32 = 1024;

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
const LARGE: u32 = 4 << 20;

/// Client and server on tokio.
#[derive(Debug)]
pub struct Awaited;

impl Kit for Awaited {
    const NAME: &'static str = "awaited";
    const KIND: MakerKind = MakerKind::Ours;

    fn fits(shape: &Shape) -> Result<(), String> {
        calls_only(shape)
    }

    fn client(socket: Socket, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = options(shape);
        AsyncClient::connect(move || async move {
            let wire = socket.into_wire()?;
            options.over(wire).await.map(Stubs::new).map_err(failed)
        })
    }

    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let options = options(shape);
        Serving::run(move |tally| async move {
            let mut sessions = tokio::task::JoinSet::new();
            for socket in sockets {
                let wire = socket.into_wire()?;
                let served = served(&tally);
                sessions.spawn(options.clone().serve(wire, served));
            }
            while let Some(ended) = sessions.join_next().await {
                ended.map_err(io::Error::other)?.map_err(failed)?;
            }
            Ok(())
        })
    }
}

fn served(tally: &Arc<Tally>) -> Served {
    let counted = Counted(Arc::clone(tally));
    let router = Router::new()
        .service(EchoServer::new(counted.clone()))
        .service(IntakeServer::new(counted));
    Server::new(router).served()
}

/// The stubs of one connection.
#[derive(Clone)]
struct Stubs {
    echo: Arc<EchoClient<Connection>>,
    intake: Arc<IntakeClient<Connection>>,
}

impl Stubs {
    fn new(connection: Connection) -> Stubs {
        Stubs {
            echo: Arc::new(EchoClient::new(connection.clone())),
            intake: Arc::new(IntakeClient::new(connection)),
        }
    }
}

impl Caller for Stubs {
    async fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let cx = Context::background();
        self.echo.echo(&cx, message).await.map_err(failed)
    }

    async fn stream(&self, messages: Messages) -> io::Result<()> {
        let cx = Context::background();
        let taken = self.intake.take(&cx, items(messages.clone())).await;
        match taken.map_err(failed)? == messages.count() as u64 {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn receive(&self, mut messages: Messages) -> io::Result<()> {
        let cx = Context::background();
        let given = self.echo.give(&cx, messages.order()).await;
        let mut given = given.map_err(failed)?;
        while let Some(message) = given.next().await {
            messages.check(&message.map_err(failed)?)?;
        }
        messages.done()
    }
}

/// Client and server without a runtime.
#[derive(Debug)]
pub struct Blocking;

impl Kit for Blocking {
    const NAME: &'static str = "blocking";
    const KIND: MakerKind = MakerKind::Ours;

    fn fits(shape: &Shape) -> Result<(), String> {
        if shape.scenario == Scenario::OneWay {
            return Err("a blocking server takes no stream of arguments".to_owned());
        }
        one_call_at_a_time(shape).and_then(|()| calls_only(shape))
    }

    fn client(socket: Socket, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let connection = options(shape).over_blocking(socket.into_wire()?);
        Ok(Box::new(BlockingClient {
            echo: EchoClient::new(connection.map_err(failed)?),
            answer: Vec::new(),
        }))
    }

    fn server(sockets: Vec<Socket>, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let sessions = sockets.into_iter().map(|socket| {
            let options = options(shape);
            move |tally: Arc<Tally>| {
                let wire = socket.into_wire()?;
                options.session(wire, served(&tally)).run().map_err(failed)
            }
        });
        Serving::start(sessions.collect())
    }
}

struct BlockingClient {
    echo: EchoClient<BlockingConnection>,
    answer: Vec<u8>,
}

impl BlockingClient {
    fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let cx = Context::background();
        block_on(self.echo.echo(&cx, message)).map_err(failed)
    }
}

impl Endpoint for BlockingClient {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.answer = self.call(message.to_vec())?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl Calls for BlockingClient {
    fn receive_stream(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let mut messages = Messages::of(batch);
        let cx = Context::background();
        let mut given = block_on(self.echo.give(&cx, messages.order())).map_err(failed)?;
        while let Some(message) = block_on(given.next()) {
            messages.check(&message.map_err(failed)?)?;
        }
        messages.done()
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        one_by_one(batch, every_ns, laps, |message| self.call(message))
    }
}
