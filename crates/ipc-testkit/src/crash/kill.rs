//! Real deaths: at a chosen instruction, at a random time, or only apparent.

use super::{Forked, Lab, single_step};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Kills `operation` after `instructions` of its instructions, with all that the kernel then
/// does for the dead process. False where the operation has fewer.
///
/// # Errors
/// As [`single_step`].
pub fn kill_inside(operation: impl FnOnce(), instructions: u64) -> Result<bool, String> {
    let steps = single_step(operation, |step| step < instructions)?;
    Ok(steps >= instructions)
}

/// Lets `part` run in a forked copy and kills it at a random time within `at_most`, without
/// reaping it; the zombie is given to `judge`.
pub fn kill_at_random<R>(
    lab: &mut Lab,
    at_most: Duration,
    part: impl FnOnce(),
    judge: impl FnOnce(&Forked) -> R,
) -> R {
    let copy = Forked::new(part);
    let micros = u64::try_from(at_most.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    let after = Duration::from_micros(lab.below(micros));
    // Spun, not slept: the moments are to be spread finer than a timer is.
    let start = Instant::now();
    while start.elapsed() < after {
        std::hint::spin_loop();
    }
    copy.kill_unreaped();
    judge(&copy)
}

/// Stops `copy` for as long as `meanwhile` takes, then lets it go on: paused, not dead.
pub fn stop_and_continue<R>(copy: &Forked, meanwhile: impl FnOnce() -> R) -> R {
    copy.signal(Signal::SIGSTOP);
    let outcome = meanwhile();
    copy.signal(Signal::SIGCONT);
    outcome
}
