//! Long runs: real processes that talk, every message checked, and what grows meanwhile.
//!
//! A crate declares its experiments in `tests/soak.rs` (a test target with `harness = false`):
//!
//! ```no_run
//! use ipc_testkit::{Role, Stage, crash::Lab, soak};
//!
//! fn send(_stage: Stage) {
//!     // … plays the sender …
//! }
//! fn stream(lab: &mut Lab) {
//!     let count = lab.count(300_000, 100_000_000, 1_000_000_000);
//!     let sender = Role::new("send").argument(count).spawn();
//!     soak::receive(lab, "S2", "a stream", count, sender, |_buffer| {
//!         Err::<usize, _>("… receives into the buffer …")
//!     });
//! }
//! fn main() -> std::process::ExitCode {
//!     soak::run(&[("send", send)], &[("stream", stream)])
//! }
//! ```
//!
//! Under `cargo test` it runs the counts of tier P; `cargo xtask soak --tier nightly` runs more.

pub use crate::overshoot::overshoot;

use crate::crash::{Experiment, Lab, Tally, laboratory};
use crate::role::{Child, Part, run_role};
use crate::{Snapshot, watchdog};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Length of a stamped message.
pub const MESSAGE_BYTES: usize = 64;
/// What memory may grow by whatever the time: what allocators keep.
const SLACK_BYTES: u64 = 256 * 1024;
/// What it may grow by in an hour beyond.
const HOURLY_BYTES: u64 = 1024 * 1024;
/// A page more makes megabytes an hour of a shorter run.
const SLOPE_FROM: Duration = Duration::from_secs(30);
/// A run that takes this long without an end hangs.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Plays the role that this process was started for, if any, or runs the experiments.
#[must_use]
pub fn run(parts: &[(&str, Part)], experiments: &[(&str, Experiment)]) -> ExitCode {
    run_role(parts);
    laboratory(experiments)
}

/// Message `sequence`: its number, bytes that depend on it, and a sum over both.
#[must_use]
pub fn stamp(sequence: u64) -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    let mut word = sequence;
    for place in message[..MESSAGE_BYTES - 8].as_chunks_mut::<8>().0 {
        *place = word.to_le_bytes();
        word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ sequence;
    }
    let sum = sum(&message[..MESSAGE_BYTES - 8]);
    message[MESSAGE_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
    message
}

/// Whether `message` is message `sequence`, whole.
///
/// # Errors
/// In words: damaged, or another message than was due.
pub fn check(sequence: u64, message: &[u8]) -> Result<(), String> {
    if message == stamp(sequence) {
        return Ok(());
    }
    let Some((body, end)) = message.split_last_chunk::<8>() else {
        return Err(format!(
            "{} bytes instead of message {sequence}",
            message.len()
        ));
    };
    if sum(body) != u64::from_le_bytes(*end) {
        return Err(format!("message {sequence} is damaged"));
    }
    let number = body
        .first_chunk()
        .map_or(0, |number| u64::from_le_bytes(*number));
    Err(format!("message {number} instead of {sequence}"))
}

/// Receives `count` stamped messages that `sender` sends, by `recv`, which fills the buffer and
/// says how many bytes it is; enters the tally.
///
/// # Panics
/// Where the sender ends otherwise than well, or the run hangs.
pub fn receive<E: Display>(
    lab: &mut Lab,
    claim: &'static str,
    what: &str,
    count: u64,
    sender: Child,
    mut recv: impl FnMut(&mut [u8; MESSAGE_BYTES]) -> Result<usize, E>,
) {
    let _watchdog = watchdog(PATIENCE);
    let mut buffer = [0; MESSAGE_BYTES];
    repeat(lab, claim, what, count, |sequence| {
        let length = recv(&mut buffer).map_err(|error| error.to_string())?;
        check(sequence, buffer.get(..length).unwrap_or_default())
    });
    sender.done();
}

/// Does `turn` so often, each with its number; enters a tally of the turns, with what has leaked
/// and grown since the first tenth.
pub fn repeat(
    lab: &mut Lab,
    claim: &'static str,
    what: &str,
    count: u64,
    turn: impl FnMut(u64) -> Result<(), String>,
) {
    lab.enter(measured(Tally::new(claim, what), count, false, turn));
}

/// [`repeat`] for turns that nobody counts but this process, and that need much memory.
///
/// Where memory has grown, as many turns are done again: a leak grows with them, and what an
/// allocator took late for a thread does not. The row says both.
pub fn repeat_freely(
    lab: &mut Lab,
    claim: &'static str,
    what: &str,
    count: u64,
    turn: impl FnMut(u64) -> Result<(), String>,
) {
    lab.enter(measured(Tally::new(claim, what), count, true, turn));
}

