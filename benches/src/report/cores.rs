//! The distances between CPUs as a matrix.

use super::numbers::{self, positive};
use crate::results::{CorePair, Run};

/// CPUs in order, and the round trip between any two; `None` on the diagonal and where unknown.
pub(crate) struct Matrix {
    pub(crate) cpus: Vec<usize>,
    pub(crate) rows: Vec<Vec<Option<f64>>>,
}

/// The matrix of a run, where it has one.
pub(crate) fn matrix(run: &Run) -> Option<Matrix> {
    let pairs = usable(run);
    if pairs.is_empty() {
        return None;
    }
    let mut cpus: Vec<usize> = pairs
        .iter()
        .flat_map(|pair| [pair.cpus.0, pair.cpus.1])
        .collect();
    cpus.sort_unstable();
    cpus.dedup();
    let between = |one: usize, other: usize| {
        let same = |pair: &&&CorePair| {
            pair.cpus == (one.min(other), one.max(other)) || pair.cpus == (other, one)
        };
        pairs.iter().find(same).map(|pair| pair.nanoseconds)
    };
    let rows = cpus
        .iter()
        .map(|&one| cpus.iter().map(|&other| between(one, other)).collect())
        .collect();
    Some(Matrix { cpus, rows })
}

/// The nearest two and the farthest two, in one sentence; nothing where nothing was probed.
pub(crate) fn sentence(run: &Run) -> Option<String> {
    let pairs = usable(run);
    let order = |a: &&&CorePair, b: &&&CorePair| a.nanoseconds.total_cmp(&b.nanoseconds);
    let (near, far) = (pairs.iter().min_by(order)?, pairs.iter().max_by(order)?);
    let name = |pair: &CorePair| {
        let (one, other) = pair.cpus;
        format!(
            "CPUs {one} and {other}, {}",
            numbers::time(pair.nanoseconds)
        )
    };
    Some(format!(
        "Round trip of a cache line: nearest {}; farthest {}.",
        name(near),
        name(far)
    ))
}

fn usable(run: &Run) -> Vec<&CorePair> {
    let sound = |pair: &&CorePair| positive(pair.nanoseconds) && pair.cpus.0 != pair.cpus.1;
    run.cores.iter().filter(sound).collect()
}
