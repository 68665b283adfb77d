//! The goals that this workspace has set itself for its own crates, one line each, and whether a
//! run has met them.
//!
//! A goal is a bound on a paired ratio `mechanism/scenario/size/vs/reference`. It is met when the
//! whole 95 % interval of the ratio lies within the bound, so a noisy run misses goals that a quiet
//! one meets. A default run measures the cells of all goals.

use serde::{Deserialize, Serialize};

use crate::{
    results::{Found, Outcome, Placement, Ratio, State},
    scenario::Scenario,
};

/// Fewer slices form no interval: 1 - 2 × 0.5^6 is the first above 0.95.
const LEAST_SLICES: usize = 6;

/// What a ratio must not exceed, or must reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The upper end of the interval counts.
    AtMost(f64),
    /// The lower end of the interval counts.
    AtLeast(f64),
}

/// What stands for a reference where calls are counted that wake a sleeper, per million messages.
pub const WAKING_CALLS: &str = "waking-calls-a-million";

/// One goal.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// Goals of one number belong together.
    pub number: u8,
    /// The ratio that decides.
    pub ratio: &'static str,
    /// What it must be.
    pub bound: Bound,
    /// Where its pair runs; where the scenario usually does if `None`.
    pub placement: Option<Placement>,
    /// In which states of the machine it counts; in whichever was seen most if empty.
    pub states: &'static [State],
    /// The same ratio in another placement, shown beside it.
    pub beside: Option<Placement>,
}

impl Goal {
    const fn at_most(number: u8, ratio: &'static str, bound: f64) -> Goal {
        Goal {
            number,
            ratio,
            bound: Bound::AtMost(bound),
            placement: None,
            states: &[],
            beside: None,
        }
    }

    const fn at_least(number: u8, ratio: &'static str, bound: f64) -> Goal {
        Goal {
            bound: Bound::AtLeast(bound),
            ..Goal::at_most(number, ratio, bound)
        }
    }

    /// It counts in this placement.
    const fn placed(self, placement: Placement) -> Goal {
        Goal {
            placement: Some(placement),
            ..self
        }
    }

    /// This placement is shown beside it.
    const fn beside(self, placement: Placement) -> Goal {
        Goal {
            beside: Some(placement),
            ..self
        }
    }

    /// It counts in these states of the machine.
    const fn only_in(self, states: &'static [State]) -> Goal {
        Goal { states, ..self }
    }
}

/// The sides' CPUs are no siblings, where a round trip is one of cache lines.
const APART: &[State] = &[State::C, State::R];

/// The sides' CPUs are siblings.
const SIBLINGS: &[State] = &[State::S];

/// Both sides share a CPU.
const ONE: &[State] = &[State::One];

