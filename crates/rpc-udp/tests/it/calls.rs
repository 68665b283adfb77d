//! What each kind of call answers, and what is refused before it is sent.

use crate::chaos::Chaos;
use crate::here::{Here, PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::remote::{Remote, options};
use ipc_testkit::watchdog;
use rpc_core::{Channel, Code, Context, Router, Server, Status, TraceContext, items, service};
use rpc_testkit::calculator::{Adder, CALCULATOR_SERVICE, CalculatorClient, CalculatorServer};
use rpc_testkit::inventory::{StockClient, item};
use rpc_udp::{Limits, Options};
use std::time::Duration;

/// The status of what must fail.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code) -> Status {
    let status = outcome.expect_err("it is refused");
    assert_eq!(status.code(), code, "{status}");
    status
}

/// The table of cases as far as datagrams carry it; the rest is refused, naming the method.
async fn table<C: Channel + Clone>(channel: C) {
    let calculator = CalculatorClient::new(channel.clone());
    let cx = Context::new();
    assert_eq!(calculator.add(&cx, 2, u64::MAX).await, Ok(1));
    calculator.note(&cx, "hello".into()).await.expect("sent");
    let short = || Context::new().timeout(Duration::from_millis(20));
    refused(calculator.never(&short()).await, Code::DeadlineExceeded);
    refused(
        calculator.add(&cx, u64::MAX, u64::MAX).await,
        Code::Internal,
    );
    let streams = refused(
        calculator.count(&cx, 3).await.map(drop),
        Code::Unimplemented,
    );
    assert!(
        streams
            .message()
            .contains("calculator.v1.Calculator/Count is server-stream")
    );
    assert!(streams.message().ends_with("use tcp") && streams.did_not_run());

    let stock = StockClient::new(channel);
    assert_eq!(stock.put(&cx, item("one", 2)).await, Ok(2));
    assert_eq!(stock.get(&cx, "one".into()).await, Ok(item("one", 2)));
    let missing = refused(stock.get(&cx, "none".into()).await, Code::NotFound);
    assert_eq!(missing.message(), "no item `none`");
    assert!(!missing.did_not_run());
    let many = stock.fill(&cx, items([item("two", 1)])).await;
    assert!(
        refused(many, Code::Unimplemented)
            .message()
            .contains("Fill")
    );
    stock.note(&cx, "hello".into()).await.expect("sent");
    refused(stock.get(&cx, "panic".into()).await, Code::Internal);
    refused(
        stock.get(&short(), "never".into()).await,
        Code::DeadlineExceeded,
    );
    assert_eq!(stock.get(&cx, "one".into()).await, Ok(item("one", 2)));
    let traced = Context::new()
        .trace(TraceContext::root())
        .entry("tenant", b"blue");
    assert_eq!(
        stock.put(&traced.expect("short"), item("one", 1)).await,
        Ok(3)
    );
}

#[test]
fn the_table_is_answered_by_another_process() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    block_on(async { table(remote.connect().await).await });
}

#[test]
fn the_table_is_answered_through_chaos() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    let chaos = Chaos::before(remote.address());
    chaos.set(200, 200, 300);
    block_on(async {
        let connection = options()
            .connect(&chaos.endpoint())
            .await
            .expect("patience");
        let calculator = CalculatorClient::new(connection.clone());
        for number in 0..100 {
            assert_eq!(
                calculator.add(&Context::new(), number, 1).await,
                Ok(number + 1)
            );
        }
        // A deadline of 20 ms is often too short here, so the rest without loss.
        chaos.set(0, 500, 500);
        table(connection).await;
    });
}

#[test]
fn a_contract_that_streams_is_refused_at_bind_naming_the_method() {
    let _watchdog = watchdog(PATIENCE);
    block_on(async {
        let strict = Options::new().insecure_plain_text(true).clone();
        let serving = strict.bind("udp:127.0.0.1:0").expect("bind");
        let place = serving.endpoint().expect("bound");
        let router = Router::new().service(CalculatorServer::new(Adder));
        let refusal = refused(
            Server::new(router).with(serving).map(drop),
            Code::Unimplemented,
        );
        assert!(
            refusal.message().contains("calculator.v1.Calculator/Count"),
            "{refusal}"
        );
        let again = strict.bind(&place).expect("the refused binding is closed");
        tokio::spawn(
            Server::new(Router::new())
                .with(again)
                .expect("nothing streams")
                .run(),
        );
        let connection = strict.connect(&place).await.expect("connect");
        refused(connection.carries(&CALCULATOR_SERVICE), Code::Unimplemented);
    });
}

#[test]
fn plain_datagrams_need_a_word_that_they_are_meant() {
    let _watchdog = watchdog(PATIENCE);
    block_on(async {
        let refusal = refused(
            Options::new().bind("udp:127.0.0.1:0"),
            Code::PermissionDenied,
        );
        assert!(refusal.message().contains("insecure_plain_text"));
        let connected = Options::new().connect("udp:127.0.0.1:9").await;
        refused(connected, Code::PermissionDenied);
    });
}

