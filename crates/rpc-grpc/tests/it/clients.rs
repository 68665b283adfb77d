//! What a client does about servers that fail, are slow, or are not well.

use crate::remote::Remote;
use crate::shop::{PATIENCE, Served, plain, router};
use crate::spy::Spy;
use ipc_testkit::watchdog;
use rpc_core::{Call, CallFuture, Channel, Code, Context, Metadata, Server, Status, ready};
use rpc_grpc::{CallCredentials, HealthGate, ServiceConfig};
use rpc_testkit::inventory::{StockClient, item};
use rpc_transport::{Backend, Balanced, Pick, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tower_layer::layer_fn;

/// Fails so many calls before it lets them through.
struct Failing<C> {
    inner: C,
    left: Arc<AtomicU32>,
    failure: Status,
}

impl<C: Channel> Channel for Failing<C> {
    fn call(&self, call: Call) -> CallFuture {
        let one_less = |left: u32| left.checked_sub(1);
        let order = Ordering::AcqRel;
        match self.left.fetch_update(order, Ordering::Acquire, one_less) {
            Ok(_) => ready(Err(self.failure.clone())),
            Err(_) => self.inner.call(call),
        }
    }
}

fn failing(left: &Arc<AtomicU32>, failure: Status) -> (Spy, Served) {
    let (left, spy) = (Arc::clone(left), Spy::new());
    let layer = layer_fn(move |inner| Failing {
        inner,
        left: Arc::clone(&left),
        failure: failure.clone(),
    });
    let server = Server::new(router(&Arc::default()))
        .layer(layer)
        .layer(spy.clone());
    (spy, Served::server(server, plain()))
}

fn config(policy: &str) -> ServiceConfig {
    let config = format!(r#"{{"methodConfig":[{{"name":[{{}}],{policy}}}]}}"#);
    ServiceConfig::parse(&config).expect("a config")
}

const RETRY: &str = r#""retryPolicy":{"maxAttempts":4,"initialBackoff":"0.001s",
    "maxBackoff":"0.01s","backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE"]}"#;

#[tokio::test]
async fn what_may_run_twice_is_retried_and_all_else_only_if_it_did_not_run() {
    let _watchdog = watchdog(PATIENCE);
    let left = Arc::new(AtomicU32::new(0));
    let (spy, served) = failing(&left, Status::bare(Code::Unavailable));
    let stock = StockClient::new(config(RETRY).around(served.connect().await));
    let cx = Context::new();
    left.store(3, Ordering::Release);
    let missing = stock.get(&cx, "a".into()).await.expect_err("empty");
    assert_eq!((missing.code(), spy.count()), (Code::NotFound, 4));
    let attempts = spy.last();
    assert_eq!(
        attempts.metadata().len(),
        0,
        "the number of attempts is not metadata"
    );
    left.store(1, Ordering::Release);
    let failed = stock
        .put(&cx, item("a", 1))
        .await
        .expect_err("it may have run");
    assert_eq!((failed.code(), spy.count()), (Code::Unavailable, 5));
    served.stop().await;

    let (spy, served) = failing(&left, Status::bare(Code::Unavailable).before_running());
    let stock = StockClient::new(config(RETRY).around(served.connect().await));
    left.store(2, Ordering::Release);
    assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(1));
    assert_eq!(spy.count(), 3);
    served.stop().await;

    // A server that says never again is believed.
    let never = Status::bare(Code::Unavailable).retry_after_millis(u32::MAX);
    let (spy, served) = failing(&left, never);
    let stock = StockClient::new(config(RETRY).around(served.connect().await));
    left.store(1, Ordering::Release);
    stock
        .get(&cx, "a".into())
        .await
        .expect_err("no second attempt");
    assert_eq!(spy.count(), 1);
    served.stop().await;
}

#[tokio::test]
async fn a_backend_that_always_fails_is_asked_hardly_more_than_without_retries() {
    let _watchdog = watchdog(PATIENCE);
    let left = Arc::new(AtomicU32::new(u32::MAX));
    let (spy, served) = failing(&left, Status::bare(Code::Unavailable));
    let stock = StockClient::new(config(RETRY).around(served.connect().await));
    for _ in 0..200 {
        stock
            .get(&Context::new(), "a".into())
            .await
            .expect_err("it fails");
    }
    assert!(spy.count() <= 220, "{} attempts for 200 calls", spy.count());
    served.stop().await;
}

