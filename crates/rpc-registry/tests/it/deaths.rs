//! What the death of a server, of the host, and a mere stop do to a registry.

use crate::processes::{PATIENCE, place, start};
use futures_util::StreamExt;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::layers::Retry;
use rpc_core::{Code, Context};
use rpc_registry::{Discovered, Embedded, Registry};
use rpc_testkit::inventory::{STOCK_SERVICE, StockClient};
use rpc_transport::Pick;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Instant;
use tower_layer::Layer;

const SERVICE: &str = "inventory.v1.Stock";

fn endpoint(directory: &TempDir, name: &str) -> String {
    format!("unix:{}", directory.join(name).display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_out_and_a_stopped_one_is_not() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let registry = Embedded::at(place(&directory));
    let mut seen = registry.watch(SERVICE);
    while seen.next().await.expect("it never ends").may_be_more {}
    for round in 0..20 {
        let at = endpoint(&directory, "shop");
        let shop = start("shop", &place(&directory), &at);
        assert_eq!(seen.next().await.expect("it never ends").entries.len(), 1);
        if round == 0 {
            let pid = Pid::from_raw(i32::try_from(shop.id()).expect("a pid")).expect("not 0");
            kill_process(pid, Signal::STOP).expect("our child");
            assert_eq!(registry.look_up(SERVICE).await.expect("an answer").len(), 1);
            kill_process(pid, Signal::CONT).expect("our child");
        }
        let killed = Instant::now();
        shop.kill();
        assert_eq!(seen.next().await.expect("it never ends").entries, []);
        println!("out after {:?}", killed.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_the_host_loses_no_entry_and_no_call() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let host = start("member", &place(&directory), "");
    let shops =
        ["a", "b", "c"].map(|name| start("shop", &place(&directory), &endpoint(&directory, name)));
    let registry = Embedded::at(place(&directory));
    assert_eq!(registry.look_up(SERVICE).await.expect("an answer").len(), 3);
    assert!(!registry.is_host());
    let connect = |endpoint: String| async move { rpc_native::connect(&endpoint).await };
    let servers = Discovered::new(registry.clone(), &STOCK_SERVICE, Pick::RoundRobin, connect);
    let retry = Retry::new().attempts(SERVICE, 3);
    let stock = StockClient::new(retry.layer(servers.clone()));
    let missing = async || {
        stock
            .get(&Context::new(), "a".into())
            .await
            .expect_err("empty")
            .code()
    };
    assert_eq!(missing().await, Code::NotFound);
    let mut host = Some(host);
    // Before, since the next host's time runs from when it sees the death.
    let killed = Instant::now();
    // Who stood still for so long comes back later, as it may; who is back stays.
    let mut back = false;
    let late = |back: bool| !back && killed.elapsed() >= rpc_registry::TAKE_OVER;
    for round in 0..5 {
        if let Some(host) = host.take() {
            host.kill();
            host.wait_dead();
        }
        // All along.
        for _ in 0..50 {
            assert_eq!(missing().await, Code::NotFound);
            assert!(servers.known() == Some(3) || late(back), "round {round}");
        }
        let known = registry.look_up(SERVICE).await.expect("from the next host");
        assert!(known.len() == 3 || late(back), "all are registered again");
        back |= known.len() == 3 && servers.known() == Some(3);
    }
    while registry.look_up(SERVICE).await.expect("an answer").len() != 3 {
        tokio::task::yield_now().await;
    }
    // Whoever is the host now: one of the shops goes, or the host with it.
    let [first, ..] = &shops;
    first.kill();
    first.wait_dead();
    while registry.look_up(SERVICE).await.expect("an answer").len() != 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(missing().await, Code::NotFound);
}

/// All of them, by their names, however often the host changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_never_tells_of_fewer_while_the_host_changes() {
    let _watchdog = watchdog(PATIENCE);
    // Of a server that stood still for as long as the next host waits for it, it may tell later.
    while !the_change_was_seen_in_time().await {}
}

/// Whether nobody was missing, or else too long ago for who stood still.
async fn the_change_was_seen_in_time() -> bool {
    let directory = TempDir::new();
    let mut host = Some(start("member", &place(&directory), ""));
    let _shops =
        ["a", "b", "c"].map(|name| start("shop", &place(&directory), &endpoint(&directory, name)));
    let registry = Embedded::at(place(&directory));
    let mut seen = registry.watch(SERVICE);
    let known = |seen: &rpc_registry::Seen| {
        let entries = seen.entries.iter().map(|entry| entry.endpoint.clone());
        entries.collect::<std::collections::BTreeSet<_>>()
    };
    let mut last = seen.next().await.expect("it never ends");
    while last.may_be_more {
        last = seen.next().await.expect("it never ends");
    }
    let all = known(&last);
    assert_eq!(all.len(), 3);
    let killed = Instant::now();
    let late = || killed.elapsed() >= rpc_registry::TAKE_OVER;
    if let Some(host) = host.take() {
        host.kill();
        host.wait_dead();
    }
    // Whether or not it tells of the change, what it tells is everybody, until one more comes.
    let after = registry.look_up(SERVICE).await.expect("from the next host");
    if after.len() < 3 && late() {
        return false;
    }
    assert_eq!(after.len(), 3, "a lookup waits for those who come again");
    let _fourth = start("shop", &place(&directory), &endpoint(&directory, "d"));
    while known(&last).len() < 4 || last.may_be_more {
        let next = seen.next().await.expect("it never ends");
        if !known(&next).is_superset(&all) {
            assert!(late(), "{next:?}");
            return false;
        }
        assert_ne!(next, last, "what has not changed is not told");
        last = next;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lookup_waits_for_a_server_that_is_stopped_until_it_is_too_late() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let host = start("member", &place(&directory), "");
    let shops =
        ["a", "b"].map(|name| start("shop", &place(&directory), &endpoint(&directory, name)));
    let stopped = Pid::from_raw(i32::try_from(shops[0].id()).expect("a pid")).expect("not 0");
    kill_process(stopped, Signal::STOP).expect("our child");
    let registry = Embedded::at(place(&directory));
    assert_eq!(registry.look_up(SERVICE).await.expect("an answer").len(), 2);
    // Before, since the next host's time runs from when it sees the death.
    let killed = Instant::now();
    host.kill();
    host.wait_dead();
    // It holds its lease, and does not come: so many may be missing for a while.
    assert_eq!(registry.look_up(SERVICE).await.expect("an answer").len(), 1);
    assert!(killed.elapsed() >= rpc_registry::TAKE_OVER);
    kill_process(stopped, Signal::CONT).expect("our child");
    while registry.look_up(SERVICE).await.expect("an answer").len() != 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_with_nobody_before_is_whole_at_once() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let registry = Embedded::at(place(&directory));
    let mut seen = registry.watch(SERVICE);
    let first = seen.next().await.expect("it never ends");
    assert!(first.entries.is_empty() && !first.may_be_more);
}
