//! Servers that talk while a large call is written to them, and read nothing of it.

use crate::raw::{
    BIND, BOUND, CALL, CANCEL, CLOSE, CREDIT, MESSAGE, PING, PONG, RETURN, Raw, frame, hello,
};
use crate::reads::{reads, reads_what_has_come};
use crate::remote::PATIENCE;
use crate::straight::narrow;
use ipc_core::ByteSource;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, block_on};
use rpc_native::{BlockingConnection, Limits, Options};
use rpc_testkit::inventory::{Item, StockClient, item};
use rpc_transport::Wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// More than any of the two transports holds.
const MANY: usize = 1_000_000;
/// The time of a call that nobody answers.
const SHORT: Duration = Duration::from_millis(200);

fn pairs() -> [(Wire, Wire); 2] {
    [Wire::pair().expect("a pair"), narrow()]
}

fn large() -> Item {
    item(&"x".repeat(MANY), 1)
}

/// Greets, takes the name of the service for known, and takes the first call.
fn meet(raw: &mut Raw) {
    raw.send(&hello());
    loop {
        match raw.next().expect("a call") {
            came if came.kind == BIND => {
                let word = [came.payload[0], came.payload[1], 0, 0];
                raw.send(&frame(BOUND, 0, 0, &word));
            }
            came if came.kind == CALL => return,
            _ => {}
        }
    }
}

/// A client that has begun a stream of answers, call 1, and given it up.
fn client<T: Send + 'static>(
    pair: (Wire, Wire),
    serve: impl FnOnce(Raw) -> T + Send + 'static,
) -> (StockClient<BlockingConnection>, JoinHandle<T>) {
    client_of(&Options::new(), pair, serve)
}

fn client_of<T: Send + 'static>(
    options: &Options,
    (near, far): (Wire, Wire),
    serve: impl FnOnce(Raw) -> T + Send + 'static,
) -> (StockClient<BlockingConnection>, JoinHandle<T>) {
    let server = std::thread::spawn(move || {
        let mut raw = Raw::over(far);
        meet(&mut raw);
        serve(raw)
    });
    let connection = options.over_blocking(near).expect("greeted");
    let stock = StockClient::new(connection);
    drop(block_on(stock.list(&Context::new(), "given up".into())));
    (stock, server)
}

/// Sends so much again and again, for as long as it is taken, and reads nothing; how much that was.
fn talk(raw: &Raw, many: &[u8]) -> usize {
    let mut sent = 0;
    while raw.sends(many) {
        sent += many.len();
    }
    sent
}

/// More items for that stream than the transport holds: who has sent them all knows that what it
/// sent before them was taken.
fn items() -> Vec<u8> {
    frame(MESSAGE, 0, 1, &[0; 1000]).repeat(MANY / 1000 * 3)
}

#[test]
fn an_answer_that_comes_before_all_of_its_call_is_sent_counts() {
    let _watchdog = watchdog(PATIENCE);
    let taken = Arc::new(AtomicUsize::new(0));
    let (wire, far) = Wire::pair().expect("a pair");
    let counted = Arc::clone(&taken);
    let near = reads(wire, move |wire, buffer, until| {
        let length = wire.read_until(buffer, until)?;
        counted.fetch_add(length, Relaxed);
        Ok(length)
    });
    for (pair, taken) in [((near, far), Some(taken)), (narrow(), None)] {
        let (stock, server) = client(pair, move |mut raw| {
            let before = taken.as_ref().map_or(0, |taken| taken.load(Relaxed));
            let said = [
                frame(RETURN, 0, 2, b"\0\x08\x01"),
                frame(PING, 0, 0, &[7; 8]),
                items(),
            ]
            .concat();
            raw.send(&said);
            // Where it is counted, not a byte is left to be read after the call.
            let is_left = |taken: &Arc<AtomicUsize>| taken.load(Relaxed) < before + said.len();
            while taken.as_ref().is_some_and(is_left) {
                std::thread::yield_now();
            }
            // Only then it is read, and another one answered.
            let mut kinds = Vec::new();
            while let Some(came) = raw.next() {
                if came.kind == CALL && came.payload.len() < MANY {
                    raw.send(&frame(RETURN, 0, came.call, b"\0\x08\x02"));
                }
                kinds.push(came.kind);
            }
            kinds
        });
        // Who waited for more than has come would wait for ever.
        let cx = Context::new().timeout(2 * PATIENCE);
        assert_eq!(block_on(stock.put(&cx, large())), Ok(1));
        assert_eq!(block_on(stock.put(&cx, item("y", 2))), Ok(2));
        drop(stock);
        // What the client had to say meanwhile it says behind its call.
        let kinds = server.join().expect("no panic");
        assert_eq!(kinds, [CANCEL, CALL, PONG, CREDIT, CALL]);
    }
}