/// Every goal that a crate of this workspace has taken on. One against published crates is there in
/// builds with them only.
pub const GOALS: &[Goal] = &[
    // 1 and 2: a message costs what its cache line costs; a stream gains by its words beside it.
    Goal::at_most(1, "ring/round-trip-spin/8/vs/two-flags", 1.10).only_in(APART),
    Goal::at_most(1, "ring/round-trip-spin/48/vs/two-flags", 1.10).only_in(APART),
    Goal::at_most(1, "ring/round-trip-spin/48/vs/two-flags", 1.50).only_in(SIBLINGS),
    Goal::at_least(2, "ring/one-way/64/vs/index-ring", 2.5),
    // 3: copying costs what the copies cost.
    Goal::at_least(3, "ring/one-way/65536/vs/pipeline", 0.90),
    Goal::at_least(3, "ring/one-way/1024/vs/batched-ring", 0.85),
    // 4: what is lent costs the same however large it is.
    Goal::at_most(4, "ring-loan/round-trip-spin/64/vs/untouched", 1.25),
    Goal::at_most(4, "ring-loan/round-trip-spin/1048576/vs/untouched", 1.25),
    Goal::at_most(4, "ring-loan/round-trip-spin/16777216/vs/untouched", 1.25),
    // 5: who blocks is woken as by a futex, and is not asleep while the other side is awake.
    Goal::at_most(5, "ring/round-trip/64/vs/raw", 1.10).only_in(ONE),
    Goal::at_most(5, "ring/round-trip-awake/48/vs/polled", 1.20),
    Goal::at_most(5, "ring/wake/64/vs/raw", 1.15),
    Goal::at_most(5, "ring-timed/round-trip/64/vs/raw", 1.25).only_in(ONE),
    // 6: nobody is woken who is awake.
    Goal::at_most(6, "ring/round-trip-spin/64/vs/waking-calls-a-million", 10.0),
    // 13: a channel is made for what its parts cost.
    Goal::at_most(13, "ring-open/single-thread/64/vs/raw", 1.15).only_in(ONE),
    // 18: one wait for a thousand endpoints costs little over the kernel's.
    Goal::at_most(18, "wait-set/single-thread/0/vs/raw", 1.10).only_in(ONE),
    // Beside what others have.
    Goal::at_most(17, "ring/round-trip-awake/64/vs/uds", 0.5),
    Goal::at_least(17, "ring-batch/one-way/64/vs/uds", 50.0),
    Goal::at_most(17, "ring-awaited/round-trip/64/vs/tokio", 0.8).only_in(ONE),
    Goal::at_most(17, "ring-awaited/round-trip-awake/64/vs/tokio", 0.8),
    #[cfg(feature = "peers")]
    Goal::at_most(17, "ring/round-trip-spin/64/vs/iceoryx2", 0.3),
    #[cfg(feature = "peers")]
    Goal::at_most(17, "ring/round-trip/64/vs/iceoryx2-events", 0.7).only_in(ONE),
    #[cfg(feature = "peers")]
    Goal::at_most(17, "ring/round-trip-awake/64/vs/iceoryx2-events", 0.7),
    // 7: a wrapper costs next to nothing over the plain calls, on one core and in one thread.
    Goal::at_most(7, "pipe/round-trip/64/vs/raw", 1.02).only_in(ONE),
    Goal::at_most(7, "pipe/single-thread/64/vs/raw", 1.02).only_in(ONE),
    Goal::at_most(7, "fifo/round-trip/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "fifo/single-thread/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-stream/round-trip/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-stream/single-thread/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-datagram/round-trip/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-datagram/single-thread/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-seqpacket/round-trip/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-seqpacket/single-thread/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "uds-framed/round-trip/64/vs/raw", 1.05).only_in(ONE),
    Goal::at_most(7, "uds-framed/single-thread/64/vs/raw", 1.05).only_in(ONE),
    Goal::at_most(7, "signal/round-trip/0/vs/raw", 1.02).only_in(ONE),
    Goal::at_most(7, "signal/single-thread/0/vs/raw", 1.02).only_in(ONE),
    Goal::at_most(7, "posix-mq/round-trip/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "posix-mq/single-thread/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "sysv-mq/round-trip/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "sysv-mq/single-thread/64/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(7, "tcp/round-trip/64/vs/std", 1.03).only_in(ONE),
    Goal::at_most(7, "tcp/single-thread/64/vs/std", 1.03).only_in(ONE),
    Goal::at_most(7, "eventfd/single-thread/0/vs/raw", 1.03).only_in(ONE),
    // 8: the automatic capacity of a pipe pays, where CPUs may sleep.
    Goal::at_least(8, "pipe/one-way/65536/vs/default", 2.5)
        .placed(Placement::OtherAsleep)
        .beside(Placement::OtherAwake),
    // Pages that a pipe holds are copied once less, and no memory is taken for them.
    Goal::at_least(8, "pipe-pages/one-way/65536/vs/default", 4.0)
        .placed(Placement::OtherAsleep)
        .beside(Placement::OtherAwake),
    // 9: semaphores and locks.
    Goal::at_most(9, "semaphore/single-thread/0/vs/raw", 1.03).only_in(ONE),
    Goal::at_most(9, "permit/single-thread/0/vs/raw", 1.5).only_in(ONE),
    Goal::at_most(9, "mutex/single-thread/0/vs/raw", 1.10).only_in(ONE),
    // 10: a call over the ring costs little over its own round trip; nobody sleeps where both
    // sides are awake.
    Goal::at_most(
        10,
        "rpc-native-shm:blocking/round-trip-awake/64/vs/raw",
        1.6,
    )
    .only_in(APART),
    Goal::at_most(10, "rpc-native-shm:blocking/round-trip/64/vs/raw", 1.15).only_in(ONE),
    // Calls by memory beside those by sockets.
    Goal::at_most(
        18,
        "rpc-native-shm:awaited/round-trip-awake/64/vs/awaited-by-unix",
        0.5,
    ),
    // One call after the other: half the time is twice the throughput.
    Goal::at_most(
        18,
        "rpc-native-shm:blocking/round-trip-awake/1048576/vs/blocking-by-unix",
        0.5,
    ),
    #[cfg(feature = "peers")]
    Goal::at_most(
        18,
        "rpc-native-shm:blocking/round-trip-awake/64/vs/tonic-by-unix",
        0.02,
    ),
    #[cfg(feature = "peers")]
    Goal::at_most(18, "rpc-grpc-shm/round-trip-awake/64/vs/tonic-by-unix", 0.5),
    #[cfg(feature = "peers")]
    Goal::at_most(18, "rpc-grpc-shm/round-trip/64/vs/tonic-by-unix", 0.9).only_in(ONE),
    // 11: a call costs little over the bytes of it, there and back.
    Goal::at_most(11, "rpc-native:blocking/round-trip/64/vs/raw", 1.25).only_in(ONE),
    #[cfg(feature = "peers")]
    Goal::at_most(11, "rpc-native:blocking/round-trip/64/vs/zeromq", 0.40).only_in(ONE),
    #[cfg(feature = "peers")]
    Goal::at_most(11, "rpc-native:blocking/round-trip/64/vs/nng", 0.25).only_in(ONE),
    // 15: spinning pays with a peer that is awake elsewhere, and costs nothing beside one here.
    Goal::at_most(15, "pipe-spin/round-trip-awake/64/vs/blocking", 0.30),
    Goal::at_most(15, "pipe-spin/round-trip/64/vs/blocking", 1.10).only_in(ONE),
    // 16: awaited calls beside those of others.
    #[cfg(feature = "peers")]
    Goal::at_most(16, "rpc-native:awaited/round-trip/64/vs/tarpc", 0.85).only_in(ONE),
    #[cfg(feature = "peers")]
    Goal::at_most(16, "rpc-native:awaited/round-trip/64/vs/tonic", 0.50).only_in(ONE),
    #[cfg(feature = "peers")]
    Goal::at_most(16, "rpc-native:awaited/round-trip/64/vs/ttrpc", 0.90).only_in(ONE),
    #[cfg(feature = "peers")]
    Goal::at_least(16, "rpc-native-tcp:awaited/concurrent-256/64/vs/tonic", 2.0),
];

/// A cell that a goal needs: mechanism, scenario, size, placement.
pub type Need<'a> = (&'a str, Scenario, usize, Placement);

