//! Echoes as one of our services: what all transports are measured with.

use std::{io, sync::Arc};

use futures_util::StreamExt;
use rpc_core::{
    Channel, Context, Router, Served, Server, Status, Streaming, export::Stream, items, service,
};

use super::{
    Caller, Tally, calls_only,
    client::Messages,
    ours::{Contract, failed},
};
use crate::scenario::Shape;

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
    /// Each as it comes.
    async fn relay(
        &self,
        cx: &Context,
        messages: Streaming<Vec<u8>>,
    ) -> Result<Streaming<Vec<u8>>, Status>;
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

    async fn relay(
        &self,
        _: &Context,
        messages: Streaming<Vec<u8>>,
    ) -> Result<Streaming<Vec<u8>>, Status> {
        let tally = Arc::clone(&self.0);
        Ok(Streaming::of(messages.inspect(move |_| tally.count())))
    }
}

/// Echoes of every kind, of whatever size.
#[derive(Debug)]
pub struct Echoes;

impl Contract for Echoes {
    type Stubs<C: Channel + Clone + 'static> = Stubs<C>;

    fn fits(shape: &Shape) -> Result<(), String> {
        calls_only(shape)
    }

    fn served(tally: &Arc<Tally>) -> Served {
        served(tally)
    }

    fn stubs<C: Channel + Clone + 'static>(channel: C) -> Stubs<C> {
        Stubs::new(channel)
    }
}

pub(super) fn served(tally: &Arc<Tally>) -> Served {
    let counted = Counted(Arc::clone(tally));
    let router = Router::new()
        .service(EchoServer::new(counted.clone()))
        .service(IntakeServer::new(counted));
    Server::new(router).served()
}

/// The stubs of one connection.
pub struct Stubs<C> {
    echo: Arc<EchoClient<C>>,
    intake: Arc<IntakeClient<C>>,
}

impl<C: Channel + Clone> Stubs<C> {
    pub(super) fn new(channel: C) -> Stubs<C> {
        Stubs {
            echo: Arc::new(EchoClient::new(channel.clone())),
            intake: Arc::new(IntakeClient::new(channel)),
        }
    }
}

impl<C> std::fmt::Debug for Stubs<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stubs").finish_non_exhaustive()
    }
}

impl<C> Clone for Stubs<C> {
    fn clone(&self) -> Stubs<C> {
        Stubs {
            echo: Arc::clone(&self.echo),
            intake: Arc::clone(&self.intake),
        }
    }
}

impl<C: Channel + 'static> Caller for Stubs<C> {
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

    async fn relay(&self, mut messages: Messages) -> io::Result<()> {
        let cx = Context::background();
        let relayed = self.intake.relay(&cx, items(messages.clone())).await;
        let mut relayed = relayed.map_err(failed)?;
        while let Some(message) = relayed.next().await {
            messages.check(&message.map_err(failed)?)?;
        }
        messages.done()
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
