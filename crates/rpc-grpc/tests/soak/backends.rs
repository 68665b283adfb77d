//! D8, D9 and the death of a server: what clients do to servers that fail, are late, or are killed.

use crate::there::{PATIENCE, There, options, runtime};
use ipc_testkit::crash::{Lab, Tally};
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Call, CallFuture, Channel, Code, Context, Router, Server, Status, ready};
use rpc_grpc::ServiceConfig;
use rpc_testkit::inventory::{Shop, StockClient, StockServer};
use rpc_transport::{Balanced, Pick, Pool, Wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tower_layer::layer_fn;

const CLIENTS: u64 = 100;
const RETRY: &str = r#"{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":3,
    "initialBackoff":"0.001s","maxBackoff":"0.01s","backoffMultiplier":2,
    "retryableStatusCodes":["UNAVAILABLE"]}}]}"#;

fn retry() -> ServiceConfig {
    ServiceConfig::parse(RETRY).expect("a config")
}

fn stock() -> Router {
    Router::new().service(StockServer::new(Arc::<Shop>::default()))
}

/// What arrives at a server, or leaves a client: how many calls, the most attempts of one, and how
/// many run.
#[derive(Clone, Default)]
struct Seen {
    calls: Arc<AtomicU64>,
    attempts: Arc<AtomicU64>,
    running: Arc<AtomicU64>,
}

impl Seen {
    async fn until(&self, many: u64) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            let running = self.running.load(Ordering::SeqCst);
            match running == many {
                true => return Ok(begun.elapsed()),
                false if begun.elapsed() > Duration::from_secs(20) => {
                    return Err(format!("{running} handlers instead of {many}"));
                }
                false => tokio::task::yield_now().await,
            }
        }
    }
}

#[derive(Clone)]
struct Around<C> {
    inner: C,
    seen: Seen,
    fails: bool,
}

struct Leave(Arc<AtomicU64>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<C: Channel> Channel for Around<C> {
    fn call(&self, call: Call) -> CallFuture {
        let attempt = u64::from(call.context.attempt()) + 1;
        self.seen.calls.fetch_add(1, Ordering::SeqCst);
        self.seen.attempts.fetch_max(attempt, Ordering::SeqCst);
        if self.fails {
            return ready(Err(Status::bare(Code::Unavailable)));
        }
        self.seen.running.fetch_add(1, Ordering::SeqCst);
        let (leave, work) = (Leave(Arc::clone(&self.seen.running)), self.inner.call(call));
        Box::pin(async move {
            let _leave = leave;
            work.await
        })
    }
}

fn server(seen: &Seen, fails: bool) -> Server<Around<Router>> {
    let seen = seen.clone();
    Server::new(stock()).layer(layer_fn(move |inner| Around {
        inner,
        seen: seen.clone(),
        fails,
    }))
}

/// D8: a hundred clients of a server that fails every call, each with the bucket of gRFC A6.
pub(crate) fn that_fail(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    let seconds = lab.count(1, 60, 600);
    let what = format!("{CLIENTS} clients of a backend that always fails, {seconds} s");
    let mut tally = Tally::new("D8", what);
    let (seen, asked) = (Seen::default(), Seen::default());
    let offered: u64 = runtime(2).block_on(async {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let (near, far) = Wire::pair().expect("a pair");
            let served = server(&seen, true).served();
            tokio::spawn(async move { options().serve(far, served).await });
            let channel = options().over(near).await.expect("greeted");
            let channel = Around {
                inner: channel,
                seen: asked.clone(),
                fails: false,
            };
            let client = StockClient::new(retry().around(channel));
            clients.push(tokio::spawn(async move {
                let mut offered = 0;
                while Instant::now() < until || offered < 100 {
                    let failed = client.get(&Context::new(), "a".into()).await;
                    assert_eq!(failed.expect_err("it fails").code(), Code::Unavailable);
                    offered += 1;
                }
                offered
            }));
        }
        let mut all = 0;
        for client in clients {
            all += client.await.expect("no panic");
        }
        all
    });
    let (attempts, most) = (
        seen.calls.load(Ordering::SeqCst),
        asked.attempts.load(Ordering::SeqCst),
    );
    tally.trials = offered;
    if attempts * 10 > offered * 11 || most > 3 {
        tally.fail(format!("{attempts} attempts, {most} of one call"));
    }
    let share = attempts as f64 / offered as f64;
    tally.note(format!(
        "{attempts} attempts ({share:.4} of what is offered), at most {most} of one"
    ));
    lab.enter(tally);
}

