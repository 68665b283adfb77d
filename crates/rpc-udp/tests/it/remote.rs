//! Servers in processes of their own.

use crate::ledger::{Book, LedgerServer};
use ipc_testkit::{Child, Role, Stage};
use rpc_core::{Router, Server};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::inventory::{Shop, StockServer};
use rpc_udp::{Connection, Limits, Options};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A guard against hanging, never a claim about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) fn router(book: Book) -> Router {
    Router::new()
        .service(StockServer::new(Arc::new(Shop::default())))
        .service(CalculatorServer::new(Adder))
        .service(LedgerServer::new(book))
}

/// A server: the arguments are its string binding and its life, where it writes a log; it tells
/// where it is.
pub(crate) fn serve(mut stage: Stage) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let told = stage.descriptor();
    let life = stage.argument(1).to_owned();
    let book = match &life[..] {
        "" => Book::default(),
        life => Book::logging(stage.descriptor().into(), life),
    };
    runtime.block_on(async {
        let serving = options().bind(stage.argument(0)).expect("bind");
        let place = serving.endpoint().expect("bound");
        let server = Server::new(router(book))
            .with(serving)
            .expect("a part of it");
        let mut told = std::fs::File::from(told);
        told.write_all(place.as_bytes()).expect("somebody reads");
        drop(told);
        server.run().await.expect("it serves until it is killed");
    });
}

/// What the tests' clients and servers have in common.
pub(crate) fn options() -> Options {
    let mut options = Options::new();
    options.insecure_plain_text(true).partial_contracts(true);
    options
}

/// A server in another process, and where it is.
pub(crate) struct Remote {
    pub(crate) server: Child,
    pub(crate) endpoint: String,
}

impl Remote {
    pub(crate) fn start() -> Self {
        Self::at("udp:127.0.0.1:0", Role::spawn)
    }

    /// A server at this place, started by `spawn`.
    pub(crate) fn at(place: &str, spawn: impl FnOnce(Role) -> Child) -> Self {
        Self::told(Role::new("server").argument(place).argument(""), spawn)
    }

    /// The role, once it has told where it is.
    fn told(role: Role, spawn: impl FnOnce(Role) -> Child) -> Self {
        let (told, tell) = std::io::pipe().expect("a pipe");
        let server = spawn(role.descriptor(&tell));
        drop(tell);
        let endpoint = std::io::read_to_string(told).expect("its place");
        assert!(endpoint.starts_with("udp:"), "it listens");
        Self { server, endpoint }
    }

    /// A server that writes each entry to `log`, after its number among the servers.
    pub(crate) fn logging(place: &str, life: u64, log: &std::fs::File) -> Self {
        let role = Role::new("server").argument(place).argument(life);
        Self::told(role, |role| role.descriptor(log).spawn())
    }

    /// Kills it, and starts another at the same place.
    pub(crate) fn start_again(&mut self) {
        self.server.kill();
        self.server.wait_dead();
        *self = Self::at(&self.endpoint, Role::spawn);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.endpoint.strip_prefix("udp:").expect("the scheme");
        address.parse().expect("an address")
    }

    pub(crate) async fn connect(&self) -> Connection {
        options().connect(&self.endpoint).await.expect("it listens")
    }
}

/// A runtime of this test's own.
pub(crate) fn block_on<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// A server within this process, in threads of its own.
pub(crate) struct Here {
    pub(crate) place: String,
    pub(crate) counted: rpc_udp::Counted,
    _runtime: tokio::runtime::Runtime,
}

impl Here {
    pub(crate) fn serve(limits: &Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let _inside = runtime.enter();
        let serving = options()
            .limits(limits.clone())
            .bind("udp:127.0.0.1:0")
            .expect("bind");
        let place = serving.endpoint().expect("bound");
        let counted = serving.counted();
        let server = Server::new(router(Book::default())).with(serving);
        runtime.spawn(server.expect("a part of it").run());
        Self {
            place,
            counted,
            _runtime: runtime,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.place.strip_prefix("udp:").expect("the scheme");
        address.parse().expect("an address")
    }
}
