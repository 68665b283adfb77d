//! Turns measured slices into the cells, floors and ratios of the results.

use hdrhistogram::Histogram;

use crate::{
    goals::WAKING_CALLS,
    lane::Lane,
    plan::Group,
    results::{Cell, Floor, Interval, Latency, MakerKind, Probe, Ratio, State, Verdict},
    scenario::Scenario,
    slices::{Slice, prevailing, ratios},
    statistics::{interval, median},
};

/// Percentiles of the curve in results.
const CURVE: [f64; 15] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.8, 99.9, 99.95, 99.99, 100.0,
];
/// Name of the floor of one wake, where `futex-wake` is a round trip of two.
const ONE_WAKE: &str = "futex-wake-one-way";
/// Slices that a floor of a state needs, unless there is no other state.
const FLOOR_SLICES: usize = 6;
/// Above this share of rejected slices, or this drift of the floor, a run is not quiet.
const QUIET: (f64, f64) = (0.15, 1.10);
/// The same for noisy.
const NOISY: (f64, f64) = (0.50, 1.50);

/// The floors that a lane of a floor family has found: one for each state that it saw often
/// enough, the state seen most first.
pub fn floors(group: &Group, lane: &Lane) -> Vec<Floor> {
    let most = prevailing(&lane.slices);
    let mut states = [State::S, State::C, State::R, State::One];
    states.sort_by_key(|&state| Some(state) != most);
    states
        .into_iter()
        .map(|state| (state, in_state(lane, state)))
        .filter(|(state, kept)| Some(*state) == most || kept.len() >= FLOOR_SLICES)
        .map(|(state, kept)| Floor {
            // A wake is half of the round trip of the same name, in the same placement.
            name: match group.shape.scenario {
                Scenario::Wake => ONE_WAKE.to_owned(),
                _ => group.mechanism.to_owned(),
            },
            size_bytes: group.shape.size,
            placement: group.placement,
            state,
            nanoseconds: over(&kept, |slice| slice.typical_ns),
        })
        .collect()
}

/// The cell of one lane.
pub fn cell(group: &Group, lane: &Lane, floors: &[Floor]) -> Option<Cell> {
    let state = prevailing(&lane.slices)?;
    let kept = in_state(lane, state);
    let n: u64 = kept.iter().map(|slice| u64::from(slice.messages)).sum();
    let per_message = |total: u64| if n == 0 { 0.0 } else { total as f64 / n as f64 };
    let sum = |part: fn(&Slice) -> u64| kept.iter().map(|&slice| part(slice)).sum::<u64>();
    let rates = over(&kept, |slice| slice.per_second);
    let size = group.shape.size as f64;
    let one_way = group.shape.scenario.is_rate();
    let (floor, times_floor) = times_floor(group, state, &kept, floors);
    Some(Cell {
        mechanism: group.mechanism.to_owned(),
        maker: lane.maker.name.to_owned(),
        kind: lane.maker.kind,
        scenario: group.shape.scenario.name().to_owned(),
        size_bytes: group.shape.size,
        placement: group.placement,
        state,
        n,
        latency: latency(&kept),
        group: if one_way {
            kept.first()?.messages
        } else {
            lane.group()
        },
        messages_per_second: rates,
        bytes_per_second: scaled(rates, size),
        // CPU nanoseconds a message are milli-CPU-seconds a million.
        cpu_seconds_per_million: per_message(sum(|slice| slice.usage.cpu_ns)) / 1000.0,
        system_calls: lane.system_calls,
        wakes: per_message(sum(|slice| slice.usage.voluntary)),
        preemptions: per_message(sum(|slice| slice.usage.involuntary)),
        times_floor,
        floor,
        saturation: lane.saturation,
        verified: kept.iter().all(|slice| slice.verified),
        copies: lane.maker.copies.to_owned(),
    })
}

/// The ratios between the lanes of a group: each maker against its references, and those of our
/// crates against everybody, unless they have members.
pub fn group_ratios(group: &Group, lanes: &[Lane]) -> Vec<Ratio> {
    let scenario = group.shape.scenario;
    let mut all = Vec::new();
    for ours in lanes {
        all.extend(waking_calls(group, ours));
        for reference in lanes {
            // Of many shapes in one family, each is compared with its like.
            let faces_all = ours.maker.kind == MakerKind::Ours && ours.maker.members.is_none();
            let chosen = match reference.maker.kind {
                kind if faces_all && kind != MakerKind::Ours => true,
                _ => ours.maker.references.contains(&reference.maker.name),
            };
            if !chosen {
                continue;
            }
            // A name without maker speaks of our crate, where that has one way to do it.
            let subject = match ours.maker.kind {
                MakerKind::Ours if !group.has_several_of_ours => group.mechanism.to_owned(),
                _ => {
                    format!("{}:{}", group.mechanism, ours.maker.name)
                }
            };
            let name = format!(
                "{subject}/{}/{}/vs/{}",
                scenario.name(),
                group.shape.size,
                reference.maker.name
            );
            let rate = scenario.is_rate();
            all.extend(ratios(
                &name,
                group.placement,
                rate,
                &ours.slices,
                &reference.slices,
            ));
        }
    }
    all
}

/// Calls that wake a sleeper, per million messages, as a ratio to the messages: a count has no
/// interval.
fn waking_calls(group: &Group, lane: &Lane) -> Option<Ratio> {
    let value = lane.waking_calls?;
    Some(Ratio {
        name: format!(
            "{}/{}/{}/vs/{WAKING_CALLS}",
            group.mechanism,
            group.shape.scenario.name(),
            group.shape.size
        ),
        value,
        low: value,
        high: value,
        n: lane.slices.len(),
        state: prevailing(&lane.slices)?,
        placement: group.placement,
        higher_is_better: false,
    })
}

