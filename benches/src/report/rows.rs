//! The cells of a run put in order: as rows of tables, and as lines of panels.

use std::collections::BTreeMap;

use super::{abilities, numbers};
use crate::{
    abilities::Section,
    results::{Cell, MakerKind, Placement, Run},
    scenario::Scenario,
};

/// More lines than this in one panel cannot be told apart.
pub(crate) const MOST_LINES: usize = 8;

/// The cells of one scenario in one placement, in reading order.
pub(crate) struct Table<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) placement: Placement,
    pub(crate) cells: Vec<&'a Cell>,
}

impl Table<'_> {
    pub(crate) fn title(&self) -> String {
        heading(self.scenario, self.placement)
    }

    /// The floors its multiples refer to and the states of the machine its figures are of.
    pub(crate) fn basis(&self) -> String {
        let mut floors: Vec<&str> = self.cells.iter().map(|cell| cell.floor.as_str()).collect();
        floors.sort_unstable();
        floors.dedup();
        let mut states: Vec<String> = self
            .cells
            .iter()
            .map(|cell| format!("{:?}", cell.state))
            .collect();
        states.sort_unstable();
        states.dedup();
        let basis = format!("floor: {}; state: {}", floors.join(", "), states.join(", "));
        let rates: Vec<String> = self.cells.iter().filter_map(saturation).collect();
        match rates.is_empty() {
            true => basis,
            false => format!("{basis}; saturated at: {}", rates.join(", ")),
        }
    }
}

/// At what rate the maker of a load is saturated.
fn saturation(cell: &&Cell) -> Option<String> {
    let rate = numbers::rate(cell.saturation?);
    let (mechanism, maker) = (&cell.mechanism, &cell.maker);
    let size = numbers::size(cell.size_bytes);
    Some(format!("{mechanism}:{maker} {size} {rate}"))
}

/// One line of a panel: a mechanism by one maker, over its sizes.
pub(crate) struct Line<'a> {
    pub(crate) label: String,
    /// Which of the eight colours; the same mechanism has the same in every panel.
    pub(crate) slot: usize,
    pub(crate) cells: Vec<&'a Cell>,
}

/// At most [`MOST_LINES`] lines of one scenario, placement and section.
pub(crate) struct Panel<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) placement: Placement,
    pub(crate) part: Option<&'static str>,
    pub(crate) lines: Vec<Line<'a>>,
}

impl Panel<'_> {
    pub(crate) fn title(&self) -> String {
        let heading = heading(self.scenario, self.placement);
        match self.part {
            Some(part) => format!("{heading}: {part}"),
            None => heading,
        }
    }

    /// It holds only published crates, which have their own places in the tables of ratios.
    pub(crate) fn is_of_others(&self) -> bool {
        self.part == Some(Section::Peers.title())
    }
}

/// Every cell of the run, by scenario and placement.
pub(crate) fn tables(run: &Run) -> Vec<Table<'_>> {
    let mechanisms = mechanisms(run);
    let mut tables: BTreeMap<_, Table<'_>> = BTreeMap::new();
    for cell in &run.cells {
        let key = (rank(&cell.scenario), cell.scenario.as_str(), cell.placement);
        let table = tables.entry(key).or_insert_with(|| Table {
            scenario: &cell.scenario,
            placement: cell.placement,
            cells: Vec::new(),
        });
        table.cells.push(cell);
    }
    let place = |cell: &Cell| mechanisms.iter().position(|name| *name == cell.mechanism);
    let mut tables: Vec<_> = tables.into_values().collect();
    for table in &mut tables {
        table.cells.sort_by(|a, b| {
            let key = |c: &Cell| (place(c), standing(c));
            key(a).cmp(&key(b)).then_with(|| {
                (a.maker.as_str(), a.size_bytes).cmp(&(b.maker.as_str(), b.size_bytes))
            })
        });
    }
    tables
}

