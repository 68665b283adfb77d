//! What is armed stays so: quiet rings and framed streams cost no system call, and miss nothing.

use super::PATIENCE;
use ipc_async::{Interest, WaitSet};
use ipc_testkit::{deny, isolated, watchdog};

#[test]
fn quiet_rings_and_frames_are_not_asked_by_system_calls() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let rings: Vec<_> = (0..20).map(|_| ipc_ring::pair().expect("a ring")).collect();
        let frames: Vec<_> = (0..20)
            .map(|_| ipc_uds::pair().expect("sockets"))
            .map(|(near, far)| (near, far.framed()))
            .collect();
        let full = ipc_ring::pair().expect("a ring");
        while full.0.try_send(b"x").is_ok() {}
        let event = ipc_event::create().expect("an event");
        let set = WaitSet::new();
        for (_, rx) in &rings {
            set.add(rx, 0).expect("added");
        }
        for (_, rx) in &frames {
            set.add(rx, 1).expect("added");
        }
        set.add_for(&full.0, Interest::Write, 2).expect("added");
        set.add(&event, 3).expect("added");
        for _ in 0..3 {
            set.try_wait().expect_err("nothing is there");
        }
        // What a ring hears its bell with, and what asks a socket.
        for call in [libc::SYS_preadv2, libc::SYS_ppoll, libc::SYS_poll] {
            deny(call, libc::EIO);
        }
        for _ in 0..1_000 {
            event.notify().expect("counted");
            assert_eq!(set.wait().expect("the event"), 3);
            event.wait().expect("counted");
        }
        std::process::exit(ipc_testkit::DONE);
    });
}

/// One receives by the set, by many tries and by blocking, in turn, what another sends at its own
/// pace.
#[test]
fn a_ring_that_stays_armed_misses_no_message() {
    const MESSAGES: u64 = 20_000;
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_ring::pair().expect("a ring");
    let (other_tx, other) = ipc_ring::pair().expect("a ring");
    let (go, went) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        let mut number = 0_u64;
        // Some at once, and now and then only one that the receiver sleeps for.
        for burst in went {
            for _ in 0..burst {
                tx.send(&number.to_le_bytes()).expect("a receiver");
                number += 1;
            }
        }
    });
    let set = WaitSet::new();
    set.add(&rx, true).expect("added");
    set.add(&other, false).expect("added");
    let (mut next, mut bytes, mut turn) = (0_u64, [0; 8], 0_u64);
    while next < MESSAGES {
        turn += 1;
        let burst = 1 + turn % 7;
        let end = next + burst;
        go.send(burst).expect("it lives");
        while next < end {
            match (turn + next) % 5 {
                0 => {
                    rx.recv(&mut bytes).expect("a message");
                    assert_eq!(u64::from_le_bytes(bytes), next);
                    next += 1;
                }
                // Enough tries in a row hear the bell.
                1 => {
                    for _ in 0..600 {
                        if rx.try_recv(&mut bytes).is_ok() {
                            assert_eq!(u64::from_le_bytes(bytes), next);
                            next += 1;
                            break;
                        }
                    }
                }
                2 => {
                    other_tx.send(b"x").expect("a receiver");
                    while set.wait().expect("something") {
                        if rx.try_recv(&mut bytes).is_ok() {
                            assert_eq!(u64::from_le_bytes(bytes), next);
                            next += 1;
                        }
                    }
                    other.recv(&mut bytes).expect("a message");
                }
                _ => {
                    while !set.wait().expect("a message") {}
                    if rx.try_recv(&mut bytes).is_ok() {
                        assert_eq!(u64::from_le_bytes(bytes), next);
                        next += 1;
                    }
                }
            }
        }
    }
    drop(go);
    sender.join().expect("no panic");
    assert!(set.try_wait().is_ok(), "the end");
}