/// D9: calls with a deadline of a millisecond, of a handler that never ends.
pub(crate) fn that_are_late(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    let calls = lab.count(1_000, 100_000, 1_000_000);
    let mut tally = Tally::new("D9", "calls of 1 ms whose handler never ends");
    let (seen, directory) = (Seen::default(), TempDir::new());
    runtime(2).block_on(async {
        let endpoint = format!("unix:{}", directory.join("socket").display());
        let serving = options().bind(&endpoint).expect("bind");
        let stopper = serving.stopper();
        let serving = server(&seen, false).with(serving).expect("it carries all");
        let serving = tokio::spawn(serving.run());
        let connect = move || {
            let endpoint = endpoint.clone();
            async move { options().connect(&endpoint).await }
        };
        let pool = Pool::new(1, connect.clone());
        let stock = StockClient::new(pool);
        let callers: Vec<_> = (0..128)
            .map(|caller| {
                let stock = stock.clone();
                let own = calls / 128 + u64::from(caller < calls % 128);
                tokio::spawn(async move {
                    let mut outcomes = Vec::new();
                    for _ in 0..own {
                        let cx = Context::new().timeout(Duration::from_millis(1));
                        let late = stock.get(&cx, "never".into()).await;
                        outcomes.push(late.expect_err("nobody answers").code());
                    }
                    outcomes
                })
            })
            .collect();
        let mut cut = 0;
        for caller in callers {
            for code in caller.await.expect("no panic") {
                tally.trial(match code {
                    Code::DeadlineExceeded => Ok(()),
                    other => Err(format!("{other:?}")),
                });
                cut += u64::from(code == Code::Unavailable);
            }
        }
        let gone = seen.until(0).await.unwrap_or_else(|left| {
            tally.fail(left);
            Duration::MAX
        });
        if gone > Duration::from_secs(1) {
            tally.fail(format!("the last handler was gone after {gone:.1?}"));
        }
        // As many as a connection takes are free again, on the same connection.
        let all: Vec<_> = (0..128)
            .map(|_| {
                let stock = stock.clone();
                tokio::spawn(async move { stock.get(&Context::background(), "never".into()).await })
            })
            .collect();
        if let Err(fewer) = seen.until(128).await {
            tally.fail(format!("slots are lost: {fewer}"));
        }
        let ran = seen.calls.load(Ordering::SeqCst);
        tally.note(format!(
            "{ran} reached a handler, {cut} were cut off, all gone {gone:.0?} after the last, 128 free"
        ));
        all.iter().for_each(tokio::task::JoinHandle::abort);
        drop((stock, all));
        if let Err(left) = seen.until(0).await {
            tally.fail(left);
        }
        stopper.stop();
        serving.await.expect("no panic").expect("an orderly end");
    });
    lab.enter(tally);
}

/// One of three servers is killed while they are called; with retries hardly a call is lost.
pub(crate) fn that_die(lab: &mut Lab) {
    let _watchdog = watchdog(PATIENCE);
    // What is under way at the dead server (a call of each caller at most) and finds no token is
    // lost, however many calls are made: of a thousand that can be more than one in a hundred.
    let calls = lab.count(10_000, 100_000, 1_000_000);
    for pick in [Pick::RoundRobin, Pick::TwoChoices] {
        let what = format!("one of three servers killed under load, {pick:?}");
        let mut tally = Tally::new("R", what);
        let servers = [(); 3].map(|()| There::start());
        let failed = runtime(2).block_on(lost(&servers, pick, calls, &mut tally));
        tally.trials = calls;
        if failed * 100 >= calls {
            tally.fail(format!("{failed} of {calls} calls failed"));
        }
        tally.note(format!("{failed} of {calls} calls failed"));
        lab.enter(tally);
    }
}

async fn lost(servers: &[There; 3], pick: Pick, calls: u64, tally: &mut Tally) -> u64 {
    const CALLERS: u64 = 16;
    let pools = servers.iter().map(|there| {
        let endpoint = there.endpoint.clone();
        Pool::new(2, move || {
            let endpoint = endpoint.clone();
            async move { options().connect(&endpoint).await }
        })
    });
    let balanced = Balanced::new(pick, pools);
    let stock = StockClient::new(retry().around(balanced));
    let done = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (stock, done) = (stock.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut failed = 0;
                for _ in 0..calls.div_ceil(CALLERS) {
                    let got = stock.get(&Context::new(), "a".into()).await;
                    // That there is no such item is an answer.
                    let answered = got.is_err_and(|status| status.code() == Code::NotFound);
                    failed += u64::from(!answered);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();
    while done.load(Ordering::Relaxed) < calls / 3 {
        tokio::task::yield_now().await;
    }
    servers[1].server.kill();
    if done.load(Ordering::Relaxed) >= calls {
        tally.fail("it was killed too late".to_owned());
    }
    let mut failed = 0;
    for caller in callers {
        failed += caller.await.expect("no panic");
    }
    failed
}