/// The lines of `table` in panels: a mechanism by its best-placed maker, and the published crates.
pub(crate) fn panels<'a>(run: &'a Run, table: &Table<'a>) -> Vec<Panel<'a>> {
    let keys = keys(run);
    let whole = keys.len() <= MOST_LINES;
    let mut sections: BTreeMap<Section, Vec<&Key<'_>>> = BTreeMap::new();
    for key in &keys {
        let section = if whole { Section::Other } else { key.section };
        sections.entry(section).or_default().push(key);
    }
    let mut panels = Vec::new();
    for (section, keys) in sections {
        for chunk in keys.chunks(MOST_LINES) {
            let lines = chunk
                .iter()
                .enumerate()
                .filter_map(|(slot, key)| key.line(slot, table));
            let lines: Vec<_> = lines.collect();
            if !lines.is_empty() {
                let part = (!whole).then(|| section.title());
                let (scenario, placement) = (table.scenario, table.placement);
                panels.push(Panel {
                    scenario,
                    placement,
                    part,
                    lines,
                });
            }
        }
    }
    panels
}

/// The cells that stand for their mechanism: ours, else raw, else a published crate.
pub(crate) fn representatives<'a>(cells: &[&'a Cell]) -> Vec<&'a Cell> {
    let mut best: Vec<&Cell> = Vec::new();
    for cell in cells {
        let same = |other: &&Cell| {
            other.mechanism == cell.mechanism
                && other.size_bytes == cell.size_bytes
                && other.scenario == cell.scenario
                && other.placement == cell.placement
        };
        match best.iter().position(same) {
            None => best.push(cell),
            Some(at) if standing(cell) < standing(best[at]) => best[at] = cell,
            Some(_) => {}
        }
    }
    best
}

/// `pipe` for our own code, `pipe (raw)`, `pipe (interprocess)`.
pub(crate) fn label(cell: &Cell) -> String {
    if cell.kind == MakerKind::Ours && cell.maker.starts_with("ipc-") {
        return cell.mechanism.clone();
    }
    format!("{} ({})", cell.mechanism, cell.maker)
}

/// The name of a scenario in a placement.
pub(crate) fn heading(scenario: &str, placement: Placement) -> String {
    if scenario == "single-thread" {
        return scenario_title(scenario);
    }
    format!(
        "{}, {}",
        scenario_title(scenario),
        placement_title(placement)
    )
}

pub(crate) fn scenario_title(scenario: &str) -> String {
    match scenario {
        "round-trip" | "round-trip-awake" | "round-trip-asleep" => "Blocking round trip".into(),
        "round-trip-spin" => "Spinning round trip".into(),
        "one-way" => "One-way stream".into(),
        "wake" => "Wake-up of a blocked receiver".into(),
        "single-thread" => "Send and receive in one thread".into(),
        "fan-in" => "Four senders, one receiver".into(),
        "open-loop" => "Latency under a fixed load (open loop)".into(),
        "concurrent-16" => "16 calls under way at once".into(),
        "concurrent-256" => "256 calls under way at once".into(),
        "concurrent-64x100" => "64 connections, 100 calls under way on each".into(),
        "server-stream" => "A stream of answers".into(),
        "both-streams" => "A stream each way".into(),
        "open-loop-10" => "Open loop at 10 % of its own saturation".into(),
        "open-loop-50" => "Open loop at 50 % of its own saturation".into(),
        "open-loop-80" => "Open loop at 80 % of its own saturation".into(),
        "open-loop-10-of-ours" => "Open loop at 10 % of our saturation".into(),
        "open-loop-50-of-ours" => "Open loop at 50 % of our saturation".into(),
        "open-loop-80-of-ours" => "Open loop at 80 % of our saturation".into(),
        other => other.into(),
    }
}

pub(crate) fn placement_title(placement: Placement) -> &'static str {
    match placement {
        Placement::SameCore => "same core",
        Placement::OtherAwake => "other core awake",
        Placement::OtherAsleep => "other core asleep",
    }
}

/// The receiver sleeps until it is woken, wherever the two run.
pub(crate) fn is_blocking(scenario: &str) -> bool {
    matches!(
        scenario,
        "round-trip" | "round-trip-awake" | "round-trip-asleep"
    )
}

/// What counts is how much passes, not how long one message takes.
pub(crate) fn is_stream(scenario: &str) -> bool {
    Scenario::named(scenario).is_some_and(Scenario::is_rate)
}

/// The size that most readers have in mind: 64 B, else the smallest measured that carries bytes.
pub(crate) fn small_size(run: &Run) -> Option<usize> {
    let sizes = || run.cells.iter().map(|cell| cell.size_bytes);
    sizes()
        .find(|size| *size == 64)
        .or_else(|| sizes().filter(|size| *size > 0).min())
}

