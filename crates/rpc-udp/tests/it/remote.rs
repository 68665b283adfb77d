//! Servers in processes of their own.

use crate::ledger::{Book, LedgerServer};
use ipc_testkit::{Child, Role, Stage};
use rpc_core::{Code, Router, Server};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::inventory::{Shop, StockServer};
use rpc_udp::Options;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

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
        // Started again, it waits where somebody else was given its port for a moment.
        let serving = loop {
            match options().bind(stage.argument(0)) {
                Err(status) if status.code() == Code::AlreadyExists => {
                    tokio::task::yield_now().await
                }
                made => break made.expect("bind"),
            }
        };
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
    /// The role, once it has told where it is.
    pub(crate) fn told(role: Role, spawn: impl FnOnce(Role) -> Child) -> Self {
        let (told, tell) = std::io::pipe().expect("a pipe");
        let server = spawn(role.descriptor(&tell));
        drop(tell);
        let endpoint = std::io::read_to_string(told).expect("its place");
        assert!(endpoint.starts_with("udp:"), "it listens");
        Self { server, endpoint }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.endpoint.strip_prefix("udp:").expect("the scheme");
        address.parse().expect("an address")
    }
}