fn measured(
    mut tally: Tally,
    count: u64,
    again: bool,
    mut turn: impl FnMut(u64) -> Result<(), String>,
) -> Tally {
    let warm = count / 10;
    for number in 0..warm {
        tally.trial(turn(number));
    }
    let mut go_on = |from: u64, tally: &mut Tally| {
        let meter = Meter::start();
        for number in from..from + (count - warm) {
            tally.trial(turn(number));
            // A channel that is broken stays so: there is no use in going on.
            if tally.failures > 1000 {
                break;
            }
        }
        meter
    };
    let mut meter = go_on(warm, &mut tally);
    if again && let Err(grown) = meter.grown() {
        let second = go_on(count, &mut tally);
        meter = Meter {
            // Only of memory an allocator takes something late.
            before: meter.before,
            grown_before: Some(grown),
            ..second
        };
    }
    meter.finish(&mut tally);
    tally
}

/// What a process has before a long run, to compare with afterwards.
#[derive(Debug)]
struct Meter {
    started: Instant,
    before: Snapshot,
    memory: u64,
    mappings: usize,
    /// In a run before this one, which was done again for it.
    grown_before: Option<u64>,
}

impl Meter {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            before: Snapshot::take(),
            memory: resident_bytes(),
            mappings: mappings(),
            grown_before: None,
        }
    }

    /// By how many bytes memory has grown; an error where that is more than an allocator keeps.
    fn grown(&self) -> Result<u64, u64> {
        let grown = resident_bytes().saturating_sub(self.memory);
        let hours = self.started.elapsed().as_secs_f64() / 3600.0;
        match grown > SLACK_BYTES + (HOURLY_BYTES as f64 * hours) as u64 {
            true => Err(grown),
            false => Ok(grown),
        }
    }

    /// Notes what has changed, and counts a leak as a failure.
    fn finish(&self, tally: &mut Tally) {
        let took = self.started.elapsed();
        let hours = took.as_secs_f64() / 3600.0;
        let mut leaks = self.before.leaks_until_now();
        let (Ok(grown) | Err(grown)) = self.grown().inspect_err(|grown| {
            leaks.push(format!("{} KiB of memory", grown / 1024));
        });
        let more_mappings = mappings().saturating_sub(self.mappings);
        // An allocator maps a little more now and then.
        if more_mappings > 8 {
            leaks.push(format!("{more_mappings} mappings"));
        }
        let after = Snapshot::take().descriptors();
        let slope = match took < SLOPE_FROM {
            true => "too short for a slope".to_owned(),
            false => format!("{:.0} KiB/h", grown as f64 / 1024.0 / hours),
        };
        let before = self.grown_before.map(|grown| {
            let kib = grown / 1024;
            format!(" (+{kib} KiB in as many turns before)")
        });
        tally.note(format!(
            "{took:.0?}  rss +{} KiB ({slope}){}, descriptors {:+}",
            grown / 1024,
            before.unwrap_or_default(),
            after as i64 - self.before.descriptors() as i64,
        ));
        if !leaks.is_empty() {
            tally.fail(format!("leaked: {}", leaks.join(", ")));
        }
    }
}

fn sum(bytes: &[u8]) -> u64 {
    let step =
        |sum: u64, word: &[u8; 8]| (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x0100_0000_01b3);
    bytes.as_chunks().0.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_or_a_damaged_message_is_told() {
        assert_eq!(check(7, &stamp(7)), Ok(()));
        let other = check(7, &stamp(8)).expect_err("another");
        assert_eq!(other, "message 8 instead of 7");
        for byte in 0..MESSAGE_BYTES {
            let mut message = stamp(7);
            message[byte] ^= 1;
            let damaged = check(7, &message).expect_err("damaged");
            assert_eq!(damaged, "message 7 is damaged");
        }
        assert!(check(7, &stamp(7)[..9]).is_err());
    }

    // In a process of its own, since what other tests take at the time would count.
    #[test]
    fn a_leak_is_a_failure_and_what_is_kept_once_is_none() {
        crate::isolated!({
            let meter = Meter::start();
            let mut tally = Tally::new("S0", "nothing");
            let leak = std::fs::File::open("/dev/null").expect("a device");
            meter.finish(&mut tally);
            assert!(tally.failures > 0, "{tally}");
            drop(leak);

            // Nothing is given back in between: an allocator would hand it out again.
            let (mut kept, mut files) = (Vec::new(), Vec::new());
            let mut kept_at = |is_kept: fn(u64) -> bool, opens: bool| {
                let tally = measured(Tally::new("S0", "turns"), 20, true, |number| {
                    if is_kept(number) {
                        kept.push(std::hint::black_box(vec![1_u8; 4 * SLACK_BYTES as usize]));
                        files.extend(opens.then(|| std::fs::File::open("/dev/null")));
                    }
                    Ok(())
                });
                (tally.trials, tally.to_string())
            };
            let (turns, once) = kept_at(|number| number == 10, false);
            assert!(turns == 38 && !once.contains("KiB of memory"), "{once}");
            let (_, more) = kept_at(|number| number % 10 == 5, false);
            assert!(more.contains("KiB of memory"), "{more}");
            // What is done again for its memory is not forgiven a descriptor.
            let (turns, opened) = kept_at(|number| number == 10, true);
            assert!(turns == 38 && opened.contains("leaked"), "{opened}");
        });
    }
}
