//! Servers in processes of their own.

use ipc_testkit::{Child, Role, Stage, TempDir};
use rpc_core::{Router, Server};
use rpc_native::{Connection, Format, Options};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::inventory::{Shop, StockClient, StockServer};
use std::sync::Arc;
use std::time::Duration;

/// A guard against hanging, never a claim about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn router() -> Router {
    Router::new()
        .service(StockServer::new(Arc::new(Shop::default())))
        .service(CalculatorServer::new(Adder))
}

/// A server: the argument is its string binding.
pub(crate) fn serve(mut stage: Stage) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let ready = stage.descriptor();
    runtime.block_on(async {
        let serving = rpc_native::bind(stage.argument(0)).expect("bind");
        let server = Server::new(router()).with(serving).expect("it carries all");
        // Its end is the word that it listens.
        drop(ready);
        server.run().await.expect("it serves until it is killed");
    });
}

/// A server without a runtime.
pub(crate) fn serve_blocking(mut stage: Stage) {
    let ready = stage.descriptor();
    let served = Server::new(Router::new().service(CalculatorServer::new(Adder))).served();
    let listener = Options::new().bind_blocking(stage.argument(0), served);
    let listener = listener.expect("bind");
    drop(ready);
    loop {
        let session = listener.accept().expect("a client");
        std::thread::spawn(move || session.run());
    }
}

/// A server in another process, and where it is.
pub(crate) struct Remote {
    pub(crate) server: Child,
    pub(crate) endpoint: String,
    _directory: TempDir,
}

impl Remote {
    pub(crate) fn start(role: &str) -> Self {
        Self::start_over(role, "unix")
    }

    /// A server over a transport that is reached by a path.
    pub(crate) fn start_over(role: &str, scheme: &str) -> Self {
        let directory = TempDir::new();
        let endpoint = format!("{scheme}:{}", directory.join("socket").display());
        Self {
            server: Self::spawn(role, &endpoint),
            endpoint,
            _directory: directory,
        }
    }

    /// Another server at the same place.
    pub(crate) fn start_again(&mut self, role: &str) {
        self.server = Self::spawn(role, &self.endpoint);
    }

    fn spawn(role: &str, endpoint: &str) -> Child {
        let (told, tell) = ipc_uds::pair().expect("a pair");
        let server = Role::new(role).argument(endpoint).descriptor(&tell).spawn();
        drop(tell);
        let end = told.recv(&mut [0; 1]).expect_err("it listens");
        assert_eq!(end.kind(), ipc_core::ErrorKind::Closed);
        server
    }

    pub(crate) async fn connection(&self, format: Format) -> Connection {
        let connection = Options::new().format(format).connect(&self.endpoint).await;
        connection.expect("it listens")
    }

    pub(crate) async fn connect(&self, format: Format) -> StockClient<Connection> {
        StockClient::new(self.connection(format).await)
    }
}
