//! What a group measures: lanes, the binaries they run, and the time they may take.

use std::{path::PathBuf, time::Duration};

use crate::{
    family::Maker,
    slices::{Slice, prevailing},
};

/// A binary whose workers take part, and the slowdown planted into them.
#[derive(Clone, Debug)]
pub struct Crew {
    /// The binary.
    pub binary: PathBuf,
    /// `(mechanism, percent)`.
    pub planted: Option<(String, f64)>,
}

/// One row of a group: a maker in one crew.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Index of the crew.
    pub crew: usize,
    /// What it measures.
    pub maker: Maker,
    /// Its slices, in the order of rounds, rejected ones too.
    pub slices: Vec<Slice>,
    /// System calls per message.
    pub system_calls: Option<f64>,
    /// Calls that wake a sleeper, per million messages to who never sleeps.
    pub waking_calls: Option<f64>,
    /// Calls a second at which it is saturated, where a load is a share of that.
    pub saturation: Option<f64>,
    /// Why it was given up.
    pub failed: Option<String>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) planted_ns: f64,
}

/// How the operations of a slice are timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) messages: u32,
    pub(crate) group: u32,
    /// From one call of a load to the next; 0 where nothing prescribes it.
    pub(crate) every_ns: u64,
}

impl Lane {
    /// No calls of it were counted yet.
    pub(crate) fn is_uncounted(&self) -> bool {
        self.system_calls.is_none() && self.waking_calls.is_none()
    }

    /// A lane without slices.
    pub fn new(crew: usize, maker: Maker) -> Lane {
        Lane {
            crew,
            maker,
            slices: Vec::new(),
            system_calls: None,
            waking_calls: None,
            saturation: None,
            failed: None,
            pattern: None,
            planted_ns: 0.0,
        }
    }

    /// Operations timed together.
    pub fn group(&self) -> u32 {
        self.pattern.map_or(1, |pattern| pattern.group)
    }

    /// How many slices count: kept, and of the prevailing state.
    pub fn kept(&self) -> usize {
        let state = prevailing(&self.slices);
        self.slices
            .iter()
            .filter(|slice| slice.state.is_some() && slice.state == state)
            .count()
    }
}

/// How long a group may take and how it spends the time.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// For the whole group.
    pub time: Duration,
    /// Whether no pair is started any more when that time is over.
    pub is_limit: bool,
    /// Longest slice.
    pub slice_max: Duration,
    /// How many fresh pairs share the rounds. Two processes of one binary differ a little, by
    /// where their memory happens to lie; a comparison of binaries must not see that.
    pub fresh_pairs: usize,
    /// Count system calls too.
    pub count_calls: bool,
}
