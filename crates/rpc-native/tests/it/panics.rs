//! A handler that panics, of each kind of method: its call answers INTERNAL, and its server lives.

use crate::remote::{PATIENCE, Remote};
use ipc_testkit::watchdog;
use rpc_core::{Channel, Code, Context, Status, block_on, items};
use rpc_native::Format;
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::inventory::item;
use std::fmt::Debug;

fn internal<T: Debug>(outcome: Result<T, Status>) {
    let status = outcome.expect_err("it panics");
    assert_eq!(status.code(), Code::Internal);
    // What it panicked with is nobody's business.
    assert_eq!(status.message(), "the handler panicked");
}

#[tokio::test]
async fn each_kind_of_method_may_panic_on_an_awaited_server() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let stock = remote.connect(Format::Protobuf).await;
    let cx = Context::new();
    let bad = || "panic".to_owned();
    for round in 1..=3 {
        internal(stock.get(&cx, bad()).await);
        internal(stock.put(&cx, item("panic", 1)).await);
        internal(
            stock
                .fill(&cx, items([item("a", 0), item("panic", 1)]))
                .await,
        );
        let mut list = stock.list(&cx, bad()).await.expect("a stream");
        internal(list.next().await.expect("an item"));
        let mut look = stock.look(&cx, items(["a".into(), bad()])).await;
        let look = look.as_mut().expect("a stream");
        assert_eq!(
            look.next().await.expect("an item").map(|item| item.sku),
            Ok("a".into())
        );
        internal(look.next().await.expect("an item"));
        stock.note(&cx, bad()).await.expect("nothing is answered");
        assert_eq!(stock.put(&cx, item("b", 1)).await, Ok(round), "it lives");
    }
}

async fn calculate(small: &CalculatorClient<impl Channel>) {
    let cx = Context::new();
    internal(small.add(&cx, u64::MAX, u64::MAX).await);
    let mut counted = small.count(&cx, u64::MAX).await.expect("a stream");
    internal(counted.next().await.expect("an item"));
    drop(counted);
    small
        .note(&cx, "panic".into())
        .await
        .expect("nothing is answered");
    assert_eq!(small.add(&cx, 2, 3).await, Ok(5), "it lives");
}

#[test]
fn each_kind_of_method_may_panic_on_a_blocking_server() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("blocking-server");
    let small = rpc_native::connect_blocking(&remote.endpoint).expect("connect");
    let small = CalculatorClient::new(small);
    for _ in 0..3 {
        block_on(calculate(&small));
    }
}
