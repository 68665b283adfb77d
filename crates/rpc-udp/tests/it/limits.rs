//! Each limit of a server, at it and one above.

use crate::calls::refused;
use crate::here::{Here, PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::raw::{REFUSED, REPLY, Raw, WORKING};
use crate::remote::options;
use ipc_testkit::watchdog;
use rpc_core::{Code, Context};
use rpc_udp::Limits;

const EXHAUSTED: u64 = Code::ResourceExhausted as u64;

#[test]
fn sessions_of_one_address_and_in_all() {
    let _watchdog = watchdog(PATIENCE);
    for (all, own, text) in [
        (3, 9, "too many sessions"),
        (9, 3, "too many of one address"),
    ] {
        let here = Here::serve(Limits::new().max_sessions(all, own));
        let mut within: Vec<_> = (0..3)
            .map(|_| Raw::greet(here.address()).expect("at the limit"))
            .collect();
        let refusal = Raw::greet(here.address()).err().expect("one above");
        assert_eq!((refusal.kind, refusal.number(2)), (REFUSED, EXHAUSTED));
        assert_eq!(refusal.text(3), text);
        block_on(async {
            let refusal = refused(
                options().connect(&here.place).await,
                Code::ResourceExhausted,
            );
            assert!(
                refusal.did_not_run() && refusal.message().contains(text),
                "{refusal}"
            );
        });
        // Who goes makes room.
        let gone = within.pop().expect("three");
        gone.send(&gone.bye());
        gone.answered();
        assert!(Raw::greet(here.address()).is_ok());
        assert_eq!(here.counted.now().sessions, 4);
    }
}

#[test]
fn calls_of_a_session_that_are_under_way() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(Limits::new().max_calls(2));
    let raw = Raw::greet(here.address()).expect("a session");
    for sequence in 1..=2 {
        raw.send(&raw.request((sequence, 1), "Hold", ""));
    }
    let above = raw.request((3, 1), "Put", "a");
    raw.send(&above);
    let refusal = raw.recv();
    assert_eq!(
        (refusal.kind, refusal.number(2), refusal.number(4)),
        (REPLY, 3, EXHAUSTED)
    );
    assert_eq!(refusal.number(6), 1, "it did not run");
    raw.send(&raw.cancel(1, 1));
    raw.send(&raw.cancel(2, 1));
    // There is room, and yet a copy of what was refused never runs: its caller was told so.
    raw.send(&above);
    assert_eq!(raw.recv().number(4), EXHAUSTED);
    raw.send(&raw.request((4, 1), "Put", "b"));
    assert_eq!((raw.recv().number(4), here.counted.now().refused), (0, 1));
    block_on(async {
        let ledger = LedgerClient::new(options().connect(&here.place).await.expect("connect"));
        let totals = ledger.totals(&Context::new()).await.expect("an answer");
        assert_eq!(totals.names, 1);
    });
}

#[test]
fn a_client_s_calls_wait_for_each_other_and_none_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(Limits::new().max_calls(2));
    block_on(async {
        let ledger = LedgerClient::new(options().connect(&here.place).await.expect("connect"));
        let calls: Vec<_> = (0..50)
            .map(|call| {
                let ledger = ledger.clone();
                tokio::spawn(async move { ledger.put(&Context::new(), format!("{call}")).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.expect("no panic"), Ok(1));
        }
        assert_eq!(here.counted.now().refused, 0);
    });
}

#[test]
fn the_window_of_a_session() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let raw = Raw::greet(here.address()).expect("a session");
    raw.send(&raw.request((1, 1), "Hold", ""));
    raw.send(&raw.request((Limits::WINDOW, 1), "Put", "last"));
    assert_eq!(raw.recv().number(2), Limits::WINDOW);
    raw.send(&raw.request((Limits::WINDOW + 1, 1), "Put", "beyond"));
    raw.send(&raw.request((u64::MAX, 1), "Put", "far beyond"));
    raw.send(&raw.request((0, 1), "Put", "before"));
    assert_eq!(raw.answered(), 0);
    assert_eq!(here.counted.now().outside, 3);
    raw.send(&raw.request((1, 1), "Hold", ""));
    assert_eq!(raw.recv().kind, WORKING);
    // A floor beyond everything harms who tells it alone.
    raw.send(&raw.request((u64::MAX, u64::MAX), "Put", "at the end"));
    assert_eq!(raw.recv().number(2), u64::MAX);
    raw.send(&raw.request((2, 1), "Put", "again"));
    assert_eq!(raw.answered(), 0);
}
