//! Every kind of call between two processes, and what a client sees when the server dies.

use crate::remote::{PATIENCE, Remote};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context};
use rpc_native::Format;
use rpc_testkit::inventory::item;
use rpc_testkit::table;

#[tokio::test]
async fn every_kind_of_call_reaches_another_process_in_every_format() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("server");
    for (format, prefix) in [(Format::Protobuf, "p"), (Format::Json, "j")] {
        table::of_the_inventory(remote.connection(format).await, prefix).await;
    }
}

#[tokio::test]
async fn a_killed_server_ends_every_call_and_the_connection() {
    let _watchdog = watchdog(PATIENCE);
    for scheme in ["unix", "shm"] {
        is_killed(&Remote::start_over("server", scheme)).await;
    }
}

async fn is_killed(remote: &Remote) {
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
