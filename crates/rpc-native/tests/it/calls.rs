//! Every kind of call between two processes, and what a client sees when the server dies.

use crate::remote::{PATIENCE, Remote, item};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, items};
use rpc_native::Format;
use std::time::Duration;

#[tokio::test]
async fn every_kind_of_call_reaches_another_process_in_every_format() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    for (format, prefix) in [(Format::Protobuf, "p"), (Format::Json, "j")] {
        let stock = remote.connect(format).await;
        let cx = Context::new();
        let [one, two, three] = [1, 2, 3].map(|n| format!("{prefix}{n}"));
        assert_eq!(stock.put(&cx, item(&one, 2)).await, Ok(2));
        assert_eq!(stock.get(&cx, one.clone()).await, Ok(item(&one, 2)));
        let missing = stock.get(&cx, "none".into()).await.expect_err("not there");
        assert_eq!(missing.code(), Code::NotFound);
        assert_eq!(missing.message(), "no item `none`");
        let many = stock
            .fill(&cx, items([item(&two, 1), item(&three, 1)]))
            .await;
        assert_eq!(many, Ok(2));
        let mut list = stock.list(&cx, prefix.into()).await.expect("a stream");
        for (name, count) in [(&one, 2), (&two, 1), (&three, 1)] {
            assert_eq!(list.next().await, Some(Ok(item(name, count))));
        }
        assert_eq!(list.next().await, None);
        let names = items([two.clone(), "none".to_owned()]);
        let mut look = stock.look(&cx, names).await.expect("a stream");
        assert_eq!(look.next().await, Some(Ok(item(&two, 1))));
        let error = look.next().await.expect("an item").expect_err("not there");
        assert_eq!(error.code(), Code::NotFound);
        stock.note(&cx, "hello".into()).await.expect("sent");
        let error = stock.get(&cx, "panic".into()).await.expect_err("it panics");
        assert_eq!(error.code(), Code::Internal);
        let short = Context::new().timeout(Duration::from_millis(20));
        let error = stock.get(&short, "never".into()).await.expect_err("never");
        assert_eq!(error.code(), Code::DeadlineExceeded);
        assert_eq!(stock.get(&cx, one.clone()).await, Ok(item(&one, 2)));
    }
}

#[tokio::test]
async fn a_killed_server_ends_every_call_and_the_connection() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let stock = remote.connect(Format::Protobuf).await;
    let cx = Context::new();
    let never = stock.get(&cx, "never".into());
    tokio::pin!(never);
    // It is under way when a call behind it has answered.
    tokio::select! {
        biased;
        _ = &mut never => unreachable!("nobody answers it"),
        put = stock.put(&cx, item("a", 1)) => assert_eq!(put, Ok(1)),
    }
    remote.server.kill();
    let error = never.await.expect_err("the server is dead");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!error.did_not_run(), "it may have run");
    let error = stock.put(&cx, item("a", 1)).await.expect_err("dead");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.did_not_run(), "this one never left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_a_connection() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    let stock = remote.connect(Format::Protobuf).await;
    let callers: Vec<_> = (0..256)
        .map(|caller| {
            let stock = stock.clone();
            tokio::spawn(async move {
                let sku = format!("sku{caller}");
                for round in 1..=20 {
                    let put = stock.put(&Context::new(), item(&sku, 1)).await;
                    assert_eq!(put, Ok(round));
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic");
    }
}
