//! In which order a run measures its cells, so that what it drops for want of time tells least.

use super::Group;
use crate::{
    family::Role,
    goals::{self, Goal},
    scenario::Scenario,
};

/// From here on a message is large, and its cell long.
const LARGE: usize = 64 << 10;
/// Up to here it is small: what it costs is the mechanism alone.
const SMALL: usize = 1 << 10;
/// The size that every mechanism is compared at.
const COMMON: usize = 64;

/// How telling a cell is; the most telling is measured first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// What all else is compared with.
    Floor,
    /// The one cell of a mechanism that says what it is: a round trip of 64 bytes.
    First,
    /// What a goal needs.
    OfGoal,
    SmallRoundTrip,
    SmallStreamOrWake,
    RoundTrip,
    Stream,
    Large,
    /// Polling, one thread, loads: how it is, for who wants to know more.
    Rest,
}

/// Sorts the groups, which are in the order of their mechanisms, by what they tell.
pub(super) fn sort(groups: &mut [Group]) {
    for (place, group) in groups.iter_mut().enumerate() {
        group.place = place;
    }
    let first: Vec<bool> = (groups.iter())
        .map(|group| {
            let family = groups.iter().filter(|o| o.mechanism == group.mechanism);
            let most_telling = family.min_by_key(|other| introduces(other));
            most_telling.is_some_and(|other| other.place == group.place)
        })
        .collect();
    groups.sort_by_key(|group| (rank(group, first[group.place]), group.place));
}

/// The smaller the better a cell says what its mechanism is.
fn introduces(group: &Group) -> (bool, bool, bool, usize, usize) {
    let (size, scenario) = (group.shape.size, group.shape.scenario);
    (
        scenario != Scenario::RoundTrip,
        !is_round_trip(scenario),
        size != COMMON,
        size,
        group.place,
    )
}

pub(super) fn rank(group: &Group, is_first: bool) -> Rank {
    let (size, scenario) = (group.shape.size, group.shape.scenario);
    let cell = (group.mechanism, scenario, size, group.placement);
    let round_trip = is_round_trip(scenario);
    match scenario {
        _ if group.role == Role::Floor => Rank::Floor,
        _ if is_first => Rank::First,
        _ if goals::GOALS
            .iter()
            .flat_map(Goal::cells)
            .any(|of| of == cell) =>
        {
            Rank::OfGoal
        }
        _ if round_trip && size < SMALL => Rank::SmallRoundTrip,
        Scenario::OneWay | Scenario::Wake if size < SMALL => Rank::SmallStreamOrWake,
        _ if round_trip && size < LARGE => Rank::RoundTrip,
        Scenario::OneWay if size < LARGE => Rank::Stream,
        Scenario::OneWay => Rank::Large,
        _ if round_trip => Rank::Large,
        _ => Rank::Rest,
    }
}

/// One that blocks.
fn is_round_trip(scenario: Scenario) -> bool {
    matches!(
        scenario,
        Scenario::RoundTrip | Scenario::RoundTripAwake | Scenario::RoundTripAsleep
    )
}
