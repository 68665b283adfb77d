//! The table of cases, over every transport.

use crate::shop::{PATIENCE, Served, plain, router};
use crate::spy::Spy;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Code, Context, Peer, Server};
use rpc_grpc::Options;
use rpc_testkit::identities::{CLERK, Identities, side};
use rpc_testkit::inventory::StockClient;
use rpc_testkit::table;
use std::sync::Arc;

#[tokio::test]
async fn every_case_of_the_table_over_a_unix_socket() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    table::of_the_inventory(served.connect().await, "unix").await;
    table::of_the_calculator(served.connect().await).await;
    served.stop().await;
}

#[tokio::test]
async fn every_case_of_the_table_over_shared_memory() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let place = format!("shm:{}", directory.join("socket").display());
    let server = Server::new(router(&Arc::default()));
    let served = Served::listen(server, &place, plain());
    table::of_the_inventory(served.connect().await, "shm").await;
    table::of_the_calculator(served.connect().await).await;
    served.stop().await;
}

#[tokio::test]
async fn every_case_of_the_table_over_tcp() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::tcp(plain());
    table::of_the_inventory(served.connect().await, "tcp").await;
    table::of_the_calculator(served.connect().await).await;
    served.stop().await;
}

#[tokio::test]
async fn every_case_of_the_table_over_tls_and_mutual_tls() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for (scheme, shown) in [("tls", None), ("mtls", Some("clerk"))] {
        let server = side(identities.path(), Some("server"), shown.is_some());
        let server = Options::new().transport(server).clone();
        let spy = Spy::new();
        let services = Server::new(router(&Arc::default())).layer(spy.clone());
        let served = Served::listen(services, &format!("{scheme}:127.0.0.1:0"), server);
        let client = Options::new().transport(identities.client(shown)).clone();
        let connection = client
            .connect(&served.endpoint)
            .await
            .expect("a good certificate");
        table::of_the_inventory(connection.clone(), scheme).await;
        table::of_the_calculator(connection).await;
        let peer = spy.last().peer().clone();
        match shown {
            Some(_) => assert_eq!(peer, Peer::Tls([CLERK.to_owned()].into())),
            None => assert!(!matches!(peer, Peer::Tls(ref names) if !names.is_empty())),
        }
        if shown.is_some() {
            let nobody = Options::new().transport(identities.client(None)).clone();
            let refused = match nobody.connect(&served.endpoint).await {
                Ok(connection) => {
                    let stock = StockClient::new(connection);
                    stock
                        .get(&Context::new(), "a".into())
                        .await
                        .expect_err("nobody")
                }
                Err(status) => status,
            };
            let codes = [
                Code::Unavailable,
                Code::PermissionDenied,
                Code::InvalidArgument,
            ];
            assert!(codes.contains(&refused.code()), "{refused}");
        }
        served.stop().await;
    }
}