#[tokio::test]
async fn a_hedged_call_is_answered_by_the_server_that_can() {
    let _watchdog = watchdog(PATIENCE);
    // One of the servers never answers.
    let silent = Spy::new();
    let stuck = layer_fn(|_inner| Stuck);
    let stuck = Server::new(router(&Arc::default()))
        .layer(stuck)
        .layer(silent.clone());
    let (stuck, good) = (Served::server(stuck, plain()), Served::unix(plain()));
    let channels = [stuck.connect().await, good.connect().await];
    let balanced = Balanced::new(Pick::RoundRobin, channels);
    let hedging = r#""hedgingPolicy":{"maxAttempts":2,"hedgingDelay":"0.01s"}"#;
    let stock = StockClient::new(config(hedging).around(balanced));
    for _ in 0..10 {
        let missing = stock
            .get(&Context::new(), "a".into())
            .await
            .expect_err("empty");
        assert_eq!(missing.code(), Code::NotFound);
    }
    assert!(silent.count() > 0);
    // What the silent server was asked is cancelled there.
    silent.running(0).await;
    // What is not idempotent is never hedged.
    let mut time = Duration::from_millis(200);
    loop {
        let before = silent.count();
        let short = || Context::new().timeout(time);
        let puts = [
            stock.put(&short(), item("a", 1)).await,
            stock.put(&short(), item("a", 1)).await,
        ];
        let late = |put: &Result<u32, Status>| {
            let failed = put.as_ref().err();
            failed.is_some_and(|status| status.code() == Code::DeadlineExceeded)
        };
        // A slow host may let the time of the other pass, or end both before they are sent.
        if !puts.iter().all(late) && silent.count() > before {
            assert_eq!(puts.iter().filter(|put| put.is_ok()).count(), 1, "{puts:?}");
            assert_eq!(silent.count(), before + 1);
            break;
        }
        time *= 2;
    }
    drop(stock);
    stuck.stop().await;
    good.stop().await;
}

struct Stuck;

impl Channel for Stuck {
    fn call(&self, _: Call) -> CallFuture {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn credentials_are_asked_for_each_call_and_kept_from_listeners() {
    let _watchdog = watchdog(PATIENCE);
    let spy = Spy::new();
    let server = Server::new(router(&Arc::default())).layer(spy.clone());
    let served = Served::server(server, plain());
    let number = Arc::new(AtomicU32::new(0));
    let credentials = CallCredentials::by(move |method| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        async move {
            let mut metadata = Metadata::new();
            let token = format!("Bearer {}-{number}", method.name);
            metadata.insert("authorization", token.as_bytes())?;
            Ok(metadata)
        }
    });
    let options = plain().credentials(credentials.clone()).clone();
    let connection = options.connect(&served.endpoint).await.expect("it listens");
    let stock = StockClient::new(connection);
    for number in 0..3 {
        stock.put(&Context::new(), item("a", 1)).await.expect("put");
        let told = format!("Bearer Put-{number}");
        assert_eq!(spy.last().metadata().text("authorization"), Some(&told[..]));
    }
    drop(stock);
    served.stop().await;
    let served = Served::tcp(plain());
    let refused = options
        .connect(&served.endpoint)
        .await
        .expect_err("all could read it");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let credentials = credentials.insecure_plain_text(true);
    let insecure = plain().credentials(credentials).clone();
    insecure
        .connect(&served.endpoint)
        .await
        .expect("it was asked for");
    served.stop().await;
}

#[tokio::test]
async fn a_server_says_when_it_is_called_again() {
    let _watchdog = watchdog(PATIENCE);
    let left = Arc::new(AtomicU32::new(0));
    let wait = Duration::from_millis(300);
    let pushing = Status::bare(Code::Unavailable).retry_after_millis(300);
    // Without it, either would call again within a hundredth of a second.
    let hedging = r#""hedgingPolicy":{"maxAttempts":2,"hedgingDelay":"3600s",
        "nonFatalStatusCodes":["UNAVAILABLE"]}"#;
    for policy in [RETRY, hedging] {
        let (spy, served) = failing(&left, pushing.clone());
        let stock = StockClient::new(config(policy).around(served.connect().await));
        left.store(1, Ordering::Release);
        let begun = Instant::now();
        let missing = stock.get(&Context::new(), "a".into()).await;
        assert_eq!(missing.expect_err("empty").code(), Code::NotFound);
        assert!(begun.elapsed() >= wait, "{policy}: {:?}", begun.elapsed());
        assert_eq!(spy.count(), 2);
        drop(stock);
        served.stop().await;
    }
    // What asks never again, is a negative number on the wire, or no number, is not called again.
    let never = Status::bare(Code::Unavailable).retry_after_millis(Status::NEVER_AGAIN);
    for policy in [RETRY, hedging] {
        let (spy, served) = failing(&left, never.clone());
        let mut sender = crate::raw::sender(&served.endpoint).await;
        left.store(2, Ordering::Release);
        let body = &[0, 0, 0, 0, 3, 10, 1, b'x'];
        let request = crate::raw::request("/inventory.v1.Stock/Get", &[], body);
        let answered = crate::raw::send(&mut sender, request).await;
        let headers = answered.expect("an answer").headers;
        assert_eq!(
            headers.get("grpc-retry-pushback-ms").expect("it says"),
            "-1"
        );
        let stock = StockClient::new(config(policy).around(served.connect().await));
        let failed = stock.get(&Context::background(), "a".into()).await;
        assert_eq!(failed.expect_err("once").code(), Code::Unavailable);
        assert_eq!(spy.count(), 2);
        drop((sender, stock));
        served.stop().await;
    }
}

