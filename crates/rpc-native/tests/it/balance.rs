//! Several servers behind one channel: which of them is asked, and when a second one is.

use crate::remote::{PATIENCE, Remote};
use ipc_testkit::watchdog;
use rpc_core::layers::{Hedge, Retry};
use rpc_core::{Code, Context};
use rpc_native::{Connection, Format};
use rpc_testkit::inventory::{StockClient, item};
use rpc_transport::{Balanced, Pick, Pool};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tower_layer::Layer;

/// Servers in processes of their own, and connections to them.
async fn servers(schemes: &[&str]) -> (Vec<Remote>, Vec<Connection>) {
    let (mut remotes, mut connections) = (Vec::new(), Vec::new());
    for scheme in schemes {
        let remote = Remote::start_over("server", scheme);
        connections.push(remote.connection(Format::Protobuf).await);
        remotes.push(remote);
    }
    (remotes, connections)
}

fn signal(remote: &Remote, signal: Signal) {
    let pid = i32::try_from(remote.server.id())
        .ok()
        .and_then(Pid::from_raw);
    kill_process(pid.expect("our child"), signal).expect("it lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_run_twice_is_answered_by_the_server_that_is_not_stopped() {
    let _watchdog = watchdog(PATIENCE);
    let (remotes, connections) = servers(&["shm", "unix"]).await;
    let balanced = Balanced::new(Pick::RoundRobin, connections);
    let hedge = Hedge::new().attempts("inventory.v1.Stock", 2, Duration::from_millis(10));
    let stock = StockClient::new(hedge.layer(balanced));
    signal(&remotes[0], Signal::STOP);
    for _ in 0..10 {
        let missing = stock.get(&Context::new(), "a".into()).await;
        assert_eq!(missing.expect_err("empty").code(), Code::NotFound);
    }
    // A put is made once, whoever is asked.
    let mut time = Duration::from_millis(300);
    let codes = loop {
        let short = || Context::new().timeout(time);
        let thing = || item(&format!("within {time:?}"), 1);
        let puts = [
            stock.put(&short(), thing()).await,
            stock.put(&short(), thing()).await,
        ];
        let codes = puts.map(|put| put.map_err(|status| status.code()));
        // A slow host may let the time of the other pass, too.
        if codes != [Err(Code::DeadlineExceeded); 2] {
            break codes;
        }
        time *= 2;
    };
    assert!(codes.contains(&Ok(1)), "{codes:?}");
    assert!(codes.contains(&Err(Code::DeadlineExceeded)), "{codes:?}");
    signal(&remotes[0], Signal::CONT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_the_one_with_less_to_do_is_asked() {
    let _watchdog = watchdog(PATIENCE);
    let (_remotes, connections) = servers(&["unix", "shm"]).await;
    let balanced = Balanced::new(Pick::TwoChoices, connections);
    let stock = StockClient::new(balanced.clone());
    let waits = tokio::spawn(async move {
        let cx = Context::background();
        stock.get(&cx, "never".into()).await
    });
    while balanced
        .backends()
        .all(|(_, backend)| backend.running() == 0)
    {
        tokio::task::yield_now().await;
    }
    // All of these go to the other: it alone knows of them, and of all of them.
    let stock = StockClient::new(balanced);
    for round in 1..=50 {
        assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(round));
    }
    waits.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_that_is_killed_under_load_fails_less_than_one_call_in_a_hundred() {
    let _watchdog = watchdog(PATIENCE);
    let remotes = ["unix", "shm", "shm"].map(|scheme| Remote::start_over("server", scheme));
    let pools = remotes.iter().map(|remote| {
        let endpoint = remote.endpoint.clone();
        Pool::new(2, move || {
            let endpoint = endpoint.clone();
            async move { rpc_native::connect(&endpoint).await }
        })
    });
    let balanced = Balanced::new(Pick::TwoChoices, pools);
    let retry = Retry::new().attempts("inventory.v1.Stock", 3);
    let stock = StockClient::new(retry.layer(balanced));
    // What all callers have under way when it dies is far from one in a hundred.
    const CALLERS: u32 = 16;
    const CALLS: u32 = 10_000;
    let done = Arc::new(AtomicU32::new(0));
    let dead = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (stock, done, dead) = (stock.clone(), Arc::clone(&done), Arc::clone(&dead));
            tokio::spawn(async move {
                let (mut failed, mut after) = (0_u32, 0);
                // The load goes on until the death is there, and then as long again.
                while after < CALLS / CALLERS {
                    after += u32::from(dead.load(Ordering::Relaxed));
                    let missing = stock.get(&Context::new(), "a".into()).await;
                    let code = missing.expect_err("empty").code();
                    failed += u32::from(code != Code::NotFound);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();
    while done.load(Ordering::Relaxed) < CALLS / 10 {
        tokio::task::yield_now().await;
    }
    remotes[1].server.kill();
    dead.store(true, Ordering::Relaxed);
    let mut failed = 0;
    for caller in callers {
        failed += caller.await.expect("no panic");
    }
    println!("{failed} of {CALLS} failed");
    assert!(failed < CALLS / 100, "{failed} of {CALLS} failed");
}
