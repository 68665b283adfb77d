//! Policies around calls: who may, how often, how many at once, and when to call again.

use rpc_core::layers::{
    Authenticate, Authorize, Concurrency, Deadlines, Hedge, Rate, Retry, Spans, Statistics,
    Throttle,
};
use rpc_core::{
    Call, CallFuture, Channel, Code, Context, Payload, Principal, Reply, Router, Status, Tower,
    TraceContext, block_on, ready,
};
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::inventory::{Item, Shop, StockClient, StockServer};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower_layer::Layer;

/// A channel that notes what comes, and fails as it is told.
#[derive(Clone, Default)]
struct Fake {
    seen: Arc<Mutex<Vec<Context>>>,
    failures: Arc<Mutex<Vec<Status>>>,
}

impl Fake {
    fn failing(failures: impl IntoIterator<Item = Status>) -> Self {
        let mut failures: Vec<_> = failures.into_iter().collect();
        failures.reverse();
        let fake = Self::default();
        *fake.failures.lock().expect("no panic") = failures;
        fake
    }

    fn calls(&self) -> usize {
        self.seen.lock().expect("no panic").len()
    }
}

impl Channel for Fake {
    fn call(&self, call: Call) -> CallFuture {
        self.seen.lock().expect("no panic").push(call.context);
        let failure = self.failures.lock().expect("no panic").pop();
        ready(match failure {
            Some(status) => Err(status),
            None => Ok(Reply::one(Payload::of(7_u32))),
        })
    }
}

fn item() -> Item {
    Item {
        sku: "a".into(),
        count: 1,
    }
}

fn unavailable() -> Status {
    Status::bare(Code::Unavailable)
}

fn retry() -> Retry {
    Retry::new()
        .attempts("*", 3)
        .backoff(Duration::ZERO, Duration::ZERO)
}

/// How a non-idempotent `put` or an idempotent `get` ends over `channel`.
fn put(channel: impl Channel) -> Result<u32, Status> {
    block_on(StockClient::new(channel).put(&Context::new(), item()))
}

fn get_code(channel: impl Channel) -> Option<Code> {
    let got = block_on(StockClient::new(channel).get(&Context::new(), "a".into()));
    // The fake answers a number where an item belongs: that is a success here.
    got.err()
        .map(|status| status.code())
        .filter(|code| *code != Code::Internal)
}

#[test]
fn an_idempotent_call_is_repeated_and_another_only_if_it_did_not_run() {
    let fake = Fake::failing([unavailable(), unavailable()]);
    assert_eq!(get_code(retry().layer(fake.clone())), None);
    assert_eq!(fake.calls(), 3);
    let attempts: Vec<_> = fake
        .seen
        .lock()
        .expect("no panic")
        .iter()
        .map(Context::attempt)
        .collect();
    assert_eq!(attempts, [0, 1, 2]);

    let fake = Fake::failing([unavailable()]);
    let outcome = put(retry().layer(fake.clone()));
    assert_eq!(
        outcome.expect_err("it may have run").code(),
        Code::Unavailable
    );
    assert_eq!(fake.calls(), 1);

    let fake = Fake::failing([unavailable().before_running()]);
    assert_eq!(put(retry().layer(fake.clone())), Ok(7));
    assert_eq!(fake.calls(), 2);
}

#[test]
fn attempts_codes_and_push_back_bound_the_retries() {
    let fake = Fake::failing((0..9).map(|_| unavailable()));
    assert_eq!(
        get_code(retry().layer(fake.clone())),
        Some(Code::Unavailable)
    );
    assert_eq!(fake.calls(), 3);
    let fake = Fake::failing([Status::bare(Code::NotFound)]);
    assert_eq!(get_code(retry().layer(fake.clone())), Some(Code::NotFound));
    assert_eq!(fake.calls(), 1);
    // Later than the deadline of two seconds that the contract sets.
    let fake = Fake::failing([unavailable().retry_after_millis(60_000)]);
    assert_eq!(
        get_code(retry().layer(fake.clone())),
        Some(Code::Unavailable)
    );
    assert_eq!(fake.calls(), 1);
}

#[test]
fn a_server_that_wants_no_further_attempt_gets_none_of_either_kind() {
    let never = || unavailable().retry_after_millis(Status::NEVER_AGAIN);
    let method = || item().sku;
    // No deadline shortens the wait here: it would be one of weeks.
    let fake = Fake::failing([never()]);
    let stock = StockClient::new(retry().layer(fake.clone()));
    let got = block_on(stock.get(&Context::background(), method()));
    assert_eq!(
        (got.expect_err("never").code(), fake.calls()),
        (Code::Unavailable, 1)
    );
    let fake = Fake::failing([never(), never()]);
    let hedge = Hedge::new().attempts("*", 3, Duration::from_secs(3600));
    assert_eq!(get_code(hedge.layer(fake.clone())), Some(Code::Unavailable));
    assert_eq!(fake.calls(), 1);
}

