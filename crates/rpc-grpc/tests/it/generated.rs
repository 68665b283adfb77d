//! Services that tonic generated, mounted beside others and behind the same policies.

use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::watchdog;
use rpc_core::layers::{Authenticate, Authorize};
use rpc_core::{Code, Comparison, Context, Peer, Principal, Router, Server, ServiceDescriptor};
use rpc_grpc::Generated;
use rpc_testkit::generated::{FILE_DESCRIPTOR_SET, stock_server::StockServer};
use rpc_testkit::generated_shop::GeneratedShop;
use rpc_testkit::inventory::{StockClient, item};
use rpc_testkit::table;

const NAME: &str = "inventory.v1.Stock";

fn router() -> Router {
    let service = StockServer::new(GeneratedShop::default());
    let mounted = Generated::new(service, NAME, FILE_DESCRIPTOR_SET);
    Router::new().service(mounted.expect("it is in the set"))
}

#[test]
fn the_generated_contract_is_the_one_that_is_emitted() {
    use rpc_core::Dispatch;
    let own = rpc_testkit::inventory::StockServer::new(std::sync::Arc::default());
    let file = include_str!("../../../rpc-testkit/proto/inventory.proto");
    assert_eq!(own.descriptor().proto().trim(), file.trim());
    let read = ServiceDescriptor::parse(FILE_DESCRIPTOR_SET, NAME).expect("it is in the set");
    let comparison = own.descriptor().contract().compare(read.contract());
    // A `.proto` cannot say oneway.
    let Comparison::Incompatible(reasons) = &comparison else {
        panic!("{comparison}");
    };
    assert!(
        reasons.len() == 1 && reasons[0].contains("Note"),
        "{comparison}"
    );
}

#[tokio::test]
async fn a_generated_service_passes_the_table() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::router(router(), plain());
    table::of_the_inventory(served.connect().await, "g").await;
    served.stop().await;
    // And without a wire.
    let stock = StockClient::new(router());
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
}

#[tokio::test]
async fn a_generated_service_stands_behind_the_policies() {
    let _watchdog = watchdog(PATIENCE);
    let server = Server::new(router())
        .layer(Authorize::new().allow("inventory.v1.Stock/Get", ["reader"]))
        .layer(Authenticate::by(|peer, _| match peer {
            Peer::Unix(_) => Some(Principal::new("somebody of this host", ["reader"])),
            _ => None,
        }));
    let served = Served::server(server, plain());
    let stock = StockClient::new(served.connect().await);
    let cx = Context::new();
    let denied = stock.put(&cx, item("a", 1)).await.expect_err("not allowed");
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert!(denied.did_not_run());
    let missing = stock
        .get(&cx, "a".into())
        .await
        .expect_err("allowed, and empty");
    assert_eq!(missing.code(), Code::NotFound);
    served.stop().await;
}
