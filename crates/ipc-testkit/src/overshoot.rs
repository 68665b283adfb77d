//! How late a wait ends whose deadline has passed.

use crate::crash::{Lab, Tally};
use std::time::{Duration, Instant};

/// How long a wait takes that waits for nothing.
const WAIT: Duration = Duration::from_millis(2);
/// How late it may end, in 99 cases of 100, on a machine that is idle.
const LATE: Duration = Duration::from_millis(1);
/// A machine on which a plain sleep is later than this is not idle.
const IDLE: Duration = Duration::from_micros(300);
/// Whoever else ran a moment ago may do so again.
const TRIES: usize = 3;

/// The 50th, 90th, 99th and last of a hundred times.
fn percentiles(mut late: Vec<Duration>) -> [Duration; 4] {
    late.sort_unstable();
    let at = |of: usize| late[(late.len() * of / 100).min(late.len() - 1)];
    [at(50), at(90), at(99), at(100)]
}

/// How late a plain sleep ends and how late `wait`, one after the other, `count` times.
fn measure(count: u64, mut wait: impl FnMut(Instant)) -> [[Duration; 4]; 2] {
    let (mut floor, mut late) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let deadline = Instant::now() + WAIT;
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        floor.push(deadline.elapsed());
        let deadline = Instant::now() + WAIT;
        wait(deadline);
        late.push(deadline.elapsed());
    }
    [percentiles(floor), percentiles(late)]
}

/// Enters how late `wait` ends, which is given a deadline 2 ms ahead and must fail at it: at most
/// 1 ms in 99 cases of 100, where a plain sleep is in time, too.
pub fn overshoot<E>(
    lab: &mut Lab,
    claim: &'static str,
    what: &str,
    mut wait: impl FnMut(Instant) -> Result<(), E>,
) {
    // Built for a test as few as a test may have.
    let count = match cfg!(debug_assertions) {
        true => 10,
        false => lab.count(200, 2_000, 20_000),
    };
    let mut tally = Tally::new(
        claim,
        format!("{what}: p99 of the overshoot is at most 1 ms"),
    );
    for left in (0..TRIES).rev() {
        let mut outcome = Ok(());
        // In turn, so that whatever else runs is late for both.
        let [floor, late] = measure(count, |deadline| {
            if let Ok(()) = wait(deadline) {
                outcome = Err("it did not wait".to_owned());
            }
            if Instant::now() < deadline {
                outcome = Err("it ended early".to_owned());
            }
        });
        let is_late = late[2] > LATE;
        // Tests may run beside anything: they only see that no wait is early or forgotten. Who is
        // late every tenth time, where a sleep is not, is late by himself.
        let others_run = floor[2] > IDLE || floor[3] > LATE;
        let by_others = others_run && !(late[1] > LATE && floor[1] <= IDLE);
        if outcome.is_ok() && is_late && (left > 0 || by_others || cfg!(debug_assertions)) {
            if left == 0 {
                let why = match others_run {
                    true => "not an idle machine",
                    false => "not judged in a test, whatever it runs beside",
                };
                tally.skip(format!(
                    "{why}: a sleep of {WAIT:?} is {:.0?} late (p99), and {what} {:.0?} (p50 \
                     {:.0?} and {:.0?})",
                    floor[2], late[2], floor[0], late[0]
                ));
            }
            continue;
        }
        if outcome.is_ok() && is_late {
            outcome = Err(format!("p99 is {:.0?}", late[2]));
        }
        tally.trial(outcome);
        tally.trials = count;
        let tries = match TRIES - left {
            1 => String::new(),
            tries => format!(", in try {tries} of {TRIES}"),
        };
        tally.note(format!(
            "p50 {:.0?}, p99 {:.0?}, max {:.0?} (a sleep: {:.0?}, {:.0?}, {:.0?}){tries}",
            late[0], late[2], late[3], floor[0], floor[2], floor[3]
        ));
        break;
    }
    lab.enter(tally);
}