#[tokio::test]
async fn hedged_calls_draw_on_the_throttle_of_the_config() {
    let _watchdog = watchdog(PATIENCE);
    let left = Arc::new(AtomicU32::new(u32::MAX));
    let (spy, served) = failing(&left, Status::bare(Code::Unavailable));
    let config = r#"{"methodConfig":[{"name":[{}],"hedgingPolicy":{"maxAttempts":3,
        "hedgingDelay":"0s","nonFatalStatusCodes":["UNAVAILABLE"]}}],
        "retryThrottling":{"maxTokens":20,"tokenRatio":0.1}}"#;
    let config = ServiceConfig::parse(config).expect("a config");
    let stock = StockClient::new(config.around(served.connect().await));
    for _ in 0..200 {
        let failed = stock.get(&Context::new(), "a".into()).await;
        assert_eq!(failed.expect_err("it fails").code(), Code::Unavailable);
    }
    // Ten failures empty the upper half; each call may have had two more on the way.
    assert!(
        (201..=220).contains(&spy.count()),
        "{} attempts",
        spy.count()
    );
    drop(stock);
    served.stop().await;
}

#[tokio::test]
async fn a_server_that_fails_is_left_out_and_asked_again_later() {
    let _watchdog = watchdog(PATIENCE);
    let left = Arc::new(AtomicU32::new(u32::MAX));
    let (sick, served) = failing(&left, Status::bare(Code::Unavailable));
    let good = Served::unix(plain());
    let cx = Context::new();
    let stock = loop {
        let channels = [served.connect().await, good.connect().await];
        let stock = StockClient::new(Balanced::new(Pick::RoundRobin, channels));
        let (mut failed, mut before) = (0, Instant::now());
        while failed < Backend::FAILURES {
            before = Instant::now();
            let got = stock.get(&cx, "a".into()).await;
            failed += u32::from(got.expect_err("empty").code() == Code::Unavailable);
        }
        let asked = sick.count();
        for _ in 0..10 {
            let got = stock.get(&cx, "a".into()).await;
            got.expect_err("there is none");
        }
        // A host that stalled so long has let its time pass: that says nothing.
        if before.elapsed() < Backend::FIRST_EJECTION {
            assert_eq!(sick.count(), asked, "it is left out");
            break stock;
        }
    };
    let asked = sick.count();
    left.store(0, Ordering::Release);
    // It is well again, and is asked again.
    while sick.count() < asked + 10 {
        let got = stock.get(&cx, "a".into()).await;
        assert_eq!(got.expect_err("empty").code(), Code::NotFound);
    }
    drop(stock);
    served.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_killed_under_load_fails_less_than_one_call_in_a_hundred() {
    let _watchdog = watchdog(PATIENCE);
    const CALLERS: u32 = 16;
    const CALLS: u32 = 10_000;
    for pick in [Pick::RoundRobin, Pick::TwoChoices] {
        let remotes = [(); 3].map(|()| Remote::start("well"));
        let pools = remotes.iter().map(|remote| {
            let endpoint = remote.endpoint.clone();
            Pool::new(2, move || {
                let endpoint = endpoint.clone();
                async move { plain().connect(&endpoint).await }
            })
        });
        let stock = StockClient::new(config(RETRY).around(Balanced::new(pick, pools)));
        let done = Arc::new(AtomicU32::new(0));
        let dead = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (stock, done, dead) = (stock.clone(), Arc::clone(&done), Arc::clone(&dead));
                tokio::spawn(async move {
                    let (mut failed, mut after) = (0_u32, 0);
                    // The load goes on until the death is there, and then for most of the calls.
                    while after < 2 * CALLS / CALLERS / 3 {
                        after += u32::from(dead.load(Ordering::Relaxed));
                        match stock.get(&Context::new(), "a".into()).await {
                            Err(status) if status.code() == Code::NotFound => {}
                            _ => failed += 1,
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    failed
                })
            })
            .collect();
        while done.load(Ordering::Relaxed) < CALLS / 3 {
            tokio::task::yield_now().await;
        }
        remotes[1].server.kill();
        dead.store(true, Ordering::Relaxed);
        let mut failed = 0;
        for caller in callers {
            failed += caller.await.expect("no panic");
        }
        assert!(failed < CALLS / 100, "{failed} of {CALLS} with {pick:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_well_gets_no_calls() {
    let _watchdog = watchdog(PATIENCE);
    let (sick, well) = (Remote::start("sick"), Remote::start("well"));
    let channels = [sick.connect().await, well.connect().await];
    let balanced = Balanced::new(Pick::First, channels);
    let gates: Vec<_> = balanced
        .backends()
        .map(|(channel, backend)| HealthGate::new(channel.clone(), "", backend))
        .collect();
    let backends: Vec<_> = balanced
        .backends()
        .map(|(_, backend)| backend.clone())
        .collect();
    while backends[0].is_healthy() {
        tokio::task::yield_now().await;
    }
    // What one put into the well one, one finds: no other was asked.
    let stock = StockClient::new(balanced);
    let cx = Context::new();
    for count in 1..=10 {
        assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(count));
    }
    let direct = StockClient::new(well.connect().await);
    assert_eq!(direct.get(&cx, "a".into()).await, Ok(item("a", 10)));
    drop(gates);
}
