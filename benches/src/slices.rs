//! Slices: which state the machine was in, which of them count, and the ratios they pair up to.

use std::collections::BTreeMap;

use crate::{
    protocol::{SliceReport, Usage},
    results::{Interval, Placement, Ratio, State},
    statistics::interval,
};

/// Two probes of one slice may differ by this much.
const MAX_DISAGREEMENT: f64 = 1.25;

/// One measured slice of one lane.
#[derive(Clone, Debug)]
pub struct Slice {
    /// Slices of the same round were measured right after each other.
    pub round: usize,
    /// Messages or round trips.
    pub messages: u32,
    /// Median time per operation.
    pub typical_ns: f64,
    /// Operations per second over the whole slice.
    pub per_second: f64,
    /// Tenths of a nanosecond per operation, with counts.
    pub times: Vec<(u64, u32)>,
    /// Both processes' costs.
    pub usage: Usage,
    /// What the probes said.
    pub probes: (f64, f64),
    /// Payload was compared on both sides.
    pub verified: bool,
    /// The state of both probes, or `None` where they disagree: the slice is rejected.
    pub state: Option<State>,
}

impl Slice {
    /// Joins what client and server saw.
    pub fn new(
        round: usize,
        messages: u32,
        two_cpus: bool,
        client: SliceReport,
        server: SliceReport,
    ) -> Slice {
        // Only one of the two has times: the server where it holds the clock, else the client.
        let woken = client.times.is_empty();
        let (typical_ns, times) = if woken {
            (server.typical_ns, server.times)
        } else {
            (client.typical_ns, client.times)
        };
        let rate = if client.elapsed_ns == 0 {
            f64::NAN
        } else {
            f64::from(messages) * 1e9 / client.elapsed_ns as f64
        };
        Slice {
            round,
            messages,
            typical_ns,
            per_second: rate,
            times,
            usage: Usage {
                cpu_ns: client.usage.cpu_ns + server.usage.cpu_ns,
                voluntary: client.usage.voluntary + server.usage.voluntary,
                involuntary: client.usage.involuntary + server.usage.involuntary,
            },
            probes: client.probes,
            verified: client.verified,
            state: agreed_state(client.probes, two_cpus),
        }
    }
}

/// The state that a probe shows.
pub fn classify(probe_ns: f64, two_cpus: bool) -> State {
    match probe_ns {
        _ if !two_cpus => State::One,
        ns if ns < 80.0 => State::S,
        ns if ns <= 300.0 => State::C,
        _ => State::R,
    }
}

/// The state of a slice between two probes; `None` where they show two states or differ too much.
pub fn agreed_state(probes: (f64, f64), two_cpus: bool) -> Option<State> {
    let (low, high) = (probes.0.min(probes.1), probes.0.max(probes.1));
    let near = low > 0.0 && high / low <= MAX_DISAGREEMENT;
    let state = classify(probes.0, two_cpus);
    (near && state == classify(probes.1, two_cpus)).then_some(state)
}

/// The state that most of the kept slices share.
pub fn prevailing(slices: &[Slice]) -> Option<State> {
    let mut seen = BTreeMap::new();
    for state in slices.iter().filter_map(|slice| slice.state) {
        *seen.entry(state).or_insert(0) += 1;
    }
    seen.into_iter()
        .max_by_key(|&(_, count)| count)
        .map(|(state, _)| state)
}

/// The paired ratios of two lanes of one group, the state seen most first; further states follow
/// where they have an interval of their own.
pub fn ratios(
    name: &str,
    placement: Placement,
    rate: bool,
    ours: &[Slice],
    reference: &[Slice],
) -> Vec<Ratio> {
    let mut by_state: BTreeMap<State, Vec<f64>> = BTreeMap::new();
    for one in ours {
        let Some(state) = one.state else { continue };
        let partner = reference.iter().find(|other| other.round == one.round);
        let Some(other) = partner.filter(|other| other.state == Some(state)) else {
            continue;
        };
        let ratio = if rate {
            one.per_second / other.per_second
        } else {
            one.typical_ns / other.typical_ns
        };
        if ratio.is_finite() {
            by_state.entry(state).or_default().push(ratio);
        }
    }
    let mut all: Vec<(State, Interval)> = by_state
        .into_iter()
        .map(|(state, values)| (state, interval(&values)))
        .collect();
    all.sort_by_key(|(_, interval)| std::cmp::Reverse(interval.n));
    all.into_iter()
        .enumerate()
        .filter(|(index, (_, interval))| *index == 0 || interval.n >= 6)
        .map(
            |(
                _,
                (
                    state,
                    Interval {
                        value,
                        low,
                        high,
                        n,
                    },
                ),
            )| Ratio {
                name: name.to_owned(),
                value,
                low,
                high,
                n,
                state,
                placement,
                higher_is_better: rate,
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(round: usize, typical_ns: f64, probes: (f64, f64)) -> Slice {
        let report = SliceReport {
            probes,
            elapsed_ns: 1000,
            typical_ns,
            times: vec![(1, 1)],
            ..SliceReport::default()
        };
        Slice::new(round, 10, true, report, SliceReport::default())
    }

    #[test]
    fn the_probe_tells_the_state() {
        assert_eq!(classify(50.0, true), State::S);
        assert_eq!(classify(120.0, true), State::C);
        assert_eq!(classify(540.0, true), State::R);
        assert_eq!(classify(120.0, false), State::One);
    }

    #[test]
    fn a_slice_whose_probes_disagree_is_rejected() {
        assert_eq!(agreed_state((100.0, 110.0), true), Some(State::C));
        assert_eq!(
            agreed_state((100.0, 130.0), true),
            None,
            "more than a quarter apart"
        );
        assert_eq!(agreed_state((78.0, 82.0), true), None, "two states");
        assert_eq!(agreed_state((0.0, 0.0), true), None, "no probe at all");
    }

    #[test]
    fn ratios_pair_slices_of_one_round_and_one_state() {
        let near = (100.0, 100.0);
        let ours = [
            slice(0, 11.0, near),
            slice(1, 22.0, near),
            slice(2, 5.0, (500.0, 500.0)),
        ];
        let raw = [
            slice(0, 10.0, near),
            slice(1, 20.0, near),
            slice(2, 50.0, near),
        ];
        let got = ratios(
            "pipe/round-trip/64/vs/raw",
            Placement::OtherAwake,
            false,
            &ours,
            &raw,
        );
        assert_eq!(got.len(), 1);
        assert_eq!((got[0].n, got[0].state), (2, State::C));
        assert!((got[0].value - 1.1).abs() < 1e-9);
    }

    #[test]
    fn the_prevailing_state_is_the_one_seen_most() {
        let slices = [
            slice(0, 1.0, (50.0, 50.0)),
            slice(1, 1.0, (90.0, 90.0)),
            slice(2, 1.0, (95.0, 95.0)),
        ];
        assert_eq!(prevailing(&slices), Some(State::C));
        assert_eq!(prevailing(&[]), None);
    }
}
