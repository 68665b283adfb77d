//! The awaited server: connections come in, calls go to the handlers.

use crate::connection::Served;
use crate::options::Options;
use rpc_core::{Binding, MethodDescriptor, Status};
use rpc_transport::inproc::Entrance;
use rpc_transport::{Acceptor, Endpoint, Listener, Seats, Stopped, Stopper, Wire};
use std::future::Future;
use std::pin::Pin;

/// A way into a server, for [`Server::with`](rpc_core::Server::with).
#[derive(Debug)]
pub struct Serving {
    way: Way,
    options: Options,
}

#[derive(Debug)]
enum Way {
    Listener(Acceptor),
    /// Both, by one name.
    Local(Acceptor, Entrance),
    /// Callers of this process.
    Inproc(Entrance, Stopper),
}

impl Serving {
    pub(crate) fn new(listener: Listener, options: Options) -> Self {
        let seats = Seats::new(options.max_connections, options.max_connections_per_user);
        let way = Way::Listener(Acceptor::new(listener, seats));
        Self { way, options }
    }

    pub(crate) fn inproc(entrance: Entrance, options: Options) -> Self {
        let way = Way::Inproc(entrance, Stopper::new());
        Self { way, options }
    }

    /// And also within this process, by a name.
    pub(crate) fn also(self, entrance: Entrance) -> Self {
        let way = match self.way {
            Way::Listener(acceptor) => Way::Local(acceptor, entrance),
            other => other,
        };
        Self { way, ..self }
    }

    /// What ends it in order: no new connections and calls, and calls that run have the drain
    /// timeout of the limits to finish.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        match &self.way {
            Way::Listener(acceptor) | Way::Local(acceptor, _) => acceptor.stopper(),
            Way::Inproc(_, stopper) => stopper.clone(),
        }
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// As [`Listener::endpoint`].
    pub fn endpoint(&self) -> Result<Endpoint, Status> {
        match &self.way {
            Way::Listener(acceptor) | Way::Local(acceptor, _) => {
                acceptor.endpoint().map_err(Status::from)
            }
            Way::Inproc(entrance, _) => Ok(Endpoint::Inproc(entrance.name().to_owned())),
        }
    }

    async fn run(self, served: rpc_core::Served) -> Result<(), Status> {
        let limits = self.options.limits;
        match self.way {
            Way::Listener(acceptor) => accept(acceptor, served, limits).await,
            Way::Inproc(entrance, stopper) => {
                let mut stopped = stopper.stopped();
                entrance.serve(served, stopped.wait(), limits.drain).await;
                Ok(())
            }
            Way::Local(acceptor, entrance) => {
                let mut stopped = acceptor.stopper().stopped();
                let here = entrance.serve(served.clone(), stopped.wait(), limits.drain);
                tokio::join!(accept(acceptor, served, limits.clone()), here).0
            }
        }
    }
}

async fn accept(
    acceptor: Acceptor,
    served: rpc_core::Served,
    limits: crate::Limits,
) -> Result<(), Status> {
    let serve = |wire, stopped| serve(wire, served.clone(), limits.clone(), stopped);
    acceptor.run(serve).await.map_err(Status::from)
}

async fn serve(wire: Wire, served: rpc_core::Served, limits: crate::Limits, mut stopped: Stopped) {
    let wire = tokio::select! {
        proven = wire.proven(limits.handshake) => proven,
        () = stopped.wait() => return,
    };
    match wire.and_then(|wire| Served::new(wire, served, limits)) {
        Ok(connection) => connection.run(stopped).await,
        Err(error) => tracing::debug!(%error, "a connection could not be served"),
    }
}

impl Binding for Serving {
    fn serve(
        self: Box<Self>,
        served: rpc_core::Served,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> {
        Box::pin(self.run(served))
    }

    fn carries(&self, _method: &MethodDescriptor) -> Result<(), Status> {
        // All five kinds.
        Ok(())
    }
}
