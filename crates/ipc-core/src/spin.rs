//! How long a waiter tries again before it sleeps, and what it learns of that.

use crate::Until;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long a waiter tries again before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spin {
    /// As long as it has paid lately; not at all once it does not.
    #[default]
    Learned,
    /// Not at all.
    Never,
    /// Until something comes: for a processor that does nothing else. Such a wait sees the end of
    /// the peer, but perhaps only now and then.
    Always,
}

/// What one end has learned of its spins. Threads that share it may learn less, and nothing
/// wrong.
#[derive(Debug)]
pub struct SpinBudget {
    spin: Spin,
    /// How many looks a spin has at most.
    most: u64,
    /// How many it has when it was given up and is tried again.
    probe: u64,
    looks: AtomicU64,
    sleeps: AtomicU64,
    /// Tries in a row that found it there at once.
    at_once: AtomicU64,
}

/// Looks at memory that take as long as a sleep and its wake do, about 20 µs.
const LOOKS_AT_MEMORY: u64 = 4_000;
/// Calls of the kernel that do.
const CALLS: u64 = 64;
/// What a spin that was given up has, now and then, is a so many-th of the most.
const PROBE_PART: u64 = 20;
/// Every how many sleeps.
const PROBE_EVERY: u64 = 64;
/// After so many tries in a row that found it there at once the plain call does, most times.
const AT_ONCE: u64 = 16;
/// Looks between two at the clock, where there is a deadline.
const LOOKS_PER_CLOCK: u64 = 64;
/// A look in vain that took longer was not ours alone: somebody else had the processor, perhaps the
/// peer, whom the spin then only kept from it.
const INTERRUPTED: Duration = Duration::from_nanos(1_500);

impl SpinBudget {
    /// Of looks at memory.
    #[must_use]
    pub fn new(spin: Spin) -> Self {
        Self::of(spin, LOOKS_AT_MEMORY)
    }

    /// Of tries that are calls of the kernel.
    #[must_use]
    pub fn of_calls(spin: Spin) -> Self {
        Self::of(spin, CALLS)
    }

    const fn of(spin: Spin, most: u64) -> Self {
        Self {
            spin,
            most,
            probe: most / PROBE_PART,
            looks: AtomicU64::new(most),
            sleeps: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
        }
    }

    /// How often to look before this sleep.
    #[inline]
    pub fn looks(&self) -> u64 {
        match self.spin {
            Spin::Never => 0,
            Spin::Always => u64::MAX,
            Spin::Learned => match self.looks.load(Relaxed) {
                0 => self.probe_now_and_then(),
                looks => looks,
            },
        }
    }

    #[inline]
    fn probe_now_and_then(&self) -> u64 {
        let sleeps = self.sleeps.load(Relaxed) + 1;
        self.sleeps.store(sleeps, Relaxed);
        match sleeps % PROBE_EVERY {
            0 => self.probe,
            _ => 0,
        }
    }

    /// It came while we looked.
    #[inline]
    pub fn paid(&self) {
        self.looks.store(self.most, Relaxed);
    }

    /// We looked so often in vain.
    pub fn wasted(&self, looks: u64) {
        let mut left = self.looks.load(Relaxed);
        if looks > 0 {
            left /= 2;
        }
        if left < self.probe {
            left = 0;
        }
        self.looks.store(left, Relaxed);
    }

    /// Whether the plain call may be made, as by who does not spin: the last tries found it there
    /// at once, and only one in so many is to tell whether that is still so.
    #[inline]
    pub fn needs_none(&self) -> bool {
        let at_once = self.at_once.load(Relaxed);
        if self.spin != Spin::Learned || at_once < AT_ONCE {
            return false;
        }
        self.at_once.store(at_once.wrapping_add(1), Relaxed);
        !at_once.is_multiple_of(PROBE_EVERY)
    }

