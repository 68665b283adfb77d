//! Bad input of every kind that a client could send, generated: each ends its connection with the
//! reason, or is answered, and then the connection goes on.

use crate::lie_cases::{AWAITED, CASES, End, Expect, Random, Return, Word, get};
use crate::raw::{
    BOUND, CANCEL, CLOSE, CREDIT, END, MESSAGE, RETURN, Raw, Serving, bind, frame, hello, hello_of,
};
use crate::remote::PATIENCE;
use ipc_testkit::watchdog;
use rpc_core::{Code, Router};
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockServer};
use std::sync::Arc;

/// How often each kind of input is made, each time with other numbers.
const ROUNDS: u64 = 80;

fn router() -> Router {
    let shop = Shop::default();
    shop.shelves.lock().expect("ours").insert("there".into(), 1);
    Router::new().service(StockServer::new(Arc::new(shop)))
}

/// Sends the input and a call behind it, and compares what comes.
fn check(name: &str, raw: &mut Raw, (bytes, expect): (Vec<u8>, Expect)) {
    let prefix = [hello(), bind(1, 1, &STOCK_SERVICE)].concat();
    raw.send(&[prefix, bytes].concat());
    let mut wanted = match expect {
        End(reason) => {
            let came = loop {
                let came = raw.next_of_a_call().expect("a last word");
                // Calls before it may have returned.
                if came.kind == CLOSE {
                    break came;
                }
            };
            assert_eq!(
                String::from_utf8_lossy(&came.payload[1..]),
                reason,
                "{name}"
            );
            assert_eq!(raw.next(), None, "{name}: it is over");
            return;
        }
        Word(word) => {
            let words: Vec<u8> = std::iter::from_fn(|| raw.next())
                .filter(|came| came.kind == BOUND)
                .map(|came| came.payload[2])
                .take(2)
                .collect();
            assert_eq!(words, [0, word], "{name}");
            Vec::new()
        }
        Return(calls) => calls,
    };
    let highest = wanted.iter().map(|(call, _)| *call).max();
    while !wanted.is_empty() {
        let came = raw.next_of_a_call().expect("a return");
        let code = Code::from_number(came.payload[0]);
        let at = wanted
            .iter()
            .position(|wanted| *wanted == (came.call, code));
        wanted.swap_remove(at.unwrap_or_else(|| panic!("{name}: {came:?}, {code:?}")));
    }
    // The connection is well: the same number is free again.
    let probe = highest.unwrap_or(1);
    raw.send(&get(probe));
    let came = raw.next_of_a_call().expect("a return");
    assert_eq!(
        (came.kind, came.call, came.payload[0]),
        (RETURN, probe, 0),
        "{name}"
    );
}

#[test]
fn lies_end_their_connection_or_are_answered() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random(0x5eed);
    let (mut inputs, router) = (0, router());
    for serving in [Serving::awaited(), Serving::Blocking] {
        let both = CASES.iter();
        let cases = match &serving {
            Serving::Awaited(_) => both.chain(AWAITED),
            Serving::Blocking => both.chain(&[]),
        };
        for (name, make) in cases {
            for _ in 0..ROUNDS {
                let (mut raw, wire) = Raw::pair();
                let thread = serving.serve(router.clone(), wire);
                check(name, &mut raw, make(&mut random));
                drop(raw);
                thread.map(std::thread::JoinHandle::join);
                inputs += 1;
            }
        }
    }
    println!("{inputs} inputs");
    assert!(inputs >= 5_000);
}

#[test]
fn what_crosses_the_end_of_its_call_is_ignored() {
    let _watchdog = watchdog(PATIENCE);
    let (mut random, router) = (Random(9), router());
    for serving in [Serving::awaited(), Serving::Blocking] {
        let (mut raw, wire) = Raw::pair();
        let thread = serving.serve(router.clone(), wire);
        raw.send(&[hello(), bind(1, 1, &STOCK_SERVICE), get(1)].concat());
        for _ in 0..500 {
            let came = raw.next_of_a_call().expect("a return");
            assert_eq!((came.kind, came.call, came.payload[0]), (RETURN, 1, 0));
            for _ in 0..random.below(5) {
                let kind = [MESSAGE, END, CANCEL, CREDIT][random.below(4) as usize];
                raw.send(&frame(kind, 0, 1, &[1, 0, 0, 0]));
            }
            raw.send(&get(1));
        }
        drop(raw);
        thread.map(std::thread::JoinHandle::join);
    }
}

#[test]
fn strangers_and_other_versions_are_refused_before_anything_else() {
    let _watchdog = watchdog(PATIENCE);
    let (mut random, serving) = (Random(7), Serving::awaited());
    for round in 0..200_u16 {
        let (mut raw, wire) = Raw::pair();
        serving.serve(router(), wire);
        let (greeting, reason) = match round % 2 {
            0 => (
                hello_of(2 + round),
                "the peer speaks another version of this protocol",
            ),
            _ => (
                frame(1, 0, 0, &random.bytes(24)),
                "the peer does not speak this protocol",
            ),
        };
        raw.send(&[greeting, bind(1, 1, &STOCK_SERVICE), get(1)].concat());
        let came = raw.next_of_a_call().expect("a last word");
        assert_eq!(came.kind, CLOSE);
        assert_eq!(String::from_utf8_lossy(&came.payload[1..]), reason);
    }
}
