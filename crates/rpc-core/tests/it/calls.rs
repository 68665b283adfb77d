//! What a call means: every kind of method, deadlines, panics, nested calls.

use futures_util::stream;
use rpc_core::{Code, Context, Payload, Router, Streaming, block_on};
use rpc_testkit::calculator::{Adder, CalculatorServer};
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockClient, StockServer, item};
use rpc_testkit::table;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn shop() -> (Arc<Shop>, StockClient<Router>) {
    let shop = Arc::new(Shop::default());
    let router = Router::new().service(StockServer::new(Arc::clone(&shop)));
    (shop, StockClient::new(router))
}

#[test]
fn every_kind_of_method_answers_without_a_runtime() {
    let shop = Arc::new(Shop::default());
    let router = Router::new()
        .service(StockServer::new(Arc::clone(&shop)))
        .service(CalculatorServer::new(Adder));
    block_on(async {
        table::of_the_inventory(router.clone(), "a").await;
        table::of_the_calculator(router).await;
    });
    assert_eq!(*shop.notes.lock().expect("no panic"), ["hello"]);
}

#[test]
fn a_handler_that_panics_answers_internal_and_the_next_call_works() {
    let (_, stock) = shop();
    block_on(async {
        let cx = Context::new();
        let error = stock.get(&cx, "panic".into()).await.expect_err("it panics");
        assert_eq!(error.code(), Code::Internal);
        assert_eq!(stock.put(&cx, item("a1", 2)).await, Ok(2));
    });
}

#[test]
fn a_deadline_ends_a_call_with_and_without_a_runtime() {
    let (_, stock) = shop();
    let call = async || {
        let cx = Context::new().timeout(Duration::from_millis(5));
        let outcome = stock.get(&cx, "never".into()).await;
        assert_eq!(outcome.expect_err("never").code(), Code::DeadlineExceeded);
        let late = stock.get(&cx, "a".into()).await.expect_err("too late");
        assert!(late.did_not_run());
    };
    block_on(call());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(call());
}

#[test]
fn a_deadline_ends_streams_that_never_pause_and_streams_that_never_come() {
    let outlived = async |mut numbers: Streaming<u64>| {
        loop {
            let ended = match numbers.next().await.expect("an error ends it") {
                Ok(_) => continue,
                Err(status) => status.code(),
            };
            assert_eq!(ended, Code::DeadlineExceeded);
            assert_eq!(numbers.next().await, None);
            return;
        }
    };
    let call = async || {
        let soon = || Some(Instant::now() + Duration::from_millis(5));
        let endless = stream::repeat_with(|| Ok(Payload::of(7_u64)));
        outlived(Streaming::new(Box::pin(endless), soon())).await;
        outlived(Streaming::new(Box::pin(stream::pending()), soon())).await;
    };
    block_on(call());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(call());
}

#[test]
fn the_descriptor_has_what_the_trait_says() {
    let methods = STOCK_SERVICE.methods();
    let names: Vec<_> = methods.iter().map(|method| method.name).collect();
    assert_eq!(names, ["Get", "Put", "Fill", "List", "Look", "Note"]);
    assert_eq!(methods[0].deadline, Some(Duration::from_secs(60)));
    assert_eq!(methods[0].http, Some("GET /v1/items/{sku}"));
    assert_eq!(methods[1].roles, ["clerk"]);
    assert!(methods[0].idempotency.may_repeat() && !methods[1].idempotency.may_repeat());
    assert_eq!(methods[0].doc, "Looks up one item.");
    println!("{}", STOCK_SERVICE.contract().text());
}
