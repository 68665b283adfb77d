//! What is registered, who sees it, and what is refused.

use crate::processes::{PATIENCE, place};
use futures_util::StreamExt;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Code, Context, Router, Server, Status, service};
use rpc_registry::{Discovered, Embedded, Entry, MAX_TEXT_BYTES, Registry};
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockClient, StockServer, item};
use rpc_transport::Pick;
use std::sync::Arc;

fn entry(endpoint: &str) -> (Entry, String) {
    let contract = STOCK_SERVICE.contract().text();
    (Entry::new(&STOCK_SERVICE, endpoint), contract)
}

#[tokio::test]
async fn an_entry_is_there_for_all_until_its_lease_is_dropped() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let (one, other) = (
        Embedded::at(place(&directory)),
        Embedded::at(place(&directory)),
    );
    assert_eq!(one.look_up("").await, Ok(vec![]));
    assert!(one.is_host());
    let mut seen = other.watch("inventory.v1.Stock");
    assert_eq!(seen.next().await.expect("it never ends").entries, []);
    assert!(!other.is_host(), "there is one already");
    let (first, contract) = entry("unix:/run/a");
    let mut lease = Some(other.register(first, contract).await.expect("registered"));
    let seen_now = seen.next().await.expect("it never ends");
    assert_eq!(seen_now.entries.len(), 1);
    let known = &one.look_up("inventory.v1.Stock").await.expect("an answer")[0];
    assert_eq!(known, &seen_now.entries[0]);
    // By the kernel, whatever was said.
    assert_eq!(known.pid, std::process::id());
    assert_eq!(known.uid, rustix::process::geteuid().as_raw());
    assert_eq!(one.look_up("another.v1.Service").await, Ok(vec![]));
    let text = one.contract_of(known.fingerprint.clone()).await;
    assert_eq!(text, Ok(STOCK_SERVICE.contract().text()));
    lease.take();
    assert_eq!(seen.next().await.expect("it never ends").entries, []);
}

#[tokio::test]
async fn what_is_no_entry_is_refused_and_says_why() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let registry = Embedded::at(place(&directory));
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    let change = |change: &dyn Fn(&mut Entry, &mut String)| {
        let (mut entry, mut contract) = entry("unix:/run/a");
        change(&mut entry, &mut contract);
        (entry, contract)
    };
    for (wrong, expected) in [
        (change(&|entry, _| entry.service.clear()), "names a service"),
        (
            change(&|entry, _| entry.endpoint = "nowhere".into()),
            "string binding",
        ),
        (
            change(&|entry, _| entry.endpoint = "udp:nowhere".into()),
            "rpc-udp",
        ),
        (
            change(&|entry, _| entry.note.clone_from(&long)),
            "4,096 bytes",
        ),
        (
            change(&|_, contract| contract.push_str("method X = unary A -> B\n")),
            "fingerprint",
        ),
        (change(&|_, contract| contract.clear()), "fingerprint"),
    ] {
        let refused = registry
            .register(wrong.0, wrong.1)
            .await
            .expect_err(expected);
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(expected), "{refused}");
    }
    let exactly = change(&|entry, _| entry.note = "x".repeat(MAX_TEXT_BYTES));
    registry
        .register(exactly.0, exactly.1)
        .await
        .expect("within the limit");
    for place in ["udp:localhost:7000", "rpc+udp:[::1]:7000", "grpc+tcp:h:7"] {
        let place = change(&|entry, _| entry.endpoint = place.into());
        let lease = registry.register(place.0, place.1).await;
        lease.expect("servers of every transport are registered");
    }
    let nobody = registry.contract_of(vec![1]).await.expect_err("unknown");
    assert_eq!(nobody.code(), Code::NotFound);
    let nowhere = Embedded::at(directory.join("no such folder/registry"));
    let nowhere = nowhere
        .look_up("")
        .await
        .expect_err("no place for a socket");
    assert_eq!(nowhere.code(), Code::FailedPrecondition, "{nowhere}");
    assert!(nowhere.message().contains("no such folder"), "{nowhere}");
}

mod changed {
    use super::{Context, Status, service};

    /// The inventory as another version has it: a get by number.
    #[service(name = "inventory.v1.Stock")]
    pub(super) trait Stock {
        async fn get(&self, cx: &Context, number: u64) -> Result<u64, Status>;
    }
}

#[tokio::test]
async fn a_server_that_is_not_understood_is_left_out_and_calls_say_why() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let registry = Embedded::at(place(&directory));
    let endpoint = format!("unix:{}", directory.join("socket").display());
    let serving = rpc_native::bind(&endpoint).expect("a free place");
    let router = Router::new().service(StockServer::new(Arc::new(Shop::default())));
    tokio::spawn(
        Server::new(router)
            .with(serving)
            .expect("it carries all")
            .run(),
    );
    let connect = |endpoint: String| async move { rpc_native::connect(&endpoint).await };
    let servers = Discovered::new(registry.clone(), &STOCK_SERVICE, Pick::RoundRobin, connect);
    let stock = StockClient::new(servers.clone());
    let cx = Context::new();
    let nobody = stock
        .put(&cx, item("a", 1))
        .await
        .expect_err("nobody is there");
    assert_eq!(nobody.code(), Code::Unavailable);
    assert!(nobody.did_not_run());

    let other = Entry::new(&changed::STOCK_SERVICE, &endpoint);
    let contract = changed::STOCK_SERVICE.contract().text();
    let lease = registry
        .register(other, contract)
        .await
        .expect("registered");
    let refused = loop {
        let refused = stock
            .put(&cx, item("a", 1))
            .await
            .expect_err("another contract");
        match refused.code() {
            Code::Unavailable => tokio::task::yield_now().await,
            _ => break refused,
        }
    };
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused
            .message()
            .contains("field inventory.v1.StockGetRequest 1"),
        "{refused}"
    );

    let (good, contract) = entry(&endpoint);
    let _good = registry.register(good, contract).await.expect("registered");
    while servers.known() != Some(1) {
        tokio::task::yield_now().await;
    }
    assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(1));
    drop(lease);
    assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(2));
}
