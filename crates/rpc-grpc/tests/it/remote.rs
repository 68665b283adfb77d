//! Servers in processes of their own.

use crate::shop::{plain, router};
use ipc_testkit::{Child, Role, Stage, TempDir};
use rpc_core::Server;
use rpc_grpc::Connection;
use rpc_grpc::health::{HealthReporter, ServingStatus};
use std::sync::Arc;

/// A server: the arguments are its string binding, and whether it is well.
pub(crate) fn serve(mut stage: Stage) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let ready = stage.descriptor();
    runtime.block_on(async {
        let serving = plain().bind(stage.argument(0)).expect("bind");
        let health = HealthReporter::new();
        if stage.argument(1) != "well" {
            health.set("", ServingStatus::NotServing);
        }
        let router = router(&Arc::default()).service(health.service());
        let server = Server::new(router).with(serving).expect("it carries all");
        // Its end is the word that it listens.
        drop(ready);
        server.run().await.expect("it serves until it is killed");
    });
}

/// A server in another process, and where it is.
pub(crate) struct Remote {
    pub(crate) server: Child,
    pub(crate) endpoint: String,
    _directory: TempDir,
}

impl Remote {
    pub(crate) fn start(health: &str) -> Self {
        let directory = TempDir::new();
        let endpoint = format!("unix:{}", directory.join("socket").display());
        let (told, tell) = ipc_uds::pair().expect("a pair");
        let server = Role::new("server")
            .argument(&endpoint)
            .argument(health)
            .descriptor(&tell)
            .spawn();
        drop(tell);
        told.recv(&mut [0; 1]).expect_err("it listens");
        Self {
            server,
            endpoint,
            _directory: directory,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        plain().connect(&self.endpoint).await.expect("it listens")
    }
}
