//! C5 and C7: no wake-up is lost, in quiet and under a storm of signals.

use crate::deaths::LIMIT;
use ipc_ring::{Options, Receiver, Sender, Spin};
use ipc_testkit::crash::{Lab, Tally, calm_and_stormy, ping_pong};
use std::time::{Duration, Instant};

/// As many as make a processor sleep seldom.
const PAIRS: usize = 2;
/// Rounds of one comparison.
const ROUNDS: u64 = 200;

/// Two channels, one each way. Copies of this process use both, so that neither sees an end.
fn two(spin: Spin, messages: usize) -> [(Sender, Receiver); 2] {
    [(); 2].map(|()| {
        Options::new()
            .spin(spin)
            .capacity_messages(messages)
            .pair()
            .expect("a channel")
    })
}

pub(crate) fn no_wake_up_is_lost(lab: &mut Lab) {
    for (spin, what) in [
        (Spin::Never, "without spinning"),
        (Spin::Learned, "learned"),
    ] {
        let mut tally = Tally::new("C5", format!("ping-pong by two rings, {what}"));
        let pairs: Vec<_> = (0..PAIRS).map(|_| two(spin, 2)).collect();
        let rounds = lab.count(300_000, 50_000_000, 500_000_000);
        ping_pong(&mut tally, rounds, PAIRS, |pair, first| {
            let [there, back] = &pairs[pair];
            let buffer = &mut [0; 8];
            if first {
                there.0.send(b"ping").expect("room");
                assert_eq!(back.1.recv(buffer).expect("an answer"), 4);
            } else {
                assert_eq!(there.1.recv(buffer).expect("a question"), 4);
                back.0.send(b"pong").expect("room");
            }
        });
        lab.enter(tally);
    }
}

pub(crate) fn a_storm_of_signals_changes_nothing(lab: &mut Lab) {
    let mut tally = Tally::new("C7", "send and receive, 10,000 signals a second");
    let time = Duration::from_millis(lab.count(1_000, 600_000, 3_600_000));
    calm_and_stormy(
        &mut tally,
        time,
        || two(Spin::Never, 4),
        |[there, back], first| {
            let (tx, rx) = match first {
                true => (&there.0, &back.1),
                false => (&back.0, &there.1),
            };
            let (mut seen, mut buffer) = (0, [0; 8]);
            for round in 0..ROUNDS {
                let message = (round * 7).to_le_bytes();
                match round % 2 {
                    0 => tx.send(&message),
                    _ => tx.send_timeout(&message, LIMIT),
                }
                .expect("it is taken");
                match round % 3 {
                    0 => rx.recv(&mut buffer),
                    1 => rx.recv_timeout(&mut buffer, LIMIT),
                    _ => rx.recv_deadline(&mut buffer, Instant::now() + LIMIT),
                }
                .expect("it comes");
                seen = (seen * 31 + u64::from_le_bytes(buffer)) % (1 << 32);
            }
            seen
        },
    );
    lab.enter(tally);
}
