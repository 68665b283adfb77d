//! The goals of a run as rows: what was to be reached, what was, and what stands beside it.

use super::{numbers, ratios::Named, rows};
use crate::{
    goals::Bound,
    results::{Found, Outcome, Ratio, Run},
};

/// Heads of the columns of [`row`].
pub(crate) const HEADS: [&str; 8] = [
    "",
    "goal",
    "ratio",
    "placement",
    "bound",
    "value [95 % interval]",
    "state",
    "outcome",
];

/// One goal, and its outcome in words.
pub(crate) fn row(goal: &Found) -> [String; 8] {
    let bound = match goal.bound {
        Bound::AtMost(most) => format!("≤ {most:.2}"),
        Bound::AtLeast(least) => format!("≥ {least:.2}"),
    };
    let value = |ratio: &Ratio| numbers::ratio(&Named::of(ratio).interval());
    let (shown, state) = match &goal.found {
        Some(ratio) => (value(ratio), format!("{:?}", ratio.state)),
        None => (numbers::NONE.to_owned(), String::new()),
    };
    [
        sign(goal.outcome).to_owned(),
        goal.number.to_string(),
        goal.ratio.clone(),
        rows::placement_title(goal.placement).to_owned(),
        bound,
        shown,
        state,
        word(goal.outcome).to_owned(),
    ]
}

/// What stands beside the outcome: the same ratio elsewhere, and how near a missed goal came.
pub(crate) fn note(goal: &Found) -> Option<String> {
    let near = goal.found.as_ref().and_then(|ratio| match goal.outcome {
        Outcome::Missed if within(goal.bound, ratio.value) => {
            Some("the value is within the bound, its interval is not".to_owned())
        }
        Outcome::NotMeasured => Some("too few slices".to_owned()),
        Outcome::Met | Outcome::Missed => None,
    });
    let beside = goal.beside.as_ref().map(|ratio| {
        let value = numbers::ratio(&Named::of(ratio).interval());
        format!("{}: {value}", rows::placement_title(ratio.placement))
    });
    let notes: Vec<String> = near.into_iter().chain(beside).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Goals that the run has a figure for.
pub(crate) fn measured(run: &Run) -> Vec<&Found> {
    let known = |goal: &&Found| goal.outcome != Outcome::NotMeasured;
    run.goals.iter().filter(known).collect()
}

/// `14 met, 1 missed, 1 not measured`.
pub(crate) fn summary(run: &Run) -> String {
    let count = |outcome| {
        run.goals
            .iter()
            .filter(|goal| goal.outcome == outcome)
            .count()
    };
    format!(
        "{} met, {} missed, {} not measured. A goal is met when the whole 95 % interval lies within \
         its bound.",
        count(Outcome::Met),
        count(Outcome::Missed),
        count(Outcome::NotMeasured)
    )
}

/// The class of its colour.
pub(crate) fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "better",
        Outcome::Missed => "worse",
        Outcome::NotMeasured => "same",
    }
}

fn sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "✓",
        Outcome::Missed => "✗",
        Outcome::NotMeasured => "?",
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "met",
        Outcome::Missed => "missed",
        Outcome::NotMeasured => "not measured",
    }
}

fn within(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::AtMost(most) => value <= most,
        Bound::AtLeast(least) => value >= least,
    }
}
