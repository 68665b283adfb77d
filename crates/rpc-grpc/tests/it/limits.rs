//! Every limit, at it and one beyond.

use crate::raw::{self, Answered};
use crate::shop::{PATIENCE, Served, plain, router};
use crate::spy::Spy;
use http::StatusCode;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Metadata, Server};
use rpc_grpc::Limits;
use rpc_testkit::inventory::{StockClient, item};
use std::sync::Arc;

const GET: &str = "/inventory.v1.Stock/Get";
const LIMIT: u32 = 1_000;

/// A message of `Get` of so many bytes, 131 at least, with its header.
fn message(bytes: usize) -> Vec<u8> {
    let name = bytes - 3;
    let mut message = vec![0];
    message.extend(u32::try_from(bytes).expect("short").to_be_bytes());
    message.extend([10, (name & 127) as u8 | 128, (name >> 7) as u8]);
    message.extend(std::iter::repeat_n(b'x', name));
    message
}

#[tokio::test]
async fn a_message_is_as_large_as_the_limit_on_both_sides_and_not_a_byte_larger() {
    let _watchdog = watchdog(PATIENCE);
    let limit = LIMIT as usize;
    let small = plain().max_message_bytes(LIMIT).clone();
    let (strict, lax) = (Served::unix(small.clone()), Served::unix(plain()));
    let mut sender = raw::sender(&strict.endpoint).await;
    for (bytes, status) in [(limit - 1, 5), (limit, 5), (limit + 1, 8)] {
        let request = raw::request(GET, &[], &message(bytes));
        let answered = raw::send(&mut sender, request).await.expect("an answer");
        assert_eq!(answered.grpc_status(), Some(status), "{bytes}");
    }
    let client = small.connect(&lax.endpoint).await.expect("it listens");
    let stock = StockClient::new(client);
    let cx = Context::new();
    for (name, code) in [(997, Code::NotFound), (998, Code::ResourceExhausted)] {
        let got = stock.get(&cx, "x".repeat(name)).await;
        let failed = got.expect_err("there is none");
        assert_eq!(failed.code(), code, "sent: {name}");
        assert_eq!(failed.did_not_run(), code == Code::ResourceExhausted);
    }
    // An item of so long a name is five bytes longer with its count.
    let generous = StockClient::new(lax.connect().await);
    for (name, fits) in [(995, true), (996, false)] {
        let sku = "y".repeat(name);
        generous.put(&cx, item(&sku, 1)).await.expect("put");
        let mut listed = stock.list(&cx, sku).await.expect("a stream");
        let first = listed.next().await.expect("an item");
        let code = first.err().map(|status| status.code());
        let expected = (!fits).then_some(Code::ResourceExhausted);
        assert_eq!(code, expected, "received: {name}");
    }
    strict.stop().await;
    lax.stop().await;
}

/// Sends a call with a header that makes the list of headers so large.
async fn headers_of(served: &Served, bytes: usize) -> Answered {
    let mut sender = raw::sender(&served.endpoint).await;
    let body = &[0, 0, 0, 0, 3, 10, 1, b'x'];
    // As HTTP/2 counts: name, value, and 32 for each.
    let fixed = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", GET),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("content-length", "8"),
        ("filler", ""),
    ];
    let fixed = fixed.iter().map(|(n, v)| n.len() + v.len() + 32);
    let filler = "f".repeat(bytes - fixed.sum::<usize>());
    let request = raw::request(GET, &[("filler", &filler)], body);
    raw::send(&mut sender, request).await.expect("an answer")
}

#[tokio::test]
async fn headers_are_as_large_as_the_limit_and_not_a_byte_larger() {
    let _watchdog = watchdog(PATIENCE);
    let limits = Limits::new().max_header_bytes(LIMIT).clone();
    let served = Served::unix(plain().limits(limits).clone());
    let limit = LIMIT as usize;
    for bytes in [limit - 1, limit] {
        let answered = headers_of(&served, bytes).await;
        assert_eq!(answered.grpc_status(), Some(5), "{bytes}");
    }
    let answered = headers_of(&served, limit + 1).await;
    let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    assert_eq!(answered.status, too_large, "{answered:?}");
    // What a client of ours makes of that.
    let stock = StockClient::new(served.connect().await);
    let cx = Context::new();
    let cx = cx.entry("filler", &[b'f'; 1_000]).expect("room");
    let failed = stock.get(&cx, "x".into()).await.expect_err("too large");
    assert_eq!(failed.code(), Code::ResourceExhausted);
    served.stop().await;
}

