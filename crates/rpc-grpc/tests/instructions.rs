//! What a call costs in instructions, beside the same call by plain tonic.

use hyper_util::rt::TokioIo;
use ipc_testkit::Instructions;
use rpc_core::{Context, Router, Server};
use rpc_grpc::Options;
use rpc_testkit::generated::stock_client::StockClient as TonicClient;
use rpc_testkit::generated::stock_server::StockServer as TonicServer;
use rpc_testkit::generated::{Item, StockPutRequest};
use rpc_testkit::generated_shop::GeneratedShop;
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use rpc_transport::Wire;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;

const SKU: &str = "hammer";

#[test]
fn a_call_costs_what_it_costs_by_tonic() {
    if let Some((kind, calls)) = Instructions::part() {
        return counted(&kind, calls);
    }
    let _watchdog = ipc_testkit::watchdog(Duration::from_secs(550));
    let test = "a_call_costs_what_it_costs_by_tonic";
    let instructions = match Instructions::of(env!("CARGO_MANIFEST_DIR"), test) {
        Ok(instructions) => instructions,
        Err(why) => ipc_testkit::skip!("{why}"),
    };
    let (ours, tonic) = instructions.compare("ours", "tonic", 105);
    println!("instructions of a call on both sides: {ours} here, {tonic} by tonic");
    assert!(
        ours * 100 <= tonic * 105,
        "{ours} instructions here, {tonic} by tonic"
    );
}

/// Makes so many calls in this process, whose two sides are one thread.
fn counted(kind: &str, calls: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        match kind {
            "ours" => ours(calls).await,
            _ => tonic(calls).await,
        }
    });
}

async fn ours(calls: u32) {
    let (near, far) = Wire::pair().expect("a pair");
    let served =
        Server::new(Router::new().service(StockServer::new(Arc::<Shop>::default()))).served();
    tokio::spawn(async move { Options::new().serve(far, served).await });
    let connection = Options::new().over(near).await.expect("greeted");
    let stock = StockClient::new(connection);
    for number in 1..=calls {
        let count = stock.put(&Context::background(), item(SKU, 1)).await;
        assert_eq!(count, Ok(number));
    }
}

async fn tonic(calls: u32) {
    let (near, far) = UnixStream::pair().expect("a pair");
    let service = TonicServer::new(GeneratedShop::default());
    let incoming = futures_util::stream::iter([io::Result::Ok(far)]);
    let incoming = futures_util::StreamExt::chain(incoming, futures_util::stream::pending());
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    let mut once = Some(TokioIo::new(near));
    let dial = tower::service_fn(move |_| {
        let taken = once
            .take()
            .ok_or(io::Error::from(io::ErrorKind::NotConnected));
        std::future::ready(taken)
    });
    let target = tonic::transport::Endpoint::from_static("http://localhost");
    let channel = target.connect_with_connector(dial).await;
    let mut stock = TonicClient::new(channel.expect("connected"));
    for number in 1..=calls {
        let item = Some(Item {
            sku: SKU.to_owned(),
            count: 1,
        });
        let count = stock.put(StockPutRequest { item }).await;
        assert_eq!(count.expect("put").into_inner(), number);
    }
}
