//! Servers at hand: in this process, at any place, started again.

use crate::ledger::Book;
use crate::remote::{Remote, options, router};
use ipc_testkit::{Child, Role};
use rpc_core::Server;
use rpc_udp::{Connection, Limits};
use std::net::SocketAddr;
use std::time::Duration;

/// A guard against hanging, never a claim about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

impl Remote {
    pub(crate) fn start() -> Self {
        Self::at("udp:127.0.0.1:0", Role::spawn)
    }

    /// A server at this place, started by `spawn`.
    pub(crate) fn at(place: &str, spawn: impl FnOnce(Role) -> Child) -> Self {
        Self::told(Role::new("server").argument(place).argument(""), spawn)
    }

    /// Kills it, and starts another at the same place.
    pub(crate) fn start_again(&mut self) {
        self.server.kill();
        self.server.wait_dead();
        *self = Self::at(&self.endpoint, Role::spawn);
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
