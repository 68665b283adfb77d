//! What awaiting costs over blocking, mechanism by mechanism: read off the ratios of one run.

use crate::{
    results::{Interval, Overhead, Ratio},
    scenario::Scenario,
};

/// The maker that an awaited form is measured beside.
pub const BLOCKING: &str = "blocking";

/// Of every mechanism that a run has measured both ways, in the order of its ratios: the state of
/// the machine seen most comes first among them, and stands for its cell.
pub fn of(ratios: &[Ratio]) -> Vec<Overhead> {
    let mut all: Vec<Overhead> = Vec::new();
    for found in ratios.iter().filter_map(overhead) {
        let same = |other: &&mut Overhead| {
            (&other.mechanism, &other.scenario) == (&found.mechanism, &found.scenario)
                && (other.size_bytes, other.placement) == (found.size_bytes, found.placement)
        };
        match all.iter_mut().find(same) {
            Some(other) if other.times_blocking.n >= found.times_blocking.n => {}
            Some(other) => *other = found,
            None => all.push(found),
        }
    }
    all
}

/// `pipe-awaited/round-trip/64/vs/blocking`, or `rpc-native:awaited/…` of what has both makers.
fn overhead(ratio: &Ratio) -> Option<Overhead> {
    let [subject, scenario, size, "vs", BLOCKING] = ratio.name.split('/').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let mechanism = subject
        .strip_suffix("-awaited")
        .or_else(|| subject.strip_suffix(":awaited"))?;
    // A share of a rate is turned over: what stands here is always time.
    let rate = Scenario::ALL
        .iter()
        .any(|known| known.name() == scenario && known.is_rate());
    let (value, low, high) = match rate {
        true => (1.0 / ratio.value, 1.0 / ratio.high, 1.0 / ratio.low),
        false => (ratio.value, ratio.low, ratio.high),
    };
    Some(Overhead {
        mechanism: mechanism.to_owned(),
        scenario: scenario.to_owned(),
        size_bytes: size.parse().ok()?,
        placement: ratio.placement,
        state: ratio.state,
        times_blocking: Interval {
            value,
            low,
            high,
            n: ratio.n,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Placement, State};

    fn ratio(name: &str, value: f64, n: usize) -> Ratio {
        Ratio {
            name: name.to_owned(),
            value,
            low: value / 2.0,
            high: value * 2.0,
            n,
            state: State::C,
            placement: Placement::SameCore,
            higher_is_better: name.contains("one-way"),
        }
    }

    #[test]
    fn each_mechanism_that_is_measured_both_ways_has_a_row() {
        let found = of(&[
            ratio("pipe/round-trip/64/vs/raw", 1.1, 9),
            ratio("pipe-awaited/round-trip/64/vs/blocking", 1.5, 9),
            ratio("pipe-awaited/round-trip/64/vs/blocking", 7.0, 3),
            ratio("rpc-native:awaited/round-trip/64/vs/blocking", 3.0, 9),
            ratio("rpc-native:awaited/round-trip/64/vs/raw", 4.0, 9),
        ]);
        let names: Vec<&str> = found.iter().map(|row| row.mechanism.as_str()).collect();
        assert_eq!(names, ["pipe", "rpc-native"]);
        assert_eq!(found[0].times_blocking.value, 1.5);
    }

    #[test]
    fn half_the_rate_is_twice_the_time() {
        let found = of(&[ratio("tcp-awaited/one-way/64/vs/blocking", 0.5, 9)]);
        let times = found[0].times_blocking;
        assert_eq!((times.value, times.low, times.high), (2.0, 1.0, 4.0));
    }
}
