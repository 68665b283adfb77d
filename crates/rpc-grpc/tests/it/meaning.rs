//! What a deadline, a cancellation, a trace, metadata and a failure mean on the other side.

use crate::raw;
use crate::shop::{PATIENCE, Served, plain, router};
use crate::spy::Spy;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Peer, Server, TraceContext};
use rpc_testkit::calculator::CalculatorClient;
use rpc_testkit::inventory::{StockClient, item};
use std::sync::Arc;
use std::time::Duration;

fn spied() -> (Spy, Served) {
    let spy = Spy::new();
    let server = Server::new(router(&Arc::default())).layer(spy.clone());
    (spy, Served::server(server, plain()))
}

#[tokio::test]
async fn metadata_trace_deadline_and_peer_arrive() {
    let _watchdog = watchdog(PATIENCE);
    let (spy, served) = spied();
    let stock = StockClient::new(served.connect().await);
    let trace = TraceContext::root();
    let cx = Context::new()
        .timeout(Duration::from_secs(7))
        .trace(trace)
        .entry("tenant", b"blue")
        .and_then(|cx| cx.entry("tenant", b"green"))
        .and_then(|cx| cx.entry("key-bin", &[0, 255, 10]))
        .expect("good names");
    assert_eq!(stock.put(&cx, item("a", 1)).await, Ok(1));
    let seen = spy.last();
    assert_eq!(seen.metadata(), cx.metadata());
    assert_eq!(seen.traced(), Some(trace));
    let left = seen.remaining().expect("a deadline");
    assert!(left <= Duration::from_secs(7), "{left:?}");
    let Peer::Unix(peer) = seen.peer() else {
        panic!("{:?}", seen.peer());
    };
    assert_eq!(peer.pid, std::process::id());
    served.stop().await;
}

