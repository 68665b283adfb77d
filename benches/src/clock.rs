//! Divides the time of a run over its groups.

use std::time::{Duration, Instant};

use crate::plan::{Plan, Selection};

/// The measuring part of a default run, and how long it may drag on where the machine is busy:
/// two minutes are promised.
const DEFAULT_TIME: Duration = Duration::from_secs(108);
const GRACE: Duration = Duration::from_secs(9);
/// Even a late group gets this much, as long as the grace lasts; with less a group is not begun
/// where the time was named.
const LATE: Duration = Duration::from_millis(40);
/// A narrowed run gives every cell this much, within the time of a default run.
const NARROW_LANE: Duration = Duration::from_millis(2_500);
/// A full run takes as long as its cells need.
const FULL_LANE: Duration = Duration::from_millis(450);
/// Fresh pairs that share the rounds of a cell: a connection may be luckier than its neighbour
/// (TCP's buffers, where pages lie), and the interval must show that.
const DEFAULT_PAIRS: usize = 3;
const MORE_PAIRS: usize = 6;
/// A fresh pair takes about this long for three rounds of slices, whatever it was given: to start,
/// to connect, to find its pace.
const PAIR_LEAST: Duration = Duration::from_millis(100);

/// The time of a run that is left, over the groups that are left, by weight.
#[derive(Debug)]
pub(crate) struct Clock {
    deadline: Instant,
    grace: Duration,
    weight_left: u32,
    pairs: usize,
    is_named: bool,
}

/// What a group gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) time: Duration,
    pub(crate) pairs: usize,
    /// Nothing more may be started when the time is over.
    pub(crate) is_limit: bool,
}

impl Clock {
    /// The clock of a run that began at `begun`; of a time that the user has named, all of it
    /// counts from then.
    pub(crate) fn new(selection: &Selection, plan: &Plan, begun: Instant, now: Instant) -> Clock {
        let weight = plan.weight();
        let narrowed = selection.is_narrowed();
        let usual = if selection.full {
            FULL_LANE * weight
        } else if narrowed {
            DEFAULT_TIME.min(NARROW_LANE * weight)
        } else {
            DEFAULT_TIME
        };
        let deadline = match selection.time {
            Some(most) => (begun + most).min(now + usual),
            None => now + usual,
        };
        Clock {
            deadline,
            grace: selection.time.map_or(GRACE, |_| Duration::ZERO),
            weight_left: weight,
            pairs: if selection.full || narrowed {
                MORE_PAIRS
            } else {
                DEFAULT_PAIRS
            },
            is_named: selection.time.is_some(),
        }
    }

    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// The share of a group that begins at `now`; `None` where nothing is left.
    pub(crate) fn allot(&mut self, weight: u32, now: Instant) -> Option<Share> {
        let left = self.left(now);
        let late = now.saturating_duration_since(self.deadline);
        let share = left.mul_f64(f64::from(weight) / f64::from(self.weight_left.max(1)));
        self.weight_left = self.weight_left.saturating_sub(weight);
        if self.is_named {
            // What the pairs take at least would come on top, six times for each group.
            let fit = (share.as_nanos() / PAIR_LEAST.as_nanos()) as usize;
            return (left >= LATE).then_some(Share {
                time: share,
                pairs: fit.clamp(1, self.pairs),
                is_limit: true,
            });
        }
        (late < self.grace).then_some(Share {
            time: share.max(LATE),
            pairs: self.pairs,
            is_limit: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mechanisms, placement::Cpus};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The plan of all of pipe at 64 B, on CPUs that need not exist.
    fn plan(time: Option<Duration>) -> (Selection, Plan) {
        let selection = Selection {
            mechanisms: vec!["pipe".to_owned()],
            sizes: vec![64],
            time,
            ..Selection::default()
        };
        let cpus = Cpus::pick().expect("this process runs somewhere");
        let plan = Plan::new(&selection, &mechanisms::all(), &cpus);
        assert!(plan.groups.len() > 5, "{}", plan.groups.len());
        (selection, plan)
    }

    /// Goes through a plan whose groups take their share and `extra` for each pair; how long it
    /// took, and how many were left out.
    fn play(time: Option<Duration>, extra: Duration) -> (Duration, usize) {
        let (selection, plan) = plan(time);
        let begun = Instant::now();
        let (mut now, mut left_out) = (begun, 0);
        let mut clock = Clock::new(&selection, &plan, begun, now);
        for group in &plan.groups {
            match clock.allot(group.weight(), now) {
                None => left_out += 1,
                Some(share) => {
                    let mut spent = Duration::ZERO;
                    for pair in 1..=share.pairs {
                        if share.is_limit && spent >= share.time {
                            break;
                        }
                        let until = share.time.mul_f64(pair as f64 / share.pairs as f64);
                        spent = until.max(spent + extra);
                    }
                    now += spent;
                }
            }
        }
        (now - begun, left_out)
    }

    #[test]
    fn a_named_time_is_passed_by_one_pair_at_most() {
        for time in [1, 2, 5, 20] {
            for extra in [10, 100, 400, 2_000].map(Duration::from_millis) {
                let (took, _) = play(Some(seconds(time)), extra);
                assert!(
                    took <= seconds(time) + extra,
                    "{time} s, {extra:?}: {took:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_left_out_where_pairs_are_as_fast_as_expected() {
        for time in [2, 5, 20] {
            let (took, left_out) = play(Some(seconds(time)), Duration::from_millis(20));
            assert_eq!(left_out, 0, "{time} s: {took:?}");
        }
    }

    #[test]
    fn a_run_without_a_named_time_has_its_grace() {
        let (selection, plan) = plan(None);
        let begun = Instant::now();
        let mut clock = Clock::new(&selection, &plan, begun, begun);
        let over = begun + clock.left(begun);
        let late = Some(Share {
            time: LATE,
            pairs: MORE_PAIRS,
            is_limit: false,
        });
        assert_eq!(clock.allot(1, over + GRACE / 2), late);
        assert_eq!(clock.allot(1, over + GRACE), None);
    }

    #[test]
    fn what_came_before_the_first_group_counts_for_a_named_time_alone() {
        let (selection, plan) = plan(Some(seconds(3)));
        let begun = Instant::now();
        let clock = Clock::new(&selection, &plan, begun, begun + seconds(1));
        assert_eq!(clock.left(begun + seconds(1)), seconds(2));
        let selection = Selection {
            time: None,
            ..selection
        };
        let clock = Clock::new(&selection, &plan, begun, begun + seconds(1));
        let usual = DEFAULT_TIME.min(NARROW_LANE * plan.weight());
        assert_eq!(clock.left(begun + seconds(1)), usual);
    }
}
