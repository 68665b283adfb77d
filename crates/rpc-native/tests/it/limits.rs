//! What a hostile client could get around: the method's limit in a stream, its deadline in a queue,
//! the end of its connection by calls that nobody answers.

use crate::raw::{DEADLINE, END, LAST, MESSAGE, RETURN, Raw, Serving, bind, call, frame, hello};
use crate::remote::PATIENCE;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Router, Server, Status, Streaming, block_on, items, service};
use rpc_native::{Limits, Options};
use rpc_testkit::calculator::{Adder, CALCULATOR_SERVICE, CalculatorServer};
use rpc_transport::Wire;
use std::sync::Arc;

#[service(name = "limits.v1.Strict")]
trait Strict {
    /// Counts what comes.
    #[rpc(max_message_bytes = 10)]
    async fn fill(&self, cx: &Context, words: Streaming<String>) -> Result<u64, Status>;
    /// Is done before its items have come.
    async fn hasty(&self, cx: &Context, words: Streaming<String>) -> Result<u64, Status>;
    /// Never ends.
    #[rpc(oneway)]
    async fn hold(&self, cx: &Context);
}

/// Each of its handlers holds a copy of it.
#[derive(Clone, Default)]
struct Held(Arc<()>);

impl Strict for Held {
    async fn fill(&self, _: &Context, mut words: Streaming<String>) -> Result<u64, Status> {
        let mut many = 0;
        while let Some(word) = words.next().await {
            word?;
            many += 1;
        }
        Ok(many)
    }

    async fn hasty(&self, _: &Context, _words: Streaming<String>) -> Result<u64, Status> {
        tokio::task::yield_now().await;
        Ok(7)
    }

    async fn hold(&self, _: &Context) {
        let _held = self.clone();
        std::future::pending().await
    }
}

#[test]
fn an_item_above_the_limit_of_its_method_ends_its_call_alone() {
    let _watchdog = watchdog(PATIENCE);
    let serving = Serving::awaited();
    let (mut raw, wire) = Raw::pair();
    serving.serve(
        Router::new().service(StrictServer::new(Held::default())),
        wire,
    );
    raw.send(&[hello(), bind(1, 1, &STRICT_SERVICE)].concat());
    for (length, code) in [
        (8_u8, Code::Ok),
        (9, Code::ResourceExhausted),
        (8, Code::Ok),
    ] {
        let word = [vec![0x0a, length], vec![b'x'; usize::from(length)]].concat();
        raw.send(&call(1, "Fill", 0, &[]));
        raw.send(&frame(MESSAGE, 0, 1, &word));
        raw.send(&frame(END, 0, 1, &[]));
        let came = raw.next_of_a_call().expect("a return");
        assert_eq!(
            (came.kind, Code::from_number(came.payload[0])),
            (RETURN, code)
        );
    }
}

#[test]
fn time_in_the_queue_of_a_blocking_server_counts() {
    let _watchdog = watchdog(PATIENCE);
    let (mut raw, wire) = Raw::pair();
    let router = Router::new().service(CalculatorServer::new(Adder));
    let thread = Serving::Blocking.serve(router, wire);
    let (long, short) = (20_000_u64.to_le_bytes(), 1_000_u64.to_le_bytes());
    let never = call(1, "Never", LAST | DEADLINE, &[&long]);
    let add = call(2, "Add", LAST | DEADLINE, &[&short, &[8, 1, 16, 2]]);
    raw.send(&[hello(), bind(1, 1, &CALCULATOR_SERVICE), never, add].concat());
    for number in 1..=2 {
        let came = raw.next_of_a_call().expect("a return");
        assert_eq!((came.kind, came.call), (RETURN, number));
        assert_eq!(Code::from_number(came.payload[0]), Code::DeadlineExceeded);
    }
    drop(raw);
    thread.map(std::thread::JoinHandle::join);
}

#[tokio::test]
async fn a_lost_connection_drops_oneway_calls_too() {
    let _watchdog = watchdog(PATIENCE);
    let held = Held::default();
    let served = Server::new(Router::new().service(StrictServer::new(held.clone()))).served();
    let (client, server) = Wire::pair().expect("a pair");
    let serving = tokio::spawn(Options::new().serve(server, served));
    let strict = StrictClient::new(Options::new().over(client).await.expect("greeted"));
    let before = Arc::strong_count(&held.0);
    for _ in 0..50 {
        strict.hold(&Context::new()).await.expect("sent");
    }
    while Arc::strong_count(&held.0) < before + 50 {
        tokio::task::yield_now().await;
    }
    drop(strict);
    serving.await.expect("no panic").expect("served");
    // The service itself has gone with its server.
    while Arc::strong_count(&held.0) > 1 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_call_whose_time_is_over_does_not_run() {
    let _watchdog = watchdog(PATIENCE);
    let router = Router::new().service(CalculatorServer::new(Adder));
    let small = rpc_testkit::calculator::CalculatorClient::new(router);
    let late = Context::new().deadline(std::time::Instant::now());
    let status = block_on(small.add(&late, 1, 2)).expect_err("too late");
    assert!(status.code() == Code::DeadlineExceeded && status.did_not_run());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_that_cross_the_end_of_their_call_give_their_credit_back() {
    let _watchdog = watchdog(PATIENCE);
    let mut limits = Limits::new();
    limits
        .connection_credit_bytes(150)
        .stream_credit_bytes(2_000);
    let options = Options::new().limits(limits).clone();
    let served = Server::new(Router::new().service(StrictServer::new(Held::default()))).served();
    let (client, server) = Wire::pair().expect("a pair");
    let serving = tokio::spawn(options.clone().serve(server, served));
    let strict = StrictClient::new(options.over(client).await.expect("greeted"));
    for _ in 0..3_000 {
        let words = items((0..20).map(|_| "x".to_owned()));
        assert_eq!(strict.hasty(&Context::new(), words).await, Ok(7));
    }
    drop(strict);
    serving.await.expect("no panic").expect("served");
}
