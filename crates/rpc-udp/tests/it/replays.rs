//! Packets that come again: from the same address, from another, after their end.

use crate::here::{Here, PATIENCE, block_on};
use crate::ledger::LedgerClient;
use crate::raw::{OPENED, REPLY, Raw, UNKNOWN_SESSION, WORKING, hello, open};
use crate::remote::options;
use ipc_testkit::watchdog;
use rpc_core::Context;
use rpc_udp::Limits;

/// What the server of `here` has run.
fn names(here: &Here) -> u64 {
    block_on(async {
        let connection = options().connect(&here.place).await.expect("connect");
        let totals = LedgerClient::new(connection).totals(&Context::new()).await;
        let totals = totals.expect("an answer");
        assert_eq!(totals.twice, 0);
        totals.names
    })
}

#[test]
fn a_call_that_comes_again_is_answered_again_and_runs_once() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let raw = Raw::greet(here.address()).expect("a session");
    for _ in 0..5 {
        raw.send(&raw.request((1, 1), "Put", "a"));
        let reply = raw.recv();
        assert_eq!(
            (reply.kind, reply.number(2), reply.number(4)),
            (REPLY, 1, 0)
        );
        assert_eq!(reply.bytes[&10], [1 << 3, 1], "it ran once");
    }
    assert_eq!(here.counted.now().duplicates, 4);
    // The second is waited for: the first is over, and is neither run nor answered any more.
    raw.send(&raw.request((2, 2), "Put", "b"));
    assert_eq!(raw.recv().number(2), 2);
    raw.send(&raw.request((1, 1), "Put", "a"));
    raw.send(&raw.request((1, 0), "Put", "c"));
    assert_eq!(raw.answered(), 0);
    assert_eq!(here.counted.now().outside, 2);
    assert_eq!(names(&here), 2);
}

#[test]
fn one_that_runs_is_said_to_run_and_one_that_was_cancelled_never_begins() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let raw = Raw::greet(here.address()).expect("a session");
    raw.send(&raw.request((1, 1), "Hold", ""));
    raw.send(&raw.request((1, 1), "Hold", ""));
    let working = raw.recv();
    assert_eq!((working.kind, working.number(3)), (WORKING, 1));
    // The cancellation has overtaken its call.
    raw.send(&raw.cancel(2, 1));
    raw.send(&raw.request((2, 1), "Put", "a"));
    assert_eq!(raw.answered(), 0);
    raw.send(&raw.cancel(1, 1));
    raw.send(&raw.request((1, 1), "Hold", ""));
    assert_eq!(raw.answered(), 0);
    assert_eq!(names(&here), 0);
}

#[test]
fn captured_packets_from_another_address_run_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let raw = Raw::greet(here.address()).expect("a session");
    let thief = Raw::stranger(here.address());
    raw.send(&hello(5));
    let stolen = open(&raw.recv());
    raw.send(&raw.request((1, 1), "Hold", ""));
    let captured = [
        raw.request((2, 1), "Put", "a"),
        raw.request((1, 1), "Hold", ""),
        raw.cancel(1, 1),
        raw.bye(),
        stolen,
    ];
    let sent: usize = captured.iter().map(Vec::len).sum();
    for packet in &captured {
        thief.send(packet);
    }
    let unknown = thief.recv();
    assert_eq!(unknown.kind, UNKNOWN_SESSION);
    assert!(thief.answered() < sent);
    let counts = here.counted.now();
    assert_eq!((counts.calls, counts.sessions, counts.unproven), (1, 1, 1));
    // Whom they belong to goes on.
    raw.send(&raw.request((1, 1), "Hold", ""));
    assert_eq!(raw.recv().kind, WORKING);
    assert_eq!(names(&here), 0);
}

#[test]
fn the_packets_of_a_session_that_was_ended_open_another_in_which_nothing_old_runs() {
    let _watchdog = watchdog(PATIENCE);
    let here = Here::serve(&Limits::new());
    let mut raw = Raw::stranger(here.address());
    raw.send(&hello(5));
    let welcome = raw.recv();
    raw.send(&open(&welcome));
    let opened = raw.recv();
    (raw.incarnation, raw.session) = (opened.number(2), opened.number(3));
    let put = raw.request((1, 1), "Put", "a");
    raw.send(&put);
    assert_eq!(raw.recv().kind, REPLY);
    raw.send(&raw.bye());
    raw.send(&put);
    assert_eq!(raw.recv().kind, UNKNOWN_SESSION);
    raw.send(&open(&welcome));
    let again = raw.recv();
    assert_eq!(again.kind, OPENED);
    assert_ne!(
        again.number(3),
        raw.session,
        "a proof opens another session, not the old one"
    );
    raw.send(&put);
    assert_eq!(raw.recv().kind, UNKNOWN_SESSION);
    assert_eq!(names(&here), 1);
}
