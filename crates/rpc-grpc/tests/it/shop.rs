//! A shop served by gRPC, for the tests.

use ipc_testkit::TempDir;
use rpc_core::{Channel, Router, Server, Status};
use rpc_grpc::{Connection, Options};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::inventory::{Shop, StockServer};
use rpc_transport::{Endpoint, Stopper};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// After this long a test that hangs is ended.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A server in a task of this process.
pub(crate) struct Served {
    pub(crate) endpoint: String,
    pub(crate) shop: Arc<Shop>,
    pub(crate) stopper: Stopper,
    pub(crate) task: JoinHandle<Result<(), Status>>,
    pub(crate) options: Options,
    _dir: TempDir,
}

/// The services of the shop.
pub(crate) fn router(shop: &Arc<Shop>) -> Router {
    Router::new()
        .service(StockServer::new(Arc::clone(shop)))
        .service(CalculatorServer::new(Adder))
}

/// What allows TCP on this host.
pub(crate) fn plain() -> Options {
    let mut transport = rpc_transport::Options::new();
    transport.insecure_plain_text(true);
    Options::new().transport(transport).clone()
}

impl Served {
    /// Over a Unix socket.
    pub(crate) fn unix(options: Options) -> Self {
        let dir = TempDir::new();
        let endpoint = format!("unix:{}", dir.join("grpc.sock").display());
        Self::at(&endpoint, options, dir)
    }

    /// Over TCP on this host.
    pub(crate) fn tcp(options: Options) -> Self {
        Self::at("tcp:127.0.0.1:0", options, TempDir::new())
    }

    /// Over a Unix socket, with these services.
    pub(crate) fn router(router: Router, options: Options) -> Self {
        Self::server(Server::new(router), options)
    }

    /// Over a Unix socket, with these services and the layers around them.
    pub(crate) fn server<S: Channel>(server: Server<S>, options: Options) -> Self {
        let dir = TempDir::new();
        let endpoint = format!("unix:{}", dir.join("grpc.sock").display());
        Self::of(server, Arc::default(), &endpoint, options, dir)
    }

    /// At this endpoint.
    pub(crate) fn listen<S: Channel>(server: Server<S>, endpoint: &str, options: Options) -> Self {
        Self::of(server, Arc::default(), endpoint, options, TempDir::new())
    }

    fn at(endpoint: &str, options: Options, dir: TempDir) -> Self {
        let shop = Arc::new(Shop::default());
        let server = Server::new(router(&shop));
        Self::of(server, shop, endpoint, options, dir)
    }

    fn of<S: Channel>(
        server: Server<S>,
        shop: Arc<Shop>,
        endpoint: &str,
        options: Options,
        dir: TempDir,
    ) -> Self {
        let serving = options.bind(endpoint).expect("a free endpoint");
        let endpoint = serving.endpoint().expect("an endpoint");
        let endpoint = match endpoint {
            Endpoint::Unix(path) => format!("unix:{}", path.display()),
            other => other.to_string(),
        };
        let stopper = serving.stopper();
        let server = server.with(serving).expect("all kinds are carried");
        Self {
            endpoint,
            shop,
            stopper,
            task: tokio::spawn(server.run()),
            options,
            _dir: dir,
        }
    }

    /// A client of it.
    pub(crate) async fn connect(&self) -> Connection {
        self.options
            .connect(&self.endpoint)
            .await
            .expect("it listens")
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) {
        self.stopper.stop();
        self.task.await.expect("no panic").expect("an orderly end");
    }
}
