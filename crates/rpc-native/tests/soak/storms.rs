//! Storms: calls that nobody waits for long enough, and calls that nobody asked for.

use crate::counted::{Counter, PATIENCE, runtime};
use ipc_testkit::crash::{Lab, Tally, Tier};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Router, Server};
use rpc_native::{Connection, Options};
use rpc_testkit::inventory::{Shop, StockClient, StockServer, item};
use rpc_transport::Wire;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const CALLERS: u64 = 256;
/// When all handlers are gone that nobody waits for.
const SOON: Duration = Duration::from_secs(1);
/// What a connection takes by default.
const NUMBERS: usize = 128;
const ONEWAYS: usize = 50;

pub(crate) async fn connected(server: &Router, counter: &Counter) -> (Connection, JoinHandle<()>) {
    let (near, far) = Wire::pair().expect("a pair");
    let served = Server::new(server.clone()).layer(counter.clone()).served();
    let serving = tokio::spawn(async move {
        Options::new().serve(far, served).await.expect("a stream");
    });
    (Options::new().over(near).await.expect("greeted"), serving)
}

pub(crate) fn stock() -> Router {
    Router::new().service(StockServer::new(Arc::<Shop>::default()))
}

/// D9: calls with a deadline of a millisecond, and calls that are dropped at once, of a handler
/// that never answers: all handlers go, and all numbers come back.
pub(crate) fn of_deadlines(lab: &mut Lab) {
    let calls = lab.count(20_000, 100_000, 1_000_000);
    let mut tally = Tally::new("D9", "calls of 1 ms, or dropped, whose handler never ends");
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let runtime = runtime(2);
    runtime.block_on(async {
        let counter = Counter::default();
        let (connection, serving) = connected(&stock(), &counter).await;
        let stock = StockClient::new(connection.clone());
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let stock = stock.clone();
                let own = calls / CALLERS + u64::from(caller < calls % CALLERS);
                tokio::spawn(async move { storm(&stock, own, caller).await })
            })
            .collect();
        for caller in callers {
            let outcomes = caller.await.expect("no panic");
            outcomes
                .into_iter()
                .for_each(|outcome| tally.trial(outcome));
        }
        let since = Instant::now();
        if let Err(left) = counter.until(0).await {
            tally.fail(left);
        }
        let gone = since.elapsed();
        if lab.tier > Tier::Push && gone > SOON {
            tally.fail(format!("handlers were there for {gone:.1?} more"));
        }
        while connection.calls_under_way() > 0 && since.elapsed() < PATIENCE {
            tokio::task::yield_now().await;
        }
        let all: Vec<_> = (0..NUMBERS)
            .map(|_| {
                let stock = stock.clone();
                tokio::spawn(async move { stock.get(&Context::new(), "never".into()).await })
            })
            .collect();
        if let Err(fewer) = counter.until(NUMBERS).await {
            tally.fail(format!("numbers are lost: {fewer}"));
        }
        tally.note(format!(
            "handlers gone {gone:.0?} after the last, {NUMBERS} numbers free"
        ));
        all.iter().for_each(JoinHandle::abort);
        drop((stock, connection, all));
        serving.await.expect("no panic");
        if let Err(left) = counter.until(0).await {
            tally.fail(left);
        }
    });
    lab.enter(tally);
}

async fn storm(
    stock: &StockClient<Connection>,
    calls: u64,
    caller: u64,
) -> Vec<Result<(), String>> {
    let mut outcomes = Vec::new();
    for call in 0..calls {
        let cx = Context::new().timeout(Duration::from_millis(1));
        let work = stock.get(&cx, "never".into());
        if (call + caller).is_multiple_of(3) {
            tokio::select! {
                biased;
                _ = work => {}
                () = tokio::task::yield_now() => {}
            }
            outcomes.push(Ok(()));
            continue;
        }
        outcomes.push(match work.await {
            Err(status) if status.code() == Code::DeadlineExceeded => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    outcomes
}

/// D13: oneway calls without end, of a handler that never ends: as many run as may, and the calls
/// of the spammer go on.
pub(crate) fn of_oneway_calls(lab: &mut Lab) {
    let calls = lab.count(100_000, 1_000_000, 10_000_000);
    let mut tally = Tally::new("D13", "oneway calls whose handler never ends");
    let _watchdog = watchdog(Duration::from_secs(24 * 3600));
    let runtime = runtime(2);
    runtime.block_on(async {
        let counter = Counter::default();
        let (spammer, serving) = connected(&stock(), &counter).await;
        let own = StockClient::new(spammer.clone());
        let cx = Context::new();
        for _ in 0..calls {
            let sent = own.note(&cx, "never".into()).await;
            tally.trial(sent.map_err(|status| status.to_string()));
        }
        // Its own calls that it waits for still run, behind all that.
        tally.trial(match own.put(&Context::new(), item("own", 1)).await {
            Ok(1) => Ok(()),
            other => Err(format!("the spammer's own call: {other:?}")),
        });
        let most = counter.most.load(Ordering::SeqCst);
        // One more is the call that is waited for.
        if most > ONEWAYS + 1 {
            tally.fail(format!("{most} handlers at once"));
        }
        tally.note(format!("at most {most} handlers at once"));
        drop((own, spammer));
        serving.await.expect("no panic");
        if let Err(left) = counter.until(0).await {
            tally.fail(left);
        }
    });
    lab.enter(tally);
}
