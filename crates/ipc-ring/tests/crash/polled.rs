//! What a message costs beside itself: who polls makes no system call, who is blocked no step.

use ipc_ring::{Broadcaster, Options, Received, Receiver, Sender, Subscriber};
use ipc_testkit::crash::{Forked, Lab, Tally, kill_at_call};
use std::time::{Duration, Instant};

/// Tries in vain before each message, as many as a round trip between two processors has.
pub(crate) const IN_VAIN: usize = 50;

pub(crate) fn no_system_call(lab: &mut Lab) {
    let messages = lab.count(5_000, 100_000, 1_000_000);
    for size in [8, 56, 120, 300] {
        let what = format!("{messages} polled messages of {size} bytes: no system call");
        let mut tally = Tally::new("0", what);
        let (sender, receiver) = ipc_ring::pair().expect("a pair");
        let message = vec![7; size];
        let poll = || {
            let mut buffer = [0; 512];
            for _ in 0..messages {
                for _ in 0..IN_VAIN {
                    assert!(receiver.try_recv(&mut buffer).is_err());
                }
                sender.try_send(&message).expect("room");
                assert_eq!(receiver.try_recv(&mut buffer).expect("a message"), size);
            }
        };
        match calls_of_nothing().and_then(|calls| kill_at_call(poll, calls + 1)) {
            Ok(false) => tally.trial(Ok(())),
            Ok(true) => tally.trial(Err("a system call was made".into())),
            Err(reason) => tally.skip(reason),
        }
        lab.enter(tally);
    }
}

pub(crate) fn no_system_call_of_a_broadcast(lab: &mut Lab) {
    let messages = lab.count(5_000, 100_000, 1_000_000);
    for size in [8, 56, 300] {
        let what = format!("broadcast: {messages} polled messages of {size} bytes: no system call");
        let mut tally = Tally::new("0", what);
        let (writer, reader) = cast();
        let message = vec![7; size];
        let poll = || {
            let mut buffer = [0; 512];
            for _ in 0..messages {
                for _ in 0..IN_VAIN {
                    assert!(reader.try_recv(&mut buffer).is_err());
                }
                writer.try_send(&message).expect("room");
                let received = reader.try_recv(&mut buffer).expect("a message");
                assert_eq!(received, Received::Message(size));
            }
        };
        // It learns who runs where before anything is counted.
        poll_once(&writer, &reader, &message);
        match calls_of_nothing().and_then(|calls| kill_at_call(poll, calls + 1)) {
            Ok(false) => tally.trial(Ok(())),
            Ok(true) => tally.trial(Err("a system call was made".into())),
            Err(reason) => tally.skip(reason),
        }
        lab.enter(tally);
    }
}

fn poll_once(writer: &Broadcaster, reader: &Subscriber, message: &[u8]) {
    writer.try_send(message).expect("room");
    assert!(reader.try_recv(&mut [0; 512]).is_ok());
}

/// A writer and its reader, in this process, which has one thread.
fn cast() -> (Broadcaster, Subscriber) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let writer = Options::new().broadcast().expect("memory");
    let reader = std::thread::scope(|scope| {
        let reader = scope.spawn(|| Options::new().subscribe_over(theirs));
        writer.add(ours).expect("it comes");
        reader.join().expect("no panic").expect("it is taken in")
    });
    (writer, reader)
}

/// How many system calls the laboratory itself makes at the end of an operation.
pub(crate) fn calls_of_nothing() -> Result<u64, String> {
    let mut calls = 0;
    while kill_at_call(|| {}, calls + 1)? {
        calls += 1;
    }
    Ok(calls)
}

type Part<'a> = &'a dyn Fn(&(Sender, Receiver));

pub(crate) fn no_time_while_blocked(lab: &mut Lab) {
    let mut tally = Tally::new("0", "a blocked sender and a blocked receiver take no time");
    let receive = |(_, receiver): &(Sender, Receiver)| drop(receiver.recv(&mut [0; 8]));
    let send = |(sender, _): &(Sender, Receiver)| while sender.send(&[1; 8]).is_ok() {};
    let parts: [Part<'_>; 2] = [&receive, &send];
    for part in parts {
        let ends = Options::new().capacity_messages(8).pair().expect("a pair");
        let blocked = Forked::new(|| part(&ends));
        while !blocked.is_asleep() {
            std::thread::yield_now();
        }
        let before = time_of(&blocked);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let after = time_of(&blocked);
        let still = blocked.is_asleep() && !before.is_empty() && before == after;
        tally.trial(match still {
            true => Ok(()),
            false => Err(format!("{before:?}, then {after:?}")),
        });
    }
    lab.enter(tally);
}

/// How long it has run, in nanoseconds and in turns, as the scheduler has it.
pub(crate) fn time_of(copy: &Forked) -> String {
    let path = format!("/proc/{}/schedstat", copy.id());
    std::fs::read_to_string(path).unwrap_or_default()
}
