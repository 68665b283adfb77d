//! The answer people came for: which mechanism for which need, derived from the measured cells only.

use super::{
    abilities::{self, Abilities},
    numbers::{self, positive},
    rows,
};
use crate::results::{Cell, Interval, MakerKind, Placement, Run};

/// What somebody may want most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Spinning,
    SleepingApart,
    SleepingTogether,
    Throughput,
    Boundaries,
    Descriptors,
    Machines,
    WakeOnly,
}

impl Need {
    /// In the order of a reader's questions.
    pub(crate) const ALL: [Self; 8] = [
        Self::Spinning,
        Self::SleepingApart,
        Self::SleepingTogether,
        Self::Throughput,
        Self::Boundaries,
        Self::Descriptors,
        Self::Machines,
        Self::WakeOnly,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Spinning => "latency, spinning",
            Self::SleepingApart => "latency, CPU free, two cores",
            Self::SleepingTogether => "latency, CPU free, one core",
            Self::Throughput => "throughput",
            Self::Boundaries => "messages with boundaries",
            Self::Descriptors => "descriptors or identity",
            Self::Machines => "unrelated machines",
            Self::WakeOnly => "a wake-up without data",
        }
    }

    /// What was compared, in one line.
    pub(crate) fn criterion(self) -> &'static str {
        match self {
            Self::Spinning => "p50 of a round trip whose receiver polls",
            Self::SleepingApart => "p50 of a blocking round trip between two cores",
            Self::SleepingTogether => "p50 of a blocking round trip on one core",
            Self::Throughput => "payload bytes a second, one way",
            Self::Boundaries => "p50, blocking, among those that keep messages whole",
            Self::Descriptors => "p50, blocking, among those that pass descriptors and credentials",
            Self::Machines => "p50, blocking, over loopback: a network adds its own time",
            Self::WakeOnly => "p50, blocking, among those that carry no payload",
        }
    }

    fn demands(self, abilities: Abilities) -> bool {
        match self {
            Self::Boundaries => abilities.boundaries && abilities.payload,
            Self::Descriptors => abilities.descriptors,
            Self::Machines => abilities.machines,
            Self::WakeOnly => !abilities.payload,
            _ => abilities.payload,
        }
    }

    /// Placements to look at; the first one with a cell decides.
    fn placements(self) -> &'static [Placement] {
        use Placement::{OtherAsleep, OtherAwake, SameCore};
        match self {
            Self::SleepingApart => &[OtherAsleep, OtherAwake],
            Self::SleepingTogether => &[SameCore],
            Self::Spinning => &[OtherAwake, OtherAsleep, SameCore],
            _ => &[OtherAsleep, OtherAwake, SameCore],
        }
    }

    fn takes(self, cell: &Cell) -> bool {
        let scenario = match self {
            Self::Throughput => cell.scenario == "one-way",
            Self::Spinning => cell.scenario == "round-trip-spin",
            _ => rows::is_blocking(cell),
        };
        scenario && self.demands(abilities::of(&cell.mechanism)) && positive(self.measured(cell))
    }

    /// The figure that decides.
    fn measured(self, cell: &Cell) -> f64 {
        match self {
            Self::Throughput => cell.bytes_per_second.value,
            _ => cell.latency.p50,
        }
    }

    /// Smaller is better.
    fn cost(self, cell: &Cell) -> f64 {
        match self {
            Self::Throughput => 1.0 / self.measured(cell),
            _ => self.measured(cell),
        }
    }

    /// The interval of [`Need::cost`], when the run has formed one.
    fn bounds(self, cell: &Cell) -> Option<(f64, f64)> {
        if self == Self::Throughput {
            let of = valid(&cell.bytes_per_second)?;
            return Some((1.0 / of.high, 1.0 / of.low));
        }
        // A histogram has no interval of its own; the paired multiple of the floor has, and is
        // the same latency in another unit. Else the rate, which is its inverse.
        if let Some(of) = valid(&cell.times_floor) {
            let unit = cell.latency.p50 / of.value;
            return Some((of.low * unit, of.high * unit));
        }
        let of = valid(&cell.messages_per_second)?;
        let unit = cell.latency.p50 * of.value;
        Some((unit / of.high, unit / of.low))
    }
}

/// The answer for one need at one size.
pub(crate) struct Answer<'a> {
    pub(crate) need: Need,
    pub(crate) outcome: Result<Pick<'a>, String>,
}

