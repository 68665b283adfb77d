//! How often one who does not sleep looks for the other side's end, which costs a system call.

use crate::cell::Cell;

/// Looks between two at the other side's end, of one who waits without a sleep.
pub(crate) const LOOKS_PER_END: u64 = 1 << 16;
/// Tries in a row that find nothing before the first look at the other side's end.
const TRIES_BEFORE_END: u64 = 256;
/// And between two later ones: who tries without a pause has a system call for so many.
const TRIES_PER_END: u64 = 4096;
/// No place that anybody is at.
const NOWHERE: u64 = u64::MAX;

/// The tries in a row that found nothing.
#[derive(Debug)]
pub(crate) struct Tries {
    /// How many may yet find nothing before one looks for the end.
    left: Cell,
    /// How far we were at the last of them: they are in a row while that stays.
    at: Cell,
}

impl Tries {
    pub(crate) fn new() -> Self {
        Self {
            left: Cell::new(0),
            at: Cell::new(NOWHERE),
        }
    }

    /// Counts one more, if that is all to do: the first in a row, and those that look for the end,
    /// are [`due`](Tries::is_due).
    #[inline]
    pub(crate) fn again(&self, at: u64) -> bool {
        let left = self.left.get();
        if self.at.get() != at || left == 0 {
            return false;
        }
        self.left.set(left - 1);
        true
    }

    /// Counts one more; whether it is to look for the end.
    pub(crate) fn is_due(&self, at: u64) -> bool {
        let left = match self.at.get() == at {
            true => self.left.get(),
            false => TRIES_BEFORE_END - 1,
        };
        self.at.set(at);
        self.left
            .set(left.checked_sub(1).unwrap_or(TRIES_PER_END - 1));
        left == 0
    }

    /// One found something: they are in a row no more.
    #[inline]
    pub(crate) fn found(&self) {
        self.at.set(NOWHERE);
    }
}

#[cfg(all(test, not(ipc_model)))]
mod tests {
    use super::*;

    /// Which of so many tries look for the end.
    fn looking(tries: &Tries, at: u64, count: u64) -> Vec<u64> {
        (1..=count)
            .filter(|_| !tries.again(at) && tries.is_due(at))
            .collect()
    }

    #[test]
    fn the_256th_in_a_row_looks_and_then_each_4096th() {
        let tries = Tries::new();
        assert_eq!(looking(&tries, 7, 10_000), [256, 4352, 8448]);
        assert_eq!(looking(&tries, 8, 300), [256], "a new row");
        tries.found();
        assert_eq!(looking(&tries, 8, 300), [256], "and one more");
    }
}
