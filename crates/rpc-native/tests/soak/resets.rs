//! Connections that are lost at any moment: nothing runs twice, and what may be repeated arrives.

use crate::counted::{Pair, STREAMS, runtime};
use crate::plans::Random;
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::watchdog;
use rpc_core::layers::Retry;
use rpc_core::{Code, Context, Router, Server};
use rpc_native::Options;
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use rpc_transport::Pool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tower_layer::Layer;

const CALLERS: u64 = 16;

/// So many calls come between two resets, on average. Counted in calls, not in time: else a host
/// that is slow today loses more connections a call.
const BETWEEN: u64 = 100;

/// Of calls with random resets nothing that is not idempotent runs twice, and 99.9 % of what is
/// idempotent succeed.
pub(crate) fn run_nothing_twice(lab: &mut Lab) {
    let calls = lab.count(4_000, 100_000, 1_000_000);
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    for (name, pair) in STREAMS.into_iter().filter(|(name, _)| *name != "pipes") {
        runtime(2).block_on(resets(lab, name, pair, calls));
    }
}

/// Ends one of what serves at random moments, as long as calls begin; says how many.
async fn reset(
    mut begun: mpsc::UnboundedReceiver<()>,
    mut random: Random,
    serving: Arc<Mutex<Vec<AbortHandle>>>,
) -> u32 {
    let (mut resets, mut left) = (0, BETWEEN);
    while begun.recv().await.is_some() {
        left -= 1;
        if left > 0 {
            continue;
        }
        left = 1 + random.below(2 * BETWEEN - 1);
        for _ in 0..random.below(40) {
            tokio::task::yield_now().await;
        }
        let task = serving.lock().expect("no panic").pop();
        if let Some(task) = task {
            task.abort();
            resets += 1;
        }
    }
    resets
}

async fn resets(lab: &mut Lab, name: &str, pair: Pair, calls: u64) {
    let random = Random(lab.below(u64::MAX) | 1);
    let shop = Arc::new(Shop::default());
    let router = Router::new().service(StockServer::new(Arc::clone(&shop)));
    let served = Server::new(router).served();
    // What serves each connection, to be ended in the middle of whatever it does.
    let serving: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
    let tasks = Arc::clone(&serving);
    let pool = Pool::new(4, move || {
        let (served, tasks) = (served.clone(), Arc::clone(&tasks));
        async move {
            let (client, server) = pair().map_err(rpc_core::Status::from)?;
            let task = tokio::spawn(Options::new().serve(server, served)).abort_handle();
            tasks.lock().expect("no panic").push(task);
            Options::new().over(client).await
        }
    });
    let retry = Retry::new()
        .attempts("*", 5)
        .backoff(Duration::from_micros(100), Duration::from_millis(1))
        .budget(1000, 1.0);
    let stock = StockClient::new(retry.layer(pool));
    stock
        .put(&Context::new(), item("there", 1))
        .await
        .expect("no resets yet");
    let (begins, begun) = mpsc::unbounded_channel();
    let chaos = tokio::spawn(reset(begun, random, serving));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (stock, begins) = (stock.clone(), begins.clone());
            let begin = move || begins.send(()).expect("it is there until all have ended");
            tokio::spawn(async move {
                let (mut lost, mut wrong) = (0_u64, 0_u64);
                for call in 0..calls / CALLERS {
                    let cx = Context::new();
                    let sku = format!("{caller}-{call}");
                    begin();
                    match stock.put(&cx, item(&sku, 1)).await {
                        Ok(1) => {}
                        Ok(_) => wrong += 1,
                        Err(status) => assert_eq!(status.code(), Code::Unavailable),
                    }
                    begin();
                    lost += u64::from(stock.get(&cx, "there".into()).await.is_err());
                }
                (lost, wrong)
            })
        })
        .collect();
    let (mut lost, mut wrong) = (0, 0);
    for caller in callers {
        let (l, w) = caller.await.expect("no panic");
        (lost, wrong) = (lost + l, wrong + w);
    }
    drop(begins);
    let resets = chaos.await.expect("no panic");
    let shelves = shop.shelves.lock().expect("no panic");
    let mut twice = Tally::new(
        "R",
        format!("{name}: calls that are not idempotent, run twice"),
    );
    let ran = shelves.iter().filter(|(sku, _)| *sku != "there");
    for (sku, count) in ran {
        twice.trial(
            (*count == 1)
                .then_some(())
                .ok_or(format!("{sku} ran {count} times")),
        );
    }
    if wrong > 0 || resets == 0 {
        twice.fail(format!("{wrong} wrong answers, {resets} resets"));
    }
    twice.note(format!("{calls} calls, {resets} resets"));
    lab.enter(twice);
    let mut kept = Tally::new(
        "R",
        format!("{name}: idempotent calls, 99.9 % of which succeed"),
    );
    kept.trials = calls;
    if lost * 1000 > calls {
        kept.fail(format!("{lost} of {calls} were lost"));
    }
    kept.note(format!("{lost} lost of {calls}"));
    lab.enter(kept);
}
