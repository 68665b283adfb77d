//! A way into a server by gRPC.

use crate::options::Options;
use crate::service::GrpcService;
use rpc_core::{Binding, MethodDescriptor, Served, Status};
use rpc_transport::{Acceptor, Endpoint, Listener, Seats, Stopped, Stopper, Wire};
use std::future::Future;
use std::pin::Pin;

/// A way into a server, for [`Server::with`](rpc_core::Server::with).
#[derive(Debug)]
pub struct Serving {
    acceptor: Acceptor,
    options: Options,
}

impl Serving {
    pub(crate) fn new(listener: Listener, options: Options) -> Self {
        let seats = Seats::new(options.max_connections, options.max_connections_per_user);
        Self {
            acceptor: Acceptor::new(listener, seats),
            options,
        }
    }

    /// What ends it in order: no new calls, and those that run have the drain time of the limits.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.acceptor.stopper()
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// As [`Listener::endpoint`].
    pub fn endpoint(&self) -> Result<Endpoint, Status> {
        self.acceptor.endpoint().map_err(Status::from)
    }

    async fn run(self, served: Served) -> Result<(), Status> {
        let Self { acceptor, options } = self;
        let serve = |wire, stopped| serve(wire, stopped, served.clone(), options.clone());
        acceptor.run(serve).await.map_err(Status::from)
    }
}

async fn serve(wire: Wire, mut stopped: Stopped, served: Served, options: Options) {
    let wire = tokio::select! {
        proven = wire.proven(options.limits.greeting()) => proven,
        () = stopped.wait() => return,
    };
    let served = match wire {
        Ok(wire) => {
            let service = GrpcService::new(served, &options, wire.peer().clone());
            rpc_http::serve(wire, &options.limits, service, stopped).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection could not be served");
    }
}

impl Binding for Serving {
    fn serve(
        self: Box<Self>,
        served: Served,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>> {
        Box::pin(self.run(served))
    }

    fn carries(&self, _method: &MethodDescriptor) -> Result<(), Status> {
        // All five kinds.
        Ok(())
    }
}
