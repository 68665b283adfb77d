//! Processes with a part in a registry.

use ipc_testkit::{Child, Role, Stage, TempDir};
use rpc_core::{Router, Server};
use rpc_registry::{Embedded, Entry, Registry};
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockServer};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A guard against hanging, never a claim about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Where the registry of a test is.
pub(crate) fn place(directory: &TempDir) -> PathBuf {
    directory.join("the registry")
}

/// A server that registers itself: argument 0 is the registry, 1 its own string binding.
pub(crate) fn shop(mut stage: Stage) {
    run(async {
        let endpoint = stage.argument(1).to_owned();
        let router = Router::new().service(StockServer::new(Arc::new(Shop::default())));
        let serving = rpc_native::bind(&endpoint).expect("a free place");
        let server = Server::new(router).with(serving).expect("it carries all");
        let registry = Embedded::at(stage.argument(0));
        let entry = Entry::new(&STOCK_SERVICE, &endpoint);
        let contract = STOCK_SERVICE.contract().text();
        let _lease = registry
            .register(entry, contract)
            .await
            .expect("registered");
        tell(stage.descriptor());
        server.run().await.expect("it serves until it is killed");
    });
}

/// A process that only keeps the registry going.
pub(crate) fn member(mut stage: Stage) {
    run(async {
        let registry = Embedded::at(stage.argument(0));
        registry.look_up("").await.expect("an answer");
        tell(stage.descriptor());
        std::future::pending::<()>().await;
    });
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work);
}

fn tell(to: OwnedFd) {
    std::fs::File::from(to)
        .write_all(b"!")
        .expect("somebody listens");
}

/// Starts a part and waits for its word.
pub(crate) fn start(part: &str, registry: &Path, endpoint: &str) -> Child {
    let (mut told, tell) = std::io::pipe().expect("a pipe");
    let role = Role::new(part)
        .argument(registry.display())
        .argument(endpoint);
    let child = role.descriptor(&tell).spawn();
    drop(tell);
    told.read_exact(&mut [0]).expect("its word");
    child
}
