//! The timers of a wait set, in the order in which they are due.

use super::slots::Name;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Timers by when they are due; those of one instant in the order in which they were made.
#[derive(Debug)]
pub(super) struct Timers {
    due: BTreeMap<(Instant, u64), Name>,
    made: u64,
}

/// When a timer is due, and its place among those of that instant.
pub(super) type Due = (Instant, u64);

impl Timers {
    pub(super) const fn new() -> Self {
        Self {
            due: BTreeMap::new(),
            made: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn set(&mut self, at: Instant, member: Name) -> Due {
        self.made += 1;
        self.due.insert((at, self.made), member);
        (at, self.made)
    }

    pub(super) fn cancel(&mut self, due: Due) {
        self.due.remove(&due);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        Some(self.due.first_key_value()?.0.0)
    }

    /// Takes the first that is due at `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<(Instant, Name)> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let ((at, _), member) = first.remove_entry();
        Some((at, member))
    }
}

/// The first instant after `now` in steps of `period` from `at`: those that were missed are one.
pub(super) fn following(at: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let next = at.checked_add(period)?;
    if next > now {
        return Some(next);
    }
    let behind = now.duration_since(at).as_nanos();
    let into_the_step = behind % period.as_nanos().max(1);
    let left = period.as_nanos().max(1) - into_the_step;
    // It is at most a period, which was a duration.
    let left = Duration::new((left / 1_000_000_000) as u64, (left % 1_000_000_000) as u32);
    now.checked_add(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_were_missed_are_one_and_the_rhythm_stays() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!(following(start, ms(10), start), Some(start + ms(10)));
        assert_eq!(
            following(start, ms(10), start + ms(10)),
            Some(start + ms(20))
        );
        assert_eq!(
            following(start, ms(10), start + ms(57)),
            Some(start + ms(60))
        );
        assert_eq!(following(start, Duration::MAX, start), None);
    }
}
