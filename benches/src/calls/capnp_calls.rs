//! Calls by `capnp-rpc`, without a schema: the argument and the result are bytes.

use std::{
    cell::{Cell, RefCell},
    io,
    ops::Deref,
    rc::Rc,
    sync::Arc,
};

use capnp::{
    any_pointer,
    capability::{
        Client as Untyped, DispatchCallResult, FromClientHook, FromServer, Params, Promise, Results,
    },
    data,
    private::capability::ClientHook,
};
use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty::VatNetwork};
use futures_util::io::{BufReader, BufWriter};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::LocalRuntime,
    task::JoinSet,
};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use super::{
    Batch, Calls, Kit, Serving, Socket, Tally, calls_without_streams,
    client::{checked, whole, yield_until},
    one_connection,
    tarpc_calls::{tokio_tcp, tokio_unix},
};
use crate::{family::Endpoint, results::MakerKind, scenario::Shape, stage};

const INTERFACE: u64 = 0xb3c8_0f1e_5f0d_9a41;
const METHOD: u16 = 0;

/// The crate `capnp-rpc`.
#[derive(Debug)]
pub struct Capnp;

impl Kit for Capnp {
    const NAME: &'static str = "capnp-rpc";
    const KIND: MakerKind = MakerKind::Peer;

    fn fits(shape: &Shape) -> Result<(), String> {
        one_connection(shape).and_then(|()| calls_without_streams(shape))
    }

    fn client(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build_local(Default::default())?;
        let client = runtime.block_on(async {
            let mut system = RpcSystem::new(network(Socket::only(sockets)?, Side::Client)?, None);
            let client = system.bootstrap::<Echo>(Side::Server);
            tokio::task::spawn_local(system);
            io::Result::Ok(client)
        })?;
        let seat = CLIENTS.with_borrow_mut(|clients| {
            clients.push(Rc::new(Client { runtime, client }));
            clients.len() - 1
        });
        Ok(Box::new(Seat {
            seat,
            answer: Vec::new(),
        }))
    }

    fn server(sockets: Vec<Socket>, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        Serving::run(move |tally| async move {
            let mut sessions = JoinSet::new();
            for socket in sockets {
                let echo: Echo = capnp_rpc::new_client(Counted(Arc::clone(&tally)));
                let network = network(socket, Side::Server)?;
                let system = RpcSystem::new(network, Some(echo.0));
                sessions.spawn_local(system);
            }
            while let Some(ended) = sessions.join_next().await {
                ended.map_err(io::Error::other)?.map_err(io::Error::other)?;
            }
            Ok(())
        })
    }
}

fn network(socket: Socket, side: Side) -> io::Result<Box<dyn capnp_rpc::VatNetwork<Side>>> {
    Ok(match socket {
        Socket::Unix(socket) => {
            let (rx, tx) = tokio_unix(socket)?.into_split();
            over(rx, tx, side)
        }
        Socket::Tcp(socket) => {
            let (rx, tx) = tokio_tcp(socket)?.into_split();
            over(rx, tx, side)
        }
        _ => return Err(Socket::unfit()),
    })
}

fn over(
    rx: impl AsyncRead + Unpin + 'static,
    tx: impl AsyncWrite + Unpin + 'static,
    side: Side,
) -> Box<dyn capnp_rpc::VatNetwork<Side>> {
    let (rx, tx) = (
        BufReader::new(rx.compat()),
        BufWriter::new(tx.compat_write()),
    );
    Box::new(VatNetwork::new(rx, tx, side, Default::default()))
}

/// What a schema compiler would have made: a client of one method.
#[derive(Clone)]
struct Echo(Untyped);

impl FromClientHook for Echo {
    fn new(hook: Box<dyn ClientHook>) -> Echo {
        Echo(Untyped::new(hook))
    }

    fn into_client_hook(self) -> Box<dyn ClientHook> {
        self.0.hook
    }

    fn as_client_hook(&self) -> &dyn ClientHook {
        self.0.hook.as_ref()
    }
}