impl Goal {
    /// The cells it needs, that of the ratio beside it too.
    pub fn cells(&self) -> Vec<Need<'static>> {
        let Some((mechanism, scenario, size)) = parts(self.ratio) else {
            return Vec::new();
        };
        let placement = self.placement.unwrap_or(scenario.placement());
        std::iter::once(placement)
            .chain(self.beside)
            .map(|placement| (mechanism, scenario, size, placement))
            .collect()
    }

    /// What the ratios of a run say about it.
    pub fn judge(&self, ratios: &[Ratio]) -> Found {
        let mut places = self.cells().into_iter().map(|(.., placement)| placement);
        let find = |placement: Placement| {
            let fits = |ratio: &&Ratio| {
                let state = self.states.is_empty() || self.states.contains(&ratio.state);
                ratio.name == self.ratio && ratio.placement == placement && state
            };
            ratios.iter().find(fits).cloned()
        };
        let placement = places.next().unwrap_or(Placement::SameCore);
        let found = find(placement);
        Found {
            number: self.number,
            ratio: self.ratio.to_owned(),
            placement,
            bound: self.bound,
            outcome: outcome(self.bound, found.as_ref()),
            found,
            beside: places.next().and_then(find),
        }
    }
}

/// What a run says about every goal.
pub fn judge(ratios: &[Ratio]) -> Vec<Found> {
    GOALS.iter().map(|goal| goal.judge(ratios)).collect()
}

fn outcome(bound: Bound, found: Option<&Ratio>) -> Outcome {
    let Some(ratio) = found.filter(|ratio| ratio.n >= LEAST_SLICES) else {
        return Outcome::NotMeasured;
    };
    let met = match bound {
        Bound::AtMost(most) => ratio.high <= most,
        Bound::AtLeast(least) => ratio.low >= least,
    };
    if met { Outcome::Met } else { Outcome::Missed }
}

/// Mechanism, scenario and size of `mechanism/scenario/size/vs/reference`.
fn parts(ratio: &str) -> Option<(&str, Scenario, usize)> {
    let mut parts = ratio.split('/');
    let (subject, scenario, size) = (parts.next()?, parts.next()?, parts.next()?);
    // Where our crate has several ways, the subject says which.
    let mechanism = subject.split(':').next()?;
    Some((mechanism, Scenario::named(scenario)?, size.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanisms;

    fn ratio(low: f64, high: f64, n: usize) -> Ratio {
        Ratio {
            name: "pipe/round-trip/64/vs/raw".to_owned(),
            value: (low + high) / 2.0,
            low,
            high,
            n,
            state: State::One,
            placement: Placement::SameCore,
            higher_is_better: false,
        }
    }

    #[test]
    fn a_goal_is_met_by_the_whole_interval() {
        let pipe = |goal: &&Goal| goal.ratio == "pipe/round-trip/64/vs/raw";
        let goal = GOALS.iter().find(pipe).expect("a goal");
        assert_eq!(goal.judge(&[ratio(0.99, 1.01, 30)]).outcome, Outcome::Met);
        assert_eq!(
            goal.judge(&[ratio(0.99, 1.03, 30)]).outcome,
            Outcome::Missed
        );
        assert_eq!(
            goal.judge(&[ratio(0.99, 1.01, 5)]).outcome,
            Outcome::NotMeasured
        );
        assert_eq!(goal.judge(&[]).outcome, Outcome::NotMeasured);
    }

    #[test]
    fn every_goal_names_a_cell_that_exists() {
        let families = mechanisms::all();
        for goal in GOALS {
            let cells = goal.cells();
            assert!(!cells.is_empty(), "{}", goal.ratio);
            let (mechanism, _, size, _) = cells[0];
            let family = families.iter().find(|family| family.name == mechanism);
            let family = family.unwrap_or_else(|| panic!("no mechanism {mechanism}"));
            assert_eq!(family.payload, size > 0, "{}", goal.ratio);
            let reference = goal.ratio.rsplit('/').next();
            let named = |name| Some(name) == reference;
            assert!(
                named(WAKING_CALLS) || family.makers.iter().any(|maker| named(maker.name)),
                "{}",
                goal.ratio
            );
        }
    }
}
