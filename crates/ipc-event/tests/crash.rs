//! The laboratory of events: many wake-ups, and wake-ups under a storm of signals.

use ipc_event::{Event, Options};
use ipc_testkit::crash::{Lab, Tally, calm_and_stormy, laboratory, ping_pong};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// As many as make a processor sleep seldom.
const PAIRS: usize = 2;
const LIMIT: Duration = Duration::from_secs(10);
/// Rounds of one comparison.
const ROUNDS: u64 = 200;

fn main() -> ExitCode {
    laboratory(&[
        ("wake-ups", no_wake_up_is_lost),
        ("storm", a_storm_of_signals_changes_nothing),
    ])
}

const FLAVOURS: [(bool, &str); 2] = [(false, "counters"), (true, "semaphores")];

fn two(semaphore: bool) -> [Event; 2] {
    [(); 2].map(|()| {
        Options::new()
            .semaphore(semaphore)
            .create()
            .expect("an event")
    })
}

/// C5: no wake-up is lost.
fn no_wake_up_is_lost(lab: &mut Lab) {
    for (semaphore, what) in FLAVOURS {
        let mut tally = Tally::new("C5", format!("ping-pong by two eventfd {what}"));
        let pairs: Vec<_> = (0..PAIRS).map(|_| two(semaphore)).collect();
        let rounds = lab.count(500_000, 50_000_000, 500_000_000);
        ping_pong(&mut tally, rounds, PAIRS, |pair, first| {
            let [ping, pong] = &pairs[pair];
            if first {
                pong.notify().expect("room");
                assert_eq!(ping.wait().expect("an answer"), 1);
            } else {
                assert_eq!(pong.wait().expect("a question"), 1);
                ping.notify().expect("room");
            }
        });
        lab.enter(tally);
    }
}

/// C7: each waiting form, interrupted ten thousand times a second, does what it does in quiet.
fn a_storm_of_signals_changes_nothing(lab: &mut Lab) {
    for (semaphore, what) in FLAVOURS {
        let what = format!("wait for eventfd {what}, 10,000 signals a second");
        let mut tally = Tally::new("C7", what);
        let time = Duration::from_millis(lab.count(1_000, 50_000, 300_000));
        calm_and_stormy(
            &mut tally,
            time,
            || two(semaphore),
            |[ping, pong], first| {
                let (mine, yours) = if first { (ping, pong) } else { (pong, ping) };
                let mut seen = 0;
                for round in 0..ROUNDS {
                    if first {
                        yours.notify().expect("room");
                    }
                    let took = match round % 3 {
                        0 => mine.wait(),
                        1 => mine.wait_timeout(LIMIT),
                        _ => mine.wait_deadline(Instant::now() + LIMIT),
                    };
                    seen = seen * 3 + took.expect("it comes");
                    seen %= 1 << 32;
                    if !first {
                        yours.notify().expect("room");
                    }
                }
                // A wait that nobody ends takes its whole time; the other needs this one no more.
                let (start, short) = (Instant::now(), Duration::from_millis(5));
                assert!(mine.wait_timeout(short).is_err() && start.elapsed() >= short);
                seen
            },
        );
        lab.enter(tally);
    }
}