#[test]
fn hedges_and_retries_draw_on_one_bucket() {
    let throttle = Throttle::new(10, 0.1);
    let hedge = Hedge::new()
        .attempts("*", 2, Duration::ZERO)
        .throttle(&throttle);
    let fake = Fake::failing((0..10_000).map(|_| unavailable()));
    let hedged = hedge.layer(fake.clone());
    for _ in 0..100 {
        assert_eq!(get_code(hedged.clone()), Some(Code::Unavailable));
    }
    // Five failures empty the upper half; some of them were of second attempts.
    assert!((101..=105).contains(&fake.calls()), "{}", fake.calls());
    assert!(!throttle.allows());
    // What hedges have used up, retries do not have.
    let fake = Fake::failing([unavailable(), unavailable()]);
    let retried = retry().throttle(&throttle).layer(fake.clone());
    assert_eq!(get_code(retried), Some(Code::Unavailable));
    assert_eq!(fake.calls(), 1);
    // Successes fill it again, a tenth of a token each.
    let fine = Fake::failing([]);
    let hedged = hedge.layer(fine.clone());
    for _ in 0..110 {
        assert_eq!(get_code(hedged.clone()), None);
    }
    assert!(throttle.allows());
}

#[test]
fn a_backend_that_always_fails_gets_little_more_than_what_is_asked() {
    let fake = Fake::failing((0..10_000).map(|_| unavailable()));
    let channel = retry().layer(fake.clone());
    for _ in 0..1_000 {
        assert_eq!(get_code(channel.clone()), Some(Code::Unavailable));
    }
    assert!(
        fake.calls() <= 1_100,
        "{} attempts for 1000 calls",
        fake.calls()
    );
}

#[test]
fn only_who_is_known_and_allowed_gets_through() {
    let who = |metadata: &rpc_core::Metadata| {
        let name = metadata.text("name")?;
        Some(Principal::new(name, [name]))
    };
    let shop = Arc::new(Shop::default());
    let router = Router::new().service(StockServer::new(Arc::clone(&shop)));
    let guarded = Authorize::new()
        .allow("inventory.v1.Stock/Get", [Authorize::ANYONE])
        .layer(router);
    let stock = StockClient::new(Authenticate::by(move |_, m| who(m)).layer(guarded));
    let call = |name: &str| {
        let cx = Context::new()
            .entry("name", name.as_bytes())
            .expect("short");
        let put = block_on(stock.put(&cx, item()))
            .err()
            .map(|status| status.code());
        let get = block_on(stock.get(&cx, "a".into()))
            .err()
            .map(|status| status.code());
        let fill = block_on(stock.fill(&cx, rpc_core::items([item()])));
        (put, get, fill.err().map(|status| status.code()))
    };
    let denied = Some(Code::PermissionDenied);
    // The contract lets clerks put; nobody has said who may fill.
    assert_eq!(call("clerk"), (None, None, denied));
    assert_eq!(call("guest"), (denied, None, denied));
    let nobody = block_on(stock.get(&Context::new(), "a".into()));
    let nobody = nobody.expect_err("nobody");
    assert!(nobody.code() == Code::Unauthenticated && nobody.did_not_run());
}

#[test]
fn a_delegate_is_believed_and_another_is_not() {
    let seen = Fake::default();
    let roles = |name: &str| if name == "gate" { "delegate" } else { "user" };
    let layer = Authenticate::by(move |_, metadata| {
        let name = metadata.text("name")?;
        Some(Principal::new(name, [roles(name)]))
    });
    let stock = StockClient::new(layer.layer(seen.clone()));
    for name in ["gate", "mallory"] {
        let cx = Context::new().entry("name", name.as_bytes());
        let cx = cx
            .and_then(|cx| cx.entry(Context::ORIGIN, b"ann"))
            .expect("short");
        block_on(stock.put(&cx, item())).expect("let through");
    }
    let seen = seen.seen.lock().expect("no panic");
    let origins: Vec<_> = seen
        .iter()
        .filter_map(Context::principal)
        .map(Principal::origin)
        .collect();
    assert_eq!(origins, ["ann", "mallory"]);
}

#[test]
fn what_is_beyond_a_limit_is_shed_and_did_not_run() {
    let fake = Fake::default();
    let channel = Rate::new().at_most("*", 0.001, 2).layer(fake.clone());
    let outcomes: Vec<_> = (0..4).map(|_| put(channel.clone())).collect();
    assert_eq!(fake.calls(), 2);
    let refused = outcomes[3].as_ref().expect_err("beyond");
    assert!(refused.code() == Code::ResourceExhausted && refused.did_not_run());
    assert!(refused.push_back_millis().is_some());

    let shop = Arc::new(Shop::default());
    let router = Router::new().service(StockServer::new(shop));
    let channel = Concurrency::new().at_most("*", 1).layer(router);
    let stock = StockClient::new(channel);
    let held = block_on(stock.list(&Context::new(), String::new())).expect("a stream");
    let refused = block_on(stock.put(&Context::new(), item())).expect_err("one runs");
    assert!(refused.code() == Code::ResourceExhausted && refused.did_not_run());
    drop(held);
    assert_eq!(block_on(stock.put(&Context::new(), item())), Ok(1));
}

