//! Servers that are killed and started again, or ended in order under load.

use crate::identities::Identities;
use crate::remote::{PATIENCE, Remote};
use crate::transports::Transport;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Channel, Code, Context, Router, Server};
use rpc_native::Stopper;
use rpc_testkit::inventory::{Item, Shop, StockClient, StockServer, item};
use rpc_transport::{Pool, Reconnecting};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_finds_a_server_again_that_was_killed_and_started_again() {
    let _watchdog = watchdog(PATIENCE);
    for scheme in ["unix", "shm"] {
        is_found_again(Remote::start_over("server", scheme)).await;
    }
}

async fn is_found_again(mut remote: Remote) {
    let place = remote.endpoint.clone();
    let pool = Pool::new(4, move || {
        let place = place.clone();
        async move { rpc_native::connect(&place).await }
    });
    let stock = StockClient::new(pool);
    let cx = Context::new();
    for _ in 0..3 {
        // Each of the four connections, as soon as its backoff lets it.
        for _ in 0..4 {
            while let Err(failed) = stock.put(&cx, item("a", 1)).await {
                assert_eq!(failed.code(), Code::Unavailable);
                tokio::task::yield_now().await;
            }
        }
        remote.server.kill();
        remote.server.wait_dead();
        for _ in 0..8 {
            let gone = stock.put(&cx, item("a", 1)).await.expect_err("dead");
            assert_eq!(gone.code(), Code::Unavailable);
        }
        let refused = stock.put(&cx, item("a", 1)).await.expect_err("dead");
        assert!(refused.did_not_run(), "nobody was there");
        assert!(
            refused.push_back_millis().is_some(),
            "and it says when to come"
        );
        remote.start_again("server");
    }
}

/// One server after the other at one place, with one shop.
struct Shift {
    stopper: Stopper,
    running: JoinHandle<Result<(), rpc_core::Status>>,
    endpoint: String,
}

impl Shift {
    /// Begins as soon as the place is free.
    async fn begin(transport: Transport, place: &str, at: &TempDir, shop: &Arc<Shop>) -> Self {
        let options = transport.server(at.path());
        let serving = loop {
            match options.bind(place) {
                Ok(serving) => break serving,
                Err(taken) => assert_eq!(taken.code(), Code::AlreadyExists, "{taken}"),
            }
            tokio::task::yield_now().await;
        };
        let (stopper, endpoint) = (serving.stopper(), serving.endpoint().expect("bound"));
        let router = Router::new().service(StockServer::new(Arc::clone(shop)));
        let server = Server::new(router).with(serving).expect("it carries all");
        let running = tokio::spawn(server.run());
        Self {
            stopper,
            running,
            endpoint: endpoint.to_string(),
        }
    }
}

/// Puts until it is done, again only where it provably did not run, as a retry layer does that
/// never gives up: a method that is not idempotent is not tried again else.
async fn put_once(stock: &StockClient<impl Channel>, put: Item) {
    loop {
        match stock.put(&Context::new(), put.clone()).await {
            Ok(count) => return assert_eq!(count, 1, "{} ran twice", put.sku),
            Err(status) => {
                assert!(
                    status.did_not_run(),
                    "nobody knows of {}: {status}",
                    put.sku
                );
                assert_eq!(status.code(), Code::Unavailable);
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_under_load_loses_no_call_and_runs_none_twice() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in [
        Transport::Unix,
        Transport::Shm,
        Transport::Tcp,
        Transport::Mtls,
        Transport::Inproc,
    ] {
        let directory = TempDir::new();
        for name in ["root.pem", "server.pem", "server.key"] {
            let from = identities.path().join(name);
            std::fs::copy(from, directory.join(name)).expect("room");
        }
        let shop = Arc::new(Shop::default());
        let place = transport.place(directory.path());
        let mut shift = Shift::begin(transport, &place, &directory, &shop).await;
        let place = shift.endpoint.clone();
        let options = transport.client(&identities, "clerk");
        let over = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..16)
            .map(|caller| {
                let (options, place) = (options.clone(), place.clone());
                let channel = Reconnecting::new(move || {
                    let (options, place) = (options.clone(), place.clone());
                    async move { options.connect(&place).await }
                });
                let stock = StockClient::new(channel);
                let over = Arc::clone(&over);
                tokio::spawn(async move {
                    let mut calls = 0_usize;
                    while !over.load(Ordering::Relaxed) {
                        put_once(&stock, item(&format!("{caller}-{calls}"), 1)).await;
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        for _ in 0..5 {
            // Some calls of each shift.
            let many = || shop.shelves.lock().expect("no panic").len();
            let before = many();
            while many() < before + 200 {
                tokio::task::yield_now().await;
            }
            shift.stopper.stop();
            let next = Shift::begin(transport, &place, &directory, &shop).await;
            let ended = std::mem::replace(&mut shift, next).running.await;
            ended.expect("no panic").expect("in order");
        }
        over.store(true, Ordering::Relaxed);
        let mut calls = 0;
        for caller in callers {
            calls += caller.await.expect("no call is lost");
        }
        let shelves = shop.shelves.lock().expect("no panic");
        assert_eq!(shelves.len(), calls);
        assert!(shelves.values().all(|count| *count == 1), "one ran twice");
        println!("{transport:?}: {calls} calls over six servers");
        shift.running.abort();
    }
}