#[test]
fn what_is_too_large_is_refused_with_its_size_the_limit_and_what_to_do() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    block_on(async {
        let ledger = LedgerClient::new(remote.connect().await);
        let cx = Context::new();
        // What a call takes beside its bytes is the same for all of them.
        let refusal = refused(
            ledger.take(&cx, vec![7; 1_200]).await,
            Code::ResourceExhausted,
        );
        assert!(refusal.did_not_run(), "it was not sent");
        let text = refusal.message().to_owned();
        let size: usize = text
            .split(' ')
            .nth(3)
            .and_then(|size| size.parse().ok())
            .expect("size");
        assert_eq!(
            text,
            format!("the call takes {size} bytes, a datagram at most 1200: use tcp")
        );
        let most = 1_200 - (size - 1_200);
        assert_eq!(
            ledger.take(&cx, vec![7; most]).await,
            Ok(most as u32),
            "at the limit"
        );
        refused(
            ledger.take(&cx, vec![7; most + 1]).await,
            Code::ResourceExhausted,
        );

        let refusal = refused(ledger.bytes(&cx, 1_200).await, Code::ResourceExhausted);
        assert!(
            !refusal.did_not_run(),
            "it ran, and its answer does not fit"
        );
        assert!(
            refusal
                .message()
                .contains("a datagram at most 1200: use tcp"),
            "{refusal}"
        );
        assert_eq!(
            ledger.bytes(&cx, 1_100).await.map(|bytes| bytes.len()),
            Ok(1_100)
        );
    });
}

#[test]
fn a_datagram_of_the_largest_size_is_carried_where_both_sides_say_so() {
    let _watchdog = watchdog(PATIENCE);
    let limits = Limits::new().max_datagram_bytes(usize::MAX).clone();
    let here = Here::serve(&limits);
    block_on(async {
        let options = options().limits(limits).clone();
        let ledger = LedgerClient::new(options.connect(&here.place).await.expect("connect"));
        let cx = Context::new();
        assert_eq!(ledger.take(&cx, vec![7; 65_000]).await, Ok(65_000));
        assert_eq!(
            ledger.bytes(&cx, 65_000).await.map(|bytes| bytes.len()),
            Ok(65_000)
        );
        let refusal = refused(
            ledger.take(&cx, vec![7; 65_507]).await,
            Code::ResourceExhausted,
        );
        assert!(refusal.message().contains("at most 65507"), "{refusal}");
    });
}

mod other {
    //! Another service of the same name.
    use super::service;
    use rpc_core::{Context, Status};

    #[service(name = "ledger.v1.Ledger")]
    pub(crate) trait Ledger {
        async fn put(&self, cx: &Context, name: u64) -> Result<u32, Status>;
    }
}

#[test]
fn another_contract_is_refused_and_runs_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    block_on(async {
        let connection = remote.connect().await;
        let stranger = other::LedgerClient::new(connection.clone());
        let status = refused(
            stranger.put(&Context::new(), 7).await,
            Code::FailedPrecondition,
        );
        assert!(status.did_not_run());
        assert!(status.message().contains("different contracts"), "{status}");
        let totals = LedgerClient::new(connection).totals(&Context::new()).await;
        assert_eq!(totals.expect("an answer").names, 0);
    });
}

#[test]
fn a_call_that_is_dropped_drops_its_handler_and_one_past_its_deadline_too() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    block_on(async {
        let connection = remote.connect().await;
        let ledger = LedgerClient::new(connection.clone());
        let cx = Context::new();
        let holding = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.hold(&Context::new()).await }
        });
        while ledger.totals(&cx).await.expect("an answer").held < 1 {}
        assert_eq!(ledger.totals(&cx).await.expect("an answer").dropped, 0);
        holding.abort();
        while ledger.totals(&cx).await.expect("an answer").dropped < 1 {}
        let short = Context::new().timeout(Duration::from_millis(50));
        refused(ledger.hold(&short).await, Code::DeadlineExceeded);
        while ledger.totals(&cx).await.expect("an answer").dropped < 2 {}
        assert_eq!(connection.calls_under_way(), 0);
    });
}

#[test]
fn a_client_that_goes_ends_what_it_has_begun() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start();
    block_on(async {
        let other = LedgerClient::new(remote.connect().await);
        let ledger = LedgerClient::new(remote.connect().await);
        let holding = tokio::spawn(async move { ledger.hold(&Context::new()).await });
        while other.totals(&Context::new()).await.expect("an answer").held < 1 {}
        holding.abort();
        while other
            .totals(&Context::new())
            .await
            .expect("an answer")
            .dropped
            < 1
        {}
    });
}