#[test]
fn a_server_shortens_what_a_caller_allows() {
    let fake = Fake::default();
    let limit = Duration::from_secs(10);
    put(Deadlines::new().at_most("*", limit).layer(fake.clone())).expect("answered");
    let left = fake.seen.lock().expect("no panic")[0].remaining();
    assert!(left.is_some_and(|left| left <= limit));
}

#[test]
fn calls_are_counted_and_traced() {
    let statistics = Statistics::new();
    let fake = Fake::failing([Status::bare(Code::Aborted)]);
    let channel = Spans.layer(statistics.layer(fake.clone()));
    let root = TraceContext::root();
    let stock = StockClient::new(channel);
    let cx = Context::new().trace(root);
    assert!(block_on(stock.put(&cx, item())).is_err());
    assert!(block_on(stock.put(&cx, item())).is_ok());
    let counted = &statistics.methods()[0];
    assert_eq!(
        (counted.service, counted.method),
        ("inventory.v1.Stock", "Put")
    );
    assert_eq!(
        (counted.started, counted.succeeded, counted.failed),
        (2, 1, 1)
    );
    assert_eq!(counted.by_code[Code::Aborted as usize], 1);
    let seen = fake.seen.lock().expect("no panic")[0]
        .traced()
        .expect("traced");
    assert!(seen.trace_id == root.trace_id && seen.span_id != root.span_id);
}

#[test]
fn a_channel_is_a_tower_service_and_back() {
    let tower = rpc_core::FromTower(Tower(Fake::default()));
    assert_eq!(put(tower), Ok(7));
}

#[test]
fn a_server_tells_what_it_offers_and_what_was_counted() {
    use rpc_core::introspect::{IntrospectionClient, Introspector};
    let statistics = Statistics::new();
    let router = Router::new().service(StockServer::new(Arc::new(Shop::default())));
    let introspection = Introspector::new(&router, &statistics).service();
    let channel = Arc::new(statistics.layer(router.service(introspection)));
    let cx = Context::new();
    let stock = StockClient::new(Arc::clone(&channel));
    block_on(stock.put(&cx, item())).expect("put");
    let introspection = IntrospectionClient::new(channel);
    let services = block_on(introspection.services(&cx)).expect("told");
    assert_eq!(services.names, ["inventory.v1.Stock"]);
    let told = block_on(introspection.describe(&cx, "inventory.v1.Stock".into())).expect("told");
    assert_eq!(told.proto, rpc_testkit::inventory::STOCK_SERVICE.proto());
    let missing = block_on(introspection.describe(&cx, "x".into())).expect_err("unknown");
    assert_eq!(missing.code(), Code::NotFound);
    let counts = block_on(introspection.counts(&cx)).expect("told").methods;
    let put = counts
        .iter()
        .find(|count| count.method == "inventory.v1.Stock/Put");
    assert_eq!(
        put.map(|count| (count.started, count.succeeded)),
        Some((1, 1))
    );
}

#[test]
fn what_is_said_of_a_method_counts_before_what_is_said_of_its_service() {
    let rate = || {
        Rate::new()
            .at_most("*", 0.001, 3)
            .at_most("inventory.v1.Stock", 0.001, 2)
            .at_most("inventory.v1.Stock/Put", 0.001, 9)
            .at_most("inventory.v1.Other/Put", 0.001, 8)
            // Said again, the last word counts.
            .at_most("inventory.v1.Stock/Put", 0.001, 1)
    };
    let passed = |call: &dyn Fn(Fake)| {
        let fake = Fake::default();
        call(fake.clone());
        fake.calls()
    };
    let cx = Context::new();
    let of_the_method = passed(&|fake| {
        let channel = rate().layer(fake);
        (0..5).for_each(|_| drop(put(channel.clone())));
    });
    let of_the_service = passed(&|fake| {
        let stock = StockClient::new(rate().layer(fake));
        (0..5).for_each(|_| drop(block_on(stock.get(&cx, "a".into()))));
    });
    let of_all = passed(&|fake| {
        let calculator = CalculatorClient::new(rate().layer(fake));
        (0..5).for_each(|_| drop(block_on(calculator.add(&cx, 1, 2))));
    });
    assert_eq!((of_the_method, of_the_service, of_all), (1, 2, 3));
}
