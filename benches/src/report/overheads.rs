//! What awaiting costs, as a table: mechanisms down, scenarios and placements across.

use super::{numbers, rows};
use crate::results::{Overhead, Placement, Run};

/// What the figures are.
pub(crate) const LEAD: &str = "The time of a mechanism with .await as a multiple of the same \
     mechanism blocking, slice by slice in the same pair of processes, with its 95 % interval; of \
     streams, the time of a message. Each call is a block_on of its own, so that nothing else is \
     done in between.";

/// Heads and rows; `None` where nothing was measured both ways.
pub(crate) fn table(run: &Run) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let mut columns: Vec<(&str, Placement)> = Vec::new();
    let mut subjects: Vec<(&str, usize)> = Vec::new();
    for found in &run.awaited {
        if !columns.contains(&column(found)) {
            columns.push(column(found));
        }
        if !subjects.contains(&subject(found)) {
            subjects.push(subject(found));
        }
    }
    if subjects.is_empty() {
        return None;
    }
    subjects.sort_unstable();
    let heads = columns.iter().map(|&(scenario, placement)| {
        let title = rows::scenario_title(scenario);
        format!("{title}, {}", rows::placement_title(placement))
    });
    let heads = std::iter::once("mechanism".to_owned()).chain(heads);
    let rows = subjects.iter().map(|&(mechanism, size)| {
        let name = match size {
            0 => mechanism.to_owned(),
            size => format!("{mechanism}, {}", numbers::size(size)),
        };
        let cells = columns.iter().map(|wanted| {
            let here =
                |found: &&Overhead| subject(found) == (mechanism, size) && column(found) == *wanted;
            let found = run.awaited.iter().find(here);
            found.map_or_else(
                || numbers::NONE.to_owned(),
                |found| numbers::ratio(&found.times_blocking),
            )
        });
        std::iter::once(name).chain(cells).collect()
    });
    Some((heads.collect(), rows.collect()))
}

fn column(found: &Overhead) -> (&str, Placement) {
    (&found.scenario, found.placement)
}

fn subject(found: &Overhead) -> (&str, usize) {
    (&found.mechanism, found.size_bytes)
}