#[tokio::test]
async fn a_failure_arrives_with_its_text_and_details() {
    let _watchdog = watchdog(PATIENCE);
    let (_, served) = spied();
    let connection = served.connect().await;
    let stock = StockClient::new(connection.clone());
    for code in Code::ALL.into_iter().skip(1) {
        let number = (code as u8).to_string();
        let cx = Context::new()
            .entry("fail-with", number.as_bytes())
            .expect("a name");
        let unary = stock.put(&cx, item("a", 1)).await.expect_err("as asked");
        let stream = stock.list(&cx, String::new()).await.expect_err("as asked");
        for status in [unary, stream] {
            assert_eq!(
                (status.code(), status.message()),
                (code, "as asked: ☺ 100%")
            );
            assert_eq!(&status.details()[0].value[..], b"\0\xff");
            assert_eq!(status.push_back_millis(), Some(70));
            assert!(!status.did_not_run());
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn a_deadline_ends_a_stream_in_the_middle_on_both_sides() {
    let _watchdog = watchdog(PATIENCE);
    let (spy, served) = spied();
    let calculator = CalculatorClient::new(served.connect().await);
    let cx = Context::new().timeout(Duration::from_millis(100));
    let end = match calculator.count(&cx, u64::MAX - 1).await {
        Ok(mut counted) => loop {
            match counted.next().await.expect("it has no other end") {
                Ok(_) => {}
                Err(status) => break status,
            }
        },
        // A busy machine may not come as far as the first item.
        Err(status) => status,
    };
    assert_eq!(end.code(), Code::DeadlineExceeded);
    spy.running(0).await;
    // A client that does not look at the clock itself hears the same of the server.
    let mut sender = raw::sender(&served.endpoint).await;
    let body = [&[0, 0, 0, 0, 11, 8, 254][..], &[255; 8], &[1]].concat();
    let count = "/calculator.v1.Calculator/Count";
    let mut millis = 50;
    loop {
        let timeout = format!("{millis}m");
        let request = raw::request(count, &[("grpc-timeout", &timeout)], &body);
        let answered = raw::send(&mut sender, request).await.expect("an answer");
        assert_eq!(answered.grpc_status(), Some(4));
        // Nor may the server, where this is the middle.
        if !answered.body.is_empty() {
            break;
        }
        millis *= 2;
    }
    let never = "/calculator.v1.Calculator/Never";
    let request = raw::request(never, &[("grpc-timeout", "20000u")], &[0; 5]);
    let answered = raw::send(&mut sender, request).await.expect("an answer");
    assert_eq!(answered.grpc_status(), Some(4));
    served.stop().await;
}

#[tokio::test]
async fn a_deadline_drops_the_handler_of_a_client_that_takes_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (spy, served) = spied();
    let mut sender = raw::sender(&served.endpoint).await;
    let body = [&[0, 0, 0, 0, 11, 8, 254][..], &[255; 8], &[1]].concat();
    let count = "/calculator.v1.Calculator/Count";
    let request = raw::request(count, &[("grpc-timeout", "100m")], &body);
    let response = sender.send_request(request).await.expect("a head");
    spy.running(0).await;
    assert_eq!(spy.count(), 1);
    drop(response);
    served.stop().await;
}

#[tokio::test]
async fn dropping_a_call_or_a_stream_drops_its_handler() {
    let _watchdog = watchdog(PATIENCE);
    let (spy, served) = spied();
    let connection = served.connect().await;
    let stock = StockClient::new(connection.clone());
    let cx = Context::new();
    let never = tokio::spawn({
        let (stock, cx) = (stock.clone(), cx.clone());
        async move { stock.get(&cx, "never".into()).await }
    });
    spy.running(1).await;
    never.abort();
    spy.running(0).await;
    let calculator = CalculatorClient::new(connection);
    let mut counted = calculator.count(&cx, u64::MAX - 1).await.expect("a stream");
    assert_eq!(counted.next().await, Some(Ok(0)));
    spy.running(1).await;
    drop(counted);
    spy.running(0).await;
    // A connection that is lost cancels what it carried.
    let look = stock.look(&cx, futures_util::stream::pending()).await;
    let look = look.expect("a stream");
    spy.running(1).await;
    drop((look, stock, calculator));
    spy.running(0).await;
    served.stop().await;
}

#[tokio::test]
async fn draining_finishes_what_runs_and_takes_nothing_new() {
    let _watchdog = watchdog(PATIENCE);
    let (spy, served) = spied();
    let stock = StockClient::new(served.connect().await);
    let cx = Context::new();
    let (feed, fed) = tokio::sync::mpsc::channel(1);
    let items = futures_util::stream::unfold(fed, |mut fed| async {
        fed.recv().await.map(|item| (item, fed))
    });
    let fill = tokio::spawn({
        let (stock, cx) = (stock.clone(), cx.clone());
        async move { stock.fill(&cx, items).await }
    });
    spy.running(1).await;
    served.stopper.stop();
    // The goodbye is there when a new call fails; it provably did not run.
    let refused = loop {
        match stock.put(&cx, item("a", 1)).await {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.did_not_run());
    feed.send(item("b", 1)).await.expect("it is taken");
    drop(feed);
    assert_eq!(fill.await.expect("no panic"), Ok(1));
    served
        .task
        .await
        .expect("no panic")
        .expect("an orderly end");
}

#[tokio::test]
async fn reply_metadata_comes_back() {
    let _watchdog = watchdog(PATIENCE);
    let (_, served) = spied();
    let mut sender = raw::sender(&served.endpoint).await;
    let note = "/inventory.v1.Stock/List";
    let request = raw::request(note, &[("echo-this", "yes"), ("echo-bin", "AP8")], &[0; 5]);
    let answered = raw::send(&mut sender, request).await.expect("an answer");
    assert_eq!(answered.headers.get("echo-this").expect("echoed"), "yes");
    assert_eq!(answered.headers.get("echo-bin").expect("echoed"), "AP8");
    assert_eq!(answered.grpc_status(), Some(0));
    served.stop().await;
}
