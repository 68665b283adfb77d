//! Which scenarios, and in which placements, a run measures of a mechanism at one size.

use super::Selection;
use crate::{
    family::{Family, Role},
    results::Placement,
    scenario::{Scenario, Shape},
};

/// What a default run measures of small messages; the rest of the scenarios takes processes and
/// time that `--full` and narrowed runs have.
const USUAL: [Scenario; 7] = [
    Scenario::SingleThread,
    Scenario::RoundTrip,
    Scenario::RoundTripAwake,
    Scenario::RoundTripAsleep,
    Scenario::RoundTripSpin,
    Scenario::OneWay,
    Scenario::Wake,
];

/// The scenarios of one size: all of them for small messages and in full or narrowed runs, the
/// telling ones for larger messages in a default run.
pub(super) fn scenarios(selection: &Selection, family: &Family, size: usize) -> Vec<Scenario> {
    let default: &[Scenario] = match size {
        _ if selection.full || selection.is_narrowed() || family.role == Role::Floor => {
            &Scenario::ALL
        }
        0..1024 => &USUAL,
        1024..65_536 => &[
            Scenario::SingleThread,
            Scenario::RoundTrip,
            Scenario::RoundTripAsleep,
            Scenario::RoundTripSpin,
            Scenario::OneWay,
        ],
        _ => &[
            Scenario::RoundTrip,
            Scenario::RoundTripAsleep,
            Scenario::RoundTripSpin,
            Scenario::OneWay,
        ],
    };
    let asked = |scenario: &Scenario| {
        selection.scenarios.is_empty()
            || selection.scenarios.contains(scenario)
            || (family.role == Role::Floor && serves(*scenario, &selection.scenarios))
    };
    let chosen = selection.full || selection.is_narrowed();
    let usual = |scenario: &Scenario| {
        let shape = Shape {
            size,
            scenario: *scenario,
        };
        chosen || family.makers.iter().any(|maker| (maker.usual)(&shape))
    };
    let fits = |scenario: &Scenario| family.makes_calls() || !scenario.is_of_calls();
    let all = default.iter().copied();
    all.filter(fits).filter(asked).filter(usual).collect()
}

/// The floors of streams, the copy and the system call, are measured on one thread; that of a load
/// is a wake.
fn serves(floor: Scenario, asked: &[Scenario]) -> bool {
    match floor {
        Scenario::SingleThread => asked.iter().any(|scenario| scenario.is_rate()),
        Scenario::Wake => asked.iter().any(|scenario| scenario.is_load()),
        _ => false,
    }
}

pub(super) fn placements(selection: &Selection, scenario: Scenario) -> Vec<Placement> {
    let usual = scenario.placement();
    match scenario {
        Scenario::OneWay if selection.full => {
            vec![usual, Placement::OtherAsleep, Placement::SameCore]
        }
        // Who asks for streams alone also asks what they do where nobody keeps a CPU awake.
        Scenario::OneWay if selection.scenarios == [Scenario::OneWay] => {
            vec![usual, Placement::OtherAsleep]
        }
        Scenario::Wake if selection.full => vec![usual, Placement::OtherAwake],
        _ => vec![usual],
    }
}