#[test]
fn a_lie_while_a_call_is_written_ends_the_call_and_the_connection() {
    let _watchdog = watchdog(PATIENCE);
    let lies = [
        (frame(RETURN, 0, 7, b"\0"), "not under way"),
        (frame(CLOSE, 0, 0, b"\x08bye"), "the peer closed: bye"),
    ];
    for (lie, reason) in lies {
        for pair in pairs() {
            let lie = lie.clone();
            let (stock, server) = client(pair, move |raw| {
                raw.send(&lie);
                raw
            });
            let cx = Context::new();
            let status = block_on(stock.put(&cx, large())).expect_err("a lie");
            assert!(status.message().contains(reason), "{status}");
            assert!(!status.did_not_run(), "it may have run");
            let after = block_on(stock.put(&cx, item("y", 1))).expect_err("it has ended");
            assert_eq!(after.code(), Code::Unavailable, "{after}");
            assert!(after.did_not_run());
            drop(server.join().expect("no panic"));
        }
    }
}

#[test]
fn a_server_that_goes_while_a_call_is_written_ends_it() {
    let _watchdog = watchdog(PATIENCE);
    for pair in pairs() {
        let (stock, server) = client(pair, drop);
        let cx = Context::new();
        let status = block_on(stock.put(&cx, large())).expect_err("it has gone");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        server.join().expect("no panic");
    }
}

#[test]
fn a_server_that_talks_without_end_holds_no_call_up_beyond_its_time() {
    let _watchdog = watchdog(PATIENCE);
    // One that is written meanwhile, and one that is only waited for.
    for length in [MANY, 1] {
        let (wire, far) = Wire::pair().expect("a pair");
        let talks = Arc::new(AtomicBool::new(false));
        // More items have always come, whatever was read.
        let (talking, come) = (Arc::clone(&talks), Arc::clone(&talks));
        let (items, place) = (items(), AtomicUsize::new(0));
        let read = move |wire: &Wire, buffer: &mut [u8], until| {
            if !talking.load(Relaxed) {
                return wire.read_until(buffer, until);
            }
            let at = place.load(Relaxed);
            let length = buffer.len().min(items.len() - at);
            buffer[..length].copy_from_slice(&items[at..at + length]);
            place.store((at + length) % items.len(), Relaxed);
            Ok(length)
        };
        let near = reads_what_has_come(wire, read, move || come.load(Relaxed));
        // Without credits that nobody takes.
        let limits = Limits::new().connection_credit_bytes(1 << 30).clone();
        let options = Options::new().limits(limits).clone();
        let (stock, server) = client_of(&options, (near, far), move |mut raw| {
            while length == 1 && raw.next().is_some() {}
            raw
        });
        talks.store(true, Relaxed);
        let cx = Context::new().timeout(SHORT);
        let late = block_on(stock.get(&cx, "x".repeat(length))).expect_err("nobody answers");
        assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
        drop(stock);
        drop(server.join().expect("no panic"));
    }
}

#[test]
fn who_asks_for_echoes_without_end_and_reads_none_fills_no_memory() {
    let _watchdog = watchdog(PATIENCE);
    let both = [frame(MESSAGE, 0, 1, b"x"), frame(PING, 0, 0, &[0; 8])].concat();
    let many = both.repeat(1000);
    for which in 0..2 {
        let mut time = SHORT;
        loop {
            let pair = pairs().into_iter().nth(which).expect("two");
            let many = many.clone();
            let (stock, server) = client(pair, move |raw| talk(&raw, &many));
            let cx = Context::new().timeout(time);
            let late = block_on(stock.get(&cx, "x".repeat(MANY))).expect_err("nobody reads");
            assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
            drop(stock);
            let sent = server.join().expect("no panic");
            // What echoes were made for, what was read besides, and what the transport holds.
            assert!(sent < 8 << 20, "{sent} bytes were taken");
            if sent >= 70_000 {
                break;
            }
            // On a slow host the time was over before much had come.
            time *= 2;
        }
    }
}
