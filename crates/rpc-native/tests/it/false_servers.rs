//! Servers that lie: the client's call ends with the reason, the connection with it, and nothing
//! hangs or panics.

use crate::raw::{BOUND, CALL, CLOSE, CREDIT, MESSAGE, RETURN, Raw, frame, hello};
use crate::remote::PATIENCE;
use ipc_testkit::watchdog;
use rpc_core::{Channel, Code, Context, Status, block_on};
use rpc_native::Options;
use rpc_testkit::inventory::{StockClient, item};

/// Its name, the bytes, and what the client says of them.
type Lie = (&'static str, fn(u32) -> Vec<u8>, &'static str);

/// What a server answers to the first call instead of what it should, and what its client says.
const LIES: &[Lie] = &[
    (
        "a return of a call that is not under way",
        |n| frame(RETURN, 0, 2 + n, b"\0"),
        "a return of a call that is not under way",
    ),
    (
        "an item of a call that is not under way",
        |n| frame(MESSAGE, 0, 2 + n, b"x"),
        "an item of a call that is not under way",
    ),
    (
        "an empty return",
        |_| frame(RETURN, 0, 1, b""),
        "a return is cut short",
    ),
    (
        "a failure cut short",
        |n| frame(RETURN, 0, 1, &vec![5; 1 + n as usize % 6]),
        "a failure is cut short",
    ),
    (
        "frames of a client",
        |_| frame(CALL, 8, 1, &[0; 8]),
        "a server does not send this frame",
    ),
    (
        "a word that nobody asked for",
        |n| frame(BOUND, 0, 0, &[1, n as u8, 0, 0]),
        "a word on a service that nobody asked for",
    ),
    (
        "a word cut short",
        |_| frame(BOUND, 0, 0, &[1, 0]),
        "a word on a service is cut short",
    ),
    (
        "credit for nothing",
        |n| frame(CREDIT, 0, 1, &(1 + n).to_le_bytes()),
        "a credit for what was never sent",
    ),
    (
        "a second greeting",
        |_| hello(),
        "a connection begins with one greeting",
    ),
    (
        "a flag that a return has not",
        |n| frame(RETURN, 64 | n as u8, 1, b"\0"),
        "a frame with a flag that its kind has not",
    ),
    (
        "four gigabytes",
        |_| [[0xff; 4].as_slice(), &[RETURN, 0, 0, 0, 1, 0, 0, 0]].concat(),
        "a frame is longer than the limit",
    ),
    (
        "its end",
        |n| frame(CLOSE, 0, 0, &[1 + n as u8, b'b', b'y', b'e']),
        "the peer closed: bye",
    ),
];

/// Greets, takes the name of the service for known, and lies at the first call.
fn lie(mut raw: Raw, what: &[u8]) {
    raw.send(&hello());
    while let Some(came) = raw.next() {
        match came.kind {
            2 => raw.send(&frame(
                BOUND,
                0,
                0,
                &[came.payload[0], came.payload[1], 0, 0],
            )),
            CALL => raw.send(what),
            _ => {}
        }
    }
}

async fn ask(stock: &StockClient<impl Channel>, reason: &str) {
    let cx = Context::new();
    let first = stock.get(&cx, "x".into()).await.expect_err("a lie");
    assert!(
        first.message().contains(reason),
        "{first} instead of {reason}"
    );
    assert!(!first.did_not_run(), "it may have run");
    let again: Status = stock.get(&cx, "x".into()).await.expect_err("it has ended");
    assert_eq!(again.code(), Code::Unavailable);
    assert!(again.did_not_run());
}

#[test]
fn a_lie_ends_the_call_and_the_connection() {
    let _watchdog = watchdog(PATIENCE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    for (name, make, reason) in LIES {
        for round in 0..20 {
            let what = make(round);
            let serve = |raw| {
                let what = what.clone();
                std::thread::spawn(move || lie(raw, &what))
            };
            let (raw, wire) = Raw::pair();
            let server = serve(raw);
            let connection = Options::new().over_blocking(wire).expect("greeted");
            block_on(ask(&StockClient::new(connection), reason));
            server.join().expect(name);
            let (raw, wire) = Raw::pair();
            let server = serve(raw);
            runtime.block_on(async {
                let connection = Options::new().over(wire).await.expect("greeted");
                ask(&StockClient::new(connection), reason).await;
            });
            server.join().expect(name);
        }
    }
}

/// Answers the first call twice.
fn repeat(raw: Raw) {
    let item = b"\0\x0a\x01x\x10\x01";
    lie(
        raw,
        &[frame(RETURN, 0, 1, item), frame(RETURN, 0, 1, item)].concat(),
    );
}

#[test]
fn a_second_return_of_a_call_ends_the_connection_and_not_the_next_call() {
    let _watchdog = watchdog(PATIENCE);
    let cx = Context::new();
    let refused = |status: Status| {
        let wrong = "a return of a call that is not under way";
        assert!(status.message().contains(wrong), "{status}");
        assert_eq!(status.code(), Code::Unavailable);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    for _ in 0..100 {
        let (raw, wire) = Raw::pair();
        let server = std::thread::spawn(move || repeat(raw));
        let stock = StockClient::new(Options::new().over_blocking(wire).expect("greeted"));
        assert_eq!(block_on(stock.get(&cx, "x".into())), Ok(item("x", 1)));
        refused(block_on(stock.get(&cx, "x".into())).expect_err("it has ended"));
        drop(stock);
        server.join().expect("no panic");
        let (raw, wire) = Raw::pair();
        let server = std::thread::spawn(move || repeat(raw));
        runtime.block_on(async {
            let connection = Options::new().over(wire).await.expect("greeted");
            let stock = StockClient::new(connection);
            assert_eq!(stock.get(&cx, "x".into()).await, Ok(item("x", 1)));
            refused(stock.get(&cx, "x".into()).await.expect_err("it has ended"));
        });
        server.join().expect("no panic");
    }
}

/// Answers each BIND with "another contract" and the text of a contract that suits, for ever.
fn deny(mut raw: Raw) -> u32 {
    let text = rpc_testkit::inventory::STOCK_SERVICE.contract().text() + "service another.One\n";
    let (mut asked, mut payload) = (0, Vec::new());
    raw.send(&hello());
    while let Some(came) = raw.next() {
        if came.kind == 2 {
            asked += 1;
            payload.clear();
            payload.extend([came.payload[0], came.payload[1], 2, 0]);
            payload.extend(text.as_bytes());
            raw.send(&frame(BOUND, 0, 0, &payload));
        }
    }
    asked
}

#[test]
fn a_server_that_denies_its_own_contract_is_asked_twice() {
    let _watchdog = watchdog(PATIENCE);
    let (raw, wire) = Raw::pair();
    let server = std::thread::spawn(|| deny(raw));
    let connection = Options::new().over_blocking(wire).expect("greeted");
    let stock = StockClient::new(connection);
    let refused = block_on(stock.get(&Context::new(), "x".into())).expect_err("no contract");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(
        refused.message(),
        "the server denies the contract that it told"
    );
    drop(stock);
    assert_eq!(server.join().expect("no panic"), 2);
}