/// What a run thinks of itself.
pub fn verdict(probes: &[Probe]) -> Verdict {
    // Each slice has left two probes.
    let kept = probes.iter().filter(|probe| probe.kept).count() / 2;
    let rejected = probes.iter().filter(|probe| !probe.kept).count() / 2;
    let share = |count: usize| count as f64 / probes.len().max(1) as f64;
    let states = [State::S, State::C, State::R, State::One]
        .map(|state| {
            (
                state,
                probes.iter().filter(|probe| probe.state == state).count(),
            )
        })
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(state, count)| (format!("{state:?}"), share(count)))
        .collect();
    let floor_drift = drift(probes);
    let rejected_share = rejected as f64 / (kept + rejected).max(1) as f64;
    let moved = floor_drift.max(1.0 / floor_drift.max(f64::MIN_POSITIVE));
    let word = if rejected_share <= QUIET.0 && moved <= QUIET.1 {
        "quiet"
    } else if rejected_share <= NOISY.0 && moved <= NOISY.1 {
        "usable"
    } else {
        "noisy"
    };
    let sentence = format!(
        "{word}: {:.1} % of the slices rejected, the floor drifted to {floor_drift:.2} of its \
         start",
        rejected_share * 100.0
    );
    Verdict {
        kept,
        rejected,
        floor_drift,
        states,
        sentence,
    }
}

/// Probes of the last tenth over those of the first, in the state of two CPUs seen most (of one
/// CPU, where there is no second): changes of state are counted elsewhere.
fn drift(probes: &[Probe]) -> f64 {
    let of = |state: State| -> Vec<f64> {
        let alike = probes.iter().filter(|probe| probe.state == state);
        alike.map(|probe| probe.nanoseconds).collect()
    };
    let most = [State::S, State::C, State::R]
        .map(of)
        .into_iter()
        .max_by_key(Vec::len);
    let values = most
        .filter(|values| !values.is_empty())
        .unwrap_or_else(|| of(State::One));
    let tenth = (values.len() / 10).max(1).min(values.len());
    let (first, last) = (&values[..tenth], &values[values.len() - tenth..]);
    let (first, last) = (median(first), median(last));
    if first > 0.0 { last / first } else { 1.0 }
}

/// The slices that count towards a state.
fn in_state(lane: &Lane, state: State) -> Vec<&Slice> {
    lane.slices
        .iter()
        .filter(|slice| slice.state == Some(state))
        .collect()
}

fn over(slices: &[&Slice], value: impl Fn(&Slice) -> f64) -> Interval {
    interval(
        &slices
            .iter()
            .map(|slice| value(slice))
            .collect::<Vec<f64>>(),
    )
}

fn scaled(interval: Interval, by: f64) -> Interval {
    Interval {
        value: interval.value * by,
        low: interval.low * by,
        high: interval.high * by,
        n: interval.n,
    }
}

/// The bound that applies to a scenario, by name, and the multiple of it. Where the probes around
/// each slice are that bound they are taken, being of the same moment; else the floor measured
/// in the same placement, and in the same state if it was seen then.
fn times_floor(
    group: &Group,
    state: State,
    kept: &[&Slice],
    floors: &[Floor],
) -> (String, Interval) {
    let probed = |name: &str| {
        let times = over(kept, |slice| {
            2.0 * slice.typical_ns / (slice.probes.0 + slice.probes.1)
        });
        (name.to_owned(), times)
    };
    let (name, size) = match group.shape.scenario {
        Scenario::SingleThread => return probed("system-call"),
        Scenario::RoundTripSpin => return probed("cache-line"),
        // An event without bytes has nothing to copy; it still has to be told to the kernel.
        rate if rate.is_rate() && group.shape.size == 0 => ("system-call", 0),
        rate if rate.is_rate() => ("memcpy", group.shape.size),
        Scenario::RoundTrip | Scenario::RoundTripAwake | Scenario::RoundTripAsleep => {
            ("futex-wake", 0)
        }
        _ => (ONE_WAKE, 0),
    };
    // The floors of streams are measured on one thread, whatever the placement.
    let anywhere = group.shape.scenario.is_rate();
    let fitting = || {
        floors.iter().filter(|floor| {
            floor.name == name
                && floor.size_bytes == size
                && (anywhere || floor.placement == group.placement)
        })
    };
    match fitting()
        .find(|floor| floor.state == state)
        .or_else(|| fitting().next())
    {
        Some(floor) => {
            let floor_ns = floor.nanoseconds.value.max(f64::MIN_POSITIVE);
            (
                name.to_owned(),
                over(kept, |slice| slice.typical_ns / floor_ns),
            )
        }
        None => (String::new(), Interval::default()),
    }
}

fn latency(kept: &[&Slice]) -> Latency {
    // Three digits, as the workers have kept; it grows by itself, and resizing cannot fail below
    // 64 bits, so nothing is lost by ignoring what `record_n` says.
    let Ok(mut histogram) = Histogram::<u64>::new(3) else {
        return Latency::default();
    };
    for &(tenths, count) in kept.iter().flat_map(|slice| &slice.times) {
        let _ = histogram.record_n(tenths, u64::from(count));
    }
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |percentile: f64| histogram.value_at_percentile(percentile) as f64 / 10.0;
    Latency {
        min: histogram.min() as f64 / 10.0,
        p50: at(50.0),
        p90: at(90.0),
        p99: at(99.0),
        p999: at(99.9),
        max: histogram.max() as f64 / 10.0,
        curve: CURVE
            .iter()
            .map(|&percentile| (percentile, at(percentile)))
            .collect(),
    }
}