/// Cells at [`small_size`], and those that carry no payload at any size.
pub(crate) fn is_small(run: &Run, cell: &Cell) -> bool {
    if cell.size_bytes == 0 || Some(cell.size_bytes) == small_size(run) {
        return true;
    }
    let twin = |other: &Cell| {
        other.mechanism == cell.mechanism && Some(other.size_bytes) == small_size(run)
    };
    !abilities::of(run, &cell.mechanism).payload && !run.cells.iter().any(twin)
}

/// `time` if so many messages were measured that at least one lies above `percentile`; else it is
/// only the maximum by another name, and not a number.
pub(crate) fn resolved(cell: &Cell, percentile: f64, time: f64) -> f64 {
    let entries = cell.n as f64 / f64::from(cell.group.max(1));
    if entries * (1.0 - percentile / 100.0) >= 1.0 - 1e-6 {
        time
    } else {
        f64::NAN
    }
}

/// `1.06 [1.04–1.08] × futex-wake`, or that there is none to compare with.
pub(crate) fn times_floor(cell: &Cell) -> String {
    if !numbers::positive(cell.times_floor.value) {
        return "no floor measured here".to_owned();
    }
    format!("{} × {}", numbers::interval(&cell.times_floor), cell.floor)
}

/// Whether the payload was verified: `yes`, `no`, or a dash where there is none.
pub(crate) fn verified(cell: &Cell) -> &'static str {
    match (cell.verified, cell.size_bytes) {
        (true, _) => "yes",
        (false, 0) => numbers::NONE,
        (false, _) => "no",
    }
}

/// Mechanisms in the order they were measured.
pub(crate) fn mechanisms(run: &Run) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for cell in &run.cells {
        if !names.contains(&cell.mechanism.as_str()) {
            names.push(&cell.mechanism);
        }
    }
    names
}

/// Who stands for a mechanism, the lowest first: our crate, plain system calls, a variant of
/// them (such as `default`), a published crate.
pub(crate) fn standing(cell: &Cell) -> u8 {
    match cell.kind {
        MakerKind::Ours => 0,
        MakerKind::Raw if cell.maker == "raw" => 1,
        MakerKind::Raw => 2,
        MakerKind::Peer => 3,
    }
}

struct Key<'a> {
    mechanism: &'a str,
    maker: &'a str,
    section: Section,
}

impl Key<'_> {
    fn line<'a>(&self, slot: usize, table: &Table<'a>) -> Option<Line<'a>> {
        let mine = |c: &&&Cell| c.mechanism == self.mechanism && c.maker == self.maker;
        let mut cells: Vec<&Cell> = table.cells.iter().filter(mine).copied().collect();
        cells.sort_by_key(|cell| cell.size_bytes);
        let label = label(cells.first()?);
        Some(Line { label, slot, cells })
    }
}

/// One key for each mechanism by its best maker, and one for each other published crate.
fn keys(run: &Run) -> Vec<Key<'_>> {
    let mut keys: Vec<(Key<'_>, u8)> = Vec::new();
    for cell in &run.cells {
        let (mechanism, maker) = (cell.mechanism.as_str(), cell.maker.as_str());
        let rank = standing(cell);
        let section = match cell.kind {
            MakerKind::Peer => Section::Peers,
            _ => abilities::of(run, mechanism).section,
        };
        let key = Key {
            mechanism,
            maker,
            section,
        };
        let known = keys.iter().position(|(other, _)| {
            let peers = (other.section == Section::Peers) == (section == Section::Peers);
            let same_maker = section != Section::Peers || other.maker == maker;
            other.mechanism == mechanism && peers && same_maker
        });
        match known {
            None => keys.push((key, rank)),
            Some(at) if rank < keys[at].1 => keys[at] = (key, rank),
            Some(_) => {}
        }
    }
    keys.into_iter().map(|(key, _)| key).collect()
}

fn rank(scenario: &str) -> usize {
    const ORDER: [&str; 12] = [
        "round-trip",
        "round-trip-awake",
        "round-trip-asleep",
        "round-trip-spin",
        "one-way",
        "wake",
        "open-loop",
        "fan-in",
        "concurrent-16",
        "concurrent-256",
        "server-stream",
        "single-thread",
    ];
    ORDER
        .iter()
        .position(|name| *name == scenario)
        .unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_title_and_a_place() {
        for scenario in Scenario::ALL {
            assert_ne!(scenario_title(scenario.name()), scenario.name());
            assert!(rank(scenario.name()) < Scenario::ALL.len());
        }
    }
}