/// A mechanism that was measured to be the best.
pub(crate) struct Pick<'a> {
    pub(crate) need: Need,
    pub(crate) cell: &'a Cell,
    /// Those that the run cannot tell from it.
    pub(crate) tied: Vec<&'a Cell>,
    /// The best one that is told apart, and how much worse it is, as a share.
    pub(crate) next: Option<(&'a Cell, f64)>,
    /// What a reader has to know before following it.
    pub(crate) cautions: Vec<String>,
}

impl Pick<'_> {
    /// `4.21 µs`, or for throughput `7.60 GB/s`.
    pub(crate) fn figure(&self) -> String {
        figure(self.need, self.cell)
    }

    /// How sure the choice is, as sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.tied.is_empty() {
            let name = |c: &&Cell| format!("{} {}", rows::label(c), figure(self.need, c));
            let mut names: Vec<_> = self.tied.iter().take(3).map(name).collect();
            if self.tied.len() > 3 {
                names.push(format!("{} more", self.tied.len() - 3));
            }
            notes.push(format!("not told apart: {}", names.join(", ")));
            if let Some(saver) = self.saver() {
                let cost = cpu(saver);
                notes.push(format!(
                    "of these {} costs the least CPU: {cost}",
                    rows::label(saver)
                ));
            }
        }
        if let Some((cell, more)) = self.next {
            let (name, figure) = (rows::label(cell), figure(self.need, cell));
            let worse = match self.need {
                Need::Throughput => format!("−{}", numbers::percent(more / (more + 1.0))),
                _ if more < 0.995 => format!("+{}", numbers::percent(more)),
                _ => format!("{} ×", numbers::digits(more + 1.0)),
            };
            notes.push(format!("next: {name} {figure} ({worse})"));
        } else if self.tied.is_empty() {
            notes.push("no other mechanism was measured for it".to_owned());
        }
        notes.extend(self.cautions.iter().cloned());
        notes
    }

    /// The tied candidate that burns clearly less CPU than the pick, if any.
    fn saver(&self) -> Option<&Cell> {
        let cost = |c: &&&Cell| positive(c.cpu_seconds_per_million);
        let cheapest = self.tied.iter().filter(cost).min_by(|a, b| {
            a.cpu_seconds_per_million
                .total_cmp(&b.cpu_seconds_per_million)
        })?;
        let clear = cheapest.cpu_seconds_per_million < 0.9 * self.cell.cpu_seconds_per_million;
        clear.then_some(*cheapest)
    }
}

/// The sizes an answer is given for: 64 B, 4 KiB and 1 MiB, else up to three that were measured;
/// 0 where nothing measured carries a payload.
pub(crate) fn sizes(run: &Run) -> Vec<usize> {
    let mut measured: Vec<usize> = run
        .cells
        .iter()
        .map(|cell| cell.size_bytes)
        .filter(|size| *size > 0)
        .collect();
    measured.sort_unstable();
    measured.dedup();
    let wanted: Vec<usize> = [64, 4096, 1 << 20]
        .into_iter()
        .filter(|size| measured.contains(size))
        .collect();
    if !wanted.is_empty() {
        return wanted;
    }
    match measured.as_slice() {
        [] if !run.cells.is_empty() => vec![0],
        [first, .., last] if measured.len() > 3 => {
            vec![*first, measured[measured.len() / 2], *last]
        }
        _ => measured,
    }
}

/// Every need at one size.
pub(crate) fn answers(run: &Run, size_bytes: usize) -> Vec<Answer<'_>> {
    let smallest = sizes(run).first() == Some(&size_bytes);
    let asked = Need::ALL.into_iter().filter(|need| {
        // What carries no payload has one figure, told once, with the smallest size.
        *need != Need::WakeOnly || (smallest && run.cells.iter().any(|cell| need.takes(cell)))
    });
    asked
        .map(|need| Answer {
            need,
            outcome: answer(run, need, size_bytes),
        })
        .collect()
}

/// `0.26 s/M`, CPU seconds of both sides per million messages.
pub(crate) fn cpu(cell: &Cell) -> String {
    let cost = cell.cpu_seconds_per_million;
    if positive(cost) {
        format!("{} s/M", numbers::digits(cost))
    } else {
        numbers::NONE.into()
    }
}