#[tokio::test]
async fn metadata_has_as_many_entries_and_bytes_as_may_be_and_not_one_more() {
    let _watchdog = watchdog(PATIENCE);
    let limits = Limits::new().max_header_bytes(64 << 10).clone();
    let served = Served::unix(plain().limits(limits).clone());
    let mut sender = raw::sender(&served.endpoint).await;
    let good = &[0, 0, 0, 0, 3, 10, 1, b'x'];
    for (entries, status) in [(Metadata::MAX_ENTRIES, 5), (Metadata::MAX_ENTRIES + 1, 8)] {
        let names: Vec<_> = (0..entries).map(|number| format!("n{number}")).collect();
        let headers: Vec<_> = names.iter().map(|name| (&name[..], "v")).collect();
        let request = raw::request(GET, &headers, good);
        let answered = raw::send(&mut sender, request).await.expect("an answer");
        assert_eq!(answered.grpc_status(), Some(status), "{entries}");
    }
    for (bytes, status) in [(Metadata::MAX_BYTES, 5), (Metadata::MAX_BYTES + 1, 8)] {
        let value = "v".repeat(bytes - 4);
        let request = raw::request(GET, &[("name", &value)], good);
        let answered = raw::send(&mut sender, request).await.expect("an answer");
        assert_eq!(answered.grpc_status(), Some(status), "{bytes}");
    }
    served.stop().await;
}

#[tokio::test]
async fn calls_beyond_a_limit_wait_and_oneways_beyond_theirs_are_dropped() {
    let _watchdog = watchdog(PATIENCE);
    for side in ["client", "server"] {
        let spy = Spy::new();
        let server = Server::new(router(&Arc::default())).layer(spy.clone());
        let limits = Limits::new().max_streams(2).clone();
        let mut options = plain().max_oneways(2).clone();
        match side {
            "client" => options.max_calls(2),
            _ => options.limits(limits),
        };
        let served = Served::server(server, options);
        let stock = StockClient::new(served.connect().await);
        let call = || {
            let stock = stock.clone();
            tokio::spawn(async move { stock.get(&Context::background(), "never".into()).await })
        };
        // The first answer tells a client what the server takes.
        let missing = stock.get(&Context::new(), "x".into()).await;
        assert_eq!(missing.expect_err("empty").code(), Code::NotFound);
        let running = [call(), call()];
        spy.running(2).await;
        let third = call();
        // Time enough for it to come, were it sent.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(spy.count(), 3, "{side}: a third call came");
        running[0].abort();
        while spy.count() < 4 {
            tokio::task::yield_now().await;
        }
        spy.running(2).await;
        running[1].abort();
        third.abort();
        spy.running(0).await;
        for _ in 0..3 {
            let note = stock.note(&Context::new(), "never".into()).await;
            note.expect("it was sent");
        }
        spy.running(2).await;
        assert_eq!(spy.count(), 6, "{side}: one is dropped");
        drop(stock);
        served.stop().await;
    }
}

#[tokio::test]
async fn connections_beyond_a_limit_are_refused_until_one_goes() {
    let _watchdog = watchdog(PATIENCE);
    for (all, per_user) in [(2, 10), (10, 2)] {
        let served = Served::unix(plain().max_connections(all, per_user).clone());
        let call = async |stock: &StockClient<_>| stock.put(&Context::new(), item("a", 1)).await;
        let one = StockClient::new(served.connect().await);
        let two = StockClient::new(served.connect().await);
        assert!(call(&one).await.is_ok() && call(&two).await.is_ok());
        let third = served.options.connect(&served.endpoint).await;
        let refused = match third {
            Ok(connection) => call(&StockClient::new(connection)).await.expect_err("full"),
            Err(status) => status,
        };
        assert_eq!(refused.code(), Code::Unavailable, "{all}, {per_user}");
        drop(two);
        // Its seat is free as soon as the server has seen the end.
        loop {
            let next = served.options.connect(&served.endpoint).await;
            if let Ok(connection) = next
                && call(&StockClient::new(connection)).await.is_ok()
            {
                break;
            }
        }
        assert!(call(&one).await.is_ok());
        drop(one);
        served.stop().await;
    }
}
