//! No wake-up is lost: between two that take turns, in timed waits, where a descriptor is awaited.

use crate::machine::spawn;
use crate::schedules::check;
use crate::streams::{message, number};
use crate::{ErrorKind, Options, Receiver, Sender, WhenFull};
use ipc_core::{Interest, Pollable, Until};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 3;

fn ping_pong(receive: fn(&Receiver) -> u64) {
    let [there, back] = [(); 2].map(|()| Options::new(1, WhenFull::Block).pair());
    let play = |sender: Sender, receiver: Receiver, first: bool| {
        spawn(move || {
            for round in 0..ROUNDS {
                if first {
                    sender.send(&message(round, false)).expect("room comes");
                }
                assert_eq!(receive(&receiver), round);
                if !first {
                    sender.send(&message(round, false)).expect("room comes");
                }
            }
        })
    };
    let one = play(there.0, back.1, true);
    let other = play(back.0, there.1, false);
    one.join().expect("no thread fails");
    other.join().expect("no thread fails");
}

#[test]
fn who_blocks_is_woken() {
    check("ping-pong: blocked", || {
        ping_pong(|receiver| {
            let mut buffer = Vec::new();
            receiver.recv_vec(&mut buffer).expect("one comes");
            number(&buffer)
        });
    });
}

/// As a task of an async runtime does.
#[test]
fn who_awaits_a_descriptor_is_woken() {
    check("ping-pong: awaited", || {
        ping_pong(|receiver| {
            let mut buffer = Vec::new();
            loop {
                match receiver.try_recv_vec(&mut buffer) {
                    Ok(()) => return number(&buffer),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                if !receiver.arm(Interest::Read).expect("armed") {
                    crate::bell::sleep_on(receiver);
                }
            }
        });
    });
}

/// A wait whose time is over is told so, and the next one misses nothing.
#[test]
fn who_waits_in_vain_is_woken_the_next_time() {
    check("ping-pong: timed", || {
        ping_pong(|receiver| {
            let mut buffer = Vec::new();
            let far = Until::At(Instant::now() + Duration::from_secs(1 << 20));
            let Until::At(far) = far else {
                unreachable!("it is a moment")
            };
            for _ in 0..2 {
                match receiver.recv_vec_deadline(&mut buffer, far) {
                    Ok(()) => return number(&buffer),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
                }
            }
            receiver.recv_vec(&mut buffer).expect("one comes");
            number(&buffer)
        });
    });
}

/// One thread waits at an end that another closes.
#[test]
fn who_waits_at_an_end_that_is_closed_here_is_told() {
    check("end: closed while it is waited at", || {
        let (sender, receiver) = Options::new(1, WhenFull::Block).pair();
        let receiver = Arc::new(receiver);
        let waits = {
            let receiver = Arc::clone(&receiver);
            spawn(move || {
                let outcome = receiver.recv_vec(&mut Vec::new());
                assert_eq!(outcome.expect_err("nothing").kind(), ErrorKind::Closed);
            })
        };
        let closes = spawn(move || receiver.link.end());
        closes.join().expect("no thread fails");
        waits.join().expect("no thread fails");
        drop(sender);
    });
}

/// The sender, too, may await room.
#[test]
fn who_awaits_room_is_woken() {
    check("stream: room is awaited", || {
        let (sender, receiver) = Options::new(1, WhenFull::Block).pair();
        let sends = spawn(move || {
            for at in 0..3 {
                while let Err(error) = sender.try_send(&message(at, false)) {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    if !sender.arm(Interest::Write).expect("armed") {
                        crate::bell::sleep_on(&sender);
                    }
                }
            }
        });
        let takes = spawn(move || {
            let mut buffer = Vec::new();
            for at in 0..3 {
                receiver.recv_vec(&mut buffer).expect("one comes");
                assert_eq!(number(&buffer), at);
            }
        });
        sends.join().expect("no thread fails");
        takes.join().expect("no thread fails");
    });
}