impl Echo {
    async fn call(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let mut call = self
            .0
            .new_call::<any_pointer::Owned, any_pointer::Owned>(INTERFACE, METHOD, None);
        call.get()
            .set_as::<data::Owned>(message)
            .map_err(io::Error::other)?;
        let answer = call.send().promise.await.map_err(io::Error::other)?;
        let bytes = answer
            .get()
            .and_then(|content| content.get_as::<data::Reader<'_>>());
        Ok(bytes.map_err(io::Error::other)?.to_vec())
    }
}

/// The server's object.
struct Counted(Arc<Tally>);

/// What a schema compiler would have made of it.
#[derive(Clone)]
struct Dispatch(Rc<Counted>);

impl Deref for Dispatch {
    type Target = Counted;

    fn deref(&self) -> &Counted {
        &self.0
    }
}

impl FromServer<Counted> for Echo {
    type Dispatch = Dispatch;

    fn from_server(counted: Rc<Counted>) -> Dispatch {
        Dispatch(counted)
    }
}

impl capnp::capability::Server for Dispatch {
    fn dispatch_call(
        self,
        interface: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> DispatchCallResult {
        let outcome = if (interface, method) == (INTERFACE, METHOD) {
            self.0.0.count();
            let bytes = params
                .get()
                .and_then(|content| content.get_as::<data::Reader<'_>>());
            bytes.and_then(|bytes| results.get().set_as::<data::Owned>(bytes))
        } else {
            Err(capnp::Error::unimplemented("no such method".to_owned()))
        };
        let promise = match outcome {
            Ok(()) => Promise::ok(()),
            Err(error) => Promise::err(error),
        };
        DispatchCallResult::new(promise, false)
    }

    fn as_ptr(&self) -> usize {
        Rc::as_ptr(&self.0) as usize
    }
}

struct Client {
    runtime: LocalRuntime,
    client: Echo,
}

thread_local! {
    /// The clients of this worker: they cannot leave their thread, and an endpoint must be able to.
    static CLIENTS: RefCell<Vec<Rc<Client>>> = const { RefCell::new(Vec::new()) };
}

/// The number of a client.
struct Seat {
    seat: usize,
    answer: Vec<u8>,
}

impl Seat {
    fn client(&self) -> io::Result<Rc<Client>> {
        CLIENTS
            .with_borrow(|clients| clients.get(self.seat).cloned())
            .ok_or_else(|| io::Error::other("it is used in another thread"))
    }
}

impl Endpoint for Seat {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let client = self.client()?;
        self.answer = client.runtime.block_on(client.client.call(message))?;
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(&self.answer, into)
    }

    fn calls(&mut self) -> Option<&mut dyn Calls> {
        Some(self)
    }
}

impl Calls for Seat {
    fn keep_under_way(&mut self, batch: &Batch<'_>, under_way: u32) -> io::Result<()> {
        let client = self.client()?;
        let next = Rc::new(Cell::new(0));
        let message: Rc<[u8]> = batch.message.into();
        let (first, messages) = (batch.first, batch.messages);
        client.runtime.block_on(async {
            let mut tasks: JoinSet<io::Result<()>> = JoinSet::new();
            for _ in 0..under_way {
                let (echo, next, message) = (client.client.clone(), next.clone(), message.clone());
                tasks.spawn_local(async move {
                    let batch = Batch {
                        message: &message,
                        first,
                        messages,
                    };
                    while next.get() < messages {
                        let place = next.replace(next.get() + 1);
                        batch.check(place, &echo.call(&batch.at(place)).await?)?;
                    }
                    Ok(())
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(())
        })
    }

    fn at_rate(&mut self, batch: &Batch<'_>, every_ns: u64, laps: &mut Vec<u64>) -> io::Result<()> {
        let client = self.client()?;
        client.runtime.block_on(async {
            let mut tasks: JoinSet<io::Result<_>> = JoinSet::new();
            let mut due = stage::now();
            for place in 0..batch.messages {
                yield_until(due).await;
                let (echo, message, at) = (client.client.clone(), batch.at(place), due);
                tasks.spawn_local(async move {
                    let answer = echo.call(&message).await?;
                    Ok((place, answer, stage::now() - at))
                });
                while let Some(ended) = tasks.try_join_next() {
                    laps.push(checked(batch, ended)?);
                }
                due += every_ns;
            }
            while let Some(ended) = tasks.join_next().await {
                laps.push(checked(batch, ended)?);
            }
            Ok(())
        })
    }
}