    /// Tries, and tries again for as long as that may pay, but not beyond `until`; `None` where
    /// it has to be waited for. What is there at once says nothing of spinning.
    #[inline]
    pub fn spin<T>(&self, until: Until, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        let looks = match until {
            Until::Now => 0,
            _ => self.looks(),
        };
        if looks == 0 {
            return None;
        }
        let mut begun = Instant::now();
        let found = attempt();
        if found.is_some() {
            let at_once = self.at_once.load(Relaxed).wrapping_add(1);
            self.at_once.store(at_once, Relaxed);
            return found;
        }
        self.at_once.store(0, Relaxed);
        for look in 1..looks {
            std::hint::spin_loop();
            let now = Instant::now();
            let found = attempt();
            if found.is_some() {
                match self.spin == Spin::Learned && now - begun > INTERRUPTED {
                    true => self.wasted(looks),
                    false => self.paid(),
                }
                return found;
            }
            begun = now;
            let over = || matches!(until, Until::At(deadline) if deadline <= now);
            if look % LOOKS_PER_CLOCK == 0 && over() {
                return None;
            }
        }
        self.wasted(looks);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Looks of a wait for what never comes.
    fn fruitless(budget: &SpinBudget) -> u64 {
        let looks = Cell::new(0);
        let found = budget.spin(Until::Forever, || {
            looks.set(looks.get() + 1);
            None::<()>
        });
        assert!(found.is_none());
        looks.get()
    }

    #[test]
    fn fruitless_spins_decay_to_none_and_are_tried_again_seldom() {
        for (budget, most) in [
            (SpinBudget::new(Spin::Learned), LOOKS_AT_MEMORY),
            (SpinBudget::of_calls(Spin::Learned), CALLS),
        ] {
            let looks: Vec<u64> = (0..8).map(|_| fruitless(&budget)).collect();
            assert_eq!(looks[..3], [most, most / 2, most / 4]);
            assert!(looks.iter().sum::<u64>() < 2 * most, "{looks:?}");
            assert_eq!(looks[7], 0);
            let later: Vec<u64> = (0..100 * PROBE_EVERY).map(|_| fruitless(&budget)).collect();
            let probes = later.iter().filter(|&&looks| looks > 0).count();
            assert_eq!(probes, 100);
            assert_eq!(later.iter().sum::<u64>(), 100 * (most / PROBE_PART));
        }
    }

    #[test]
    fn a_spin_that_pays_has_all_its_looks_again() {
        let budget = SpinBudget::of_calls(Spin::Learned);
        assert!((0..20).map(|_| fruitless(&budget)).last() == Some(0));
        budget.paid();
        assert_eq!(fruitless(&budget), CALLS);
        // What is there at once teaches nothing.
        assert_eq!(budget.spin(Until::Forever, || Some(7)), Some(7));
        assert_eq!(budget.spin(Until::Now, || Some(7)), None);
        assert_eq!(fruitless(&budget), CALLS / 2);
    }

    #[test]
    fn what_is_there_at_once_needs_no_tries_but_a_few() {
        let budget = SpinBudget::of_calls(Spin::Learned);
        let there = |budget: &SpinBudget| budget.spin(Until::Forever, || Some(()));
        for _ in 0..AT_ONCE {
            assert!(!budget.needs_none());
            assert_eq!(there(&budget), Some(()));
        }
        let plain = (0..10 * PROBE_EVERY).filter(|_| budget.needs_none());
        assert_eq!(plain.count() as u64, 10 * (PROBE_EVERY - 1));
        // One that was not there at once ends it.
        fruitless(&budget);
        assert!(!budget.needs_none());
    }

    #[test]
    fn never_and_always_learn_nothing() {
        let never = SpinBudget::new(Spin::Never);
        never.paid();
        assert_eq!(fruitless(&never), 0);
        let always = SpinBudget::of_calls(Spin::Always);
        (0..20).for_each(|_| always.wasted(1));
        assert_eq!(always.looks(), u64::MAX);
        let soon = Until::after(Duration::from_millis(1));
        assert_eq!(always.spin(soon, || None::<()>), None);
    }
}