/// `0.70 cores busy`: what both sides burn while messages flow as fast as they were measured.
pub(crate) fn busy(cell: &Cell) -> String {
    let cores = cell.cpu_seconds_per_million * cell.messages_per_second.value / 1e6;
    let cores = if positive(cores) {
        format!("{cores:.2}")
    } else {
        numbers::NONE.to_owned()
    };
    format!("{cores} cores busy")
}

fn figure(need: Need, cell: &Cell) -> String {
    match need {
        Need::Throughput => numbers::throughput(cell.bytes_per_second.value),
        _ => numbers::time(cell.latency.p50),
    }
}

fn answer(run: &Run, need: Need, size_bytes: usize) -> Result<Pick<'_>, String> {
    let fits = |cell: &&Cell| {
        need.takes(cell) && (need == Need::WakeOnly || cell.size_bytes == size_bytes)
    };
    let all: Vec<&Cell> = run.cells.iter().filter(fits).collect();
    let within = |at: &Placement| -> Vec<&Cell> {
        all.iter()
            .filter(|cell| cell.placement == *at)
            .copied()
            .collect()
    };
    let mut candidates = match need {
        // A stream is as fast as its best placement.
        Need::Throughput => all.clone(),
        _ => need
            .placements()
            .iter()
            .map(within)
            .find(|c| !c.is_empty())
            .unwrap_or_default(),
    };
    if candidates.is_empty() {
        return Err("no candidate was measured".to_owned());
    }
    if matches!(need, Need::SleepingApart | Need::SleepingTogether) {
        candidates.retain(|cell| sleeps(cell));
    }
    pick(need, &candidates)
        .ok_or_else(|| "each candidate kept its CPUs busy while it waited".to_owned())
}

fn pick<'a>(need: Need, candidates: &[&'a Cell]) -> Option<Pick<'a>> {
    let mut ranked = best_of_each(need, candidates);
    ranked.sort_by(|a, b| need.cost(a).total_cmp(&need.cost(b)));
    let (cell, rest) = ranked.split_first()?;
    let (mut tied, mut next) = (Vec::new(), None);
    for other in rest {
        if overlap(need.bounds(cell), need.bounds(other)) {
            tied.push(*other);
        } else if next.is_none() {
            next = Some((*other, need.cost(other) / need.cost(cell) - 1.0));
        }
    }
    let cautions = cautions(need, cell, candidates);
    Some(Pick {
        need,
        cell,
        tied,
        next,
        cautions,
    })
}

/// One cell for each mechanism: the best placement of its own maker.
fn best_of_each<'a>(need: Need, candidates: &[&'a Cell]) -> Vec<&'a Cell> {
    let mut best: Vec<&Cell> = Vec::new();
    for cell in candidates {
        let Some(at) = best
            .iter()
            .position(|other| other.mechanism == cell.mechanism)
        else {
            best.push(cell);
            continue;
        };
        let rank = rows::standing;
        let cheaper = need.cost(cell) < need.cost(best[at]);
        if rank(cell) < rank(best[at]) || (rank(cell) == rank(best[at]) && cheaper) {
            best[at] = cell;
        }
    }
    best
}

fn cautions(need: Need, cell: &Cell, candidates: &[&Cell]) -> Vec<String> {
    let mut cautions = Vec::new();
    if !cell.verified {
        cautions.push("its payload was not verified".to_owned());
    }
    match need.bounds(cell) {
        None => cautions.push("its interval is unknown: a tie cannot be excluded".to_owned()),
        Some((low, _)) => {
            let wins = |c: &&&Cell| {
                c.kind == MakerKind::Peer && need.bounds(c).is_some_and(|(_, high)| high < low)
            };
            let cost = |c: &Cell| need.cost(c);
            let peers = candidates.iter().filter(wins);
            if let Some(peer) = peers.min_by(|a, b| cost(a).total_cmp(&cost(b))) {
                let (name, figure) = (rows::label(peer), figure(need, peer));
                cautions.push(format!("a published crate is better: {name}, {figure}"));
            }
        }
    }
    cautions
}

/// Without an interval on both sides nothing is claimed to be different.
fn overlap(a: Option<(f64, f64)>, b: Option<(f64, f64)>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.0 <= b.1 && b.0 <= a.1,
        _ => true,
    }
}

/// A waiter that sleeps is switched out for at least every second message.
fn sleeps(cell: &Cell) -> bool {
    cell.wakes >= 0.5
}

fn valid(of: &Interval) -> Option<&Interval> {
    (positive(of.value) && positive(of.low) && positive(of.high) && of.low <= of.high).then_some(of)
}
