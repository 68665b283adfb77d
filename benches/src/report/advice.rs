//! The answer people came for: which mechanism for which need, from the measured cells only.

mod need;

pub(crate) use need::Need;

use super::{
    abilities,
    numbers::{self, positive},
    rows,
};
use crate::results::{Cell, MakerKind, Placement, Run};

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
        self.need.figure(self.cell)
    }

    /// How sure the choice is, as sentences.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.tied.is_empty() {
            let name = |c: &&Cell| format!("{} {}", rows::label(c), self.need.figure(c));
            let names: Vec<_> = self.tied.iter().map(name).collect();
            notes.push(format!("not told apart: {}", few(&names)));
            if let Some(saver) = self.saver() {
                let cost = cpu(saver);
                notes.push(format!(
                    "of these {} costs the least CPU: {cost}",
                    rows::label(saver)
                ));
            }
        }
        if let Some((cell, more)) = self.next {
            let (name, figure) = (rows::label(cell), self.need.figure(cell));
            let worse = match self.need {
                Need::Throughput => format!("−{}", numbers::percent(more / (more + 1.0))),
                _ if more < 0.995 => format!("+{}", numbers::percent(more)),
                _ => format!("{} ×", numbers::digits(more + 1.0)),
            };
            notes.push(format!("next: {name} {figure} ({worse})"));
        } else if self.tied.is_empty() {
            notes.push("no other mechanism to compare with".to_owned());
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
        *need != Need::WakeOnly || (smallest && run.cells.iter().any(|cell| need.takes(run, cell)))
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

fn answer(run: &Run, need: Need, size_bytes: usize) -> Result<Pick<'_>, String> {
    let fits = |cell: &&Cell| {
        need.takes(run, cell) && (need == Need::WakeOnly || cell.size_bytes == size_bytes)
    };
    let all: Vec<&Cell> = run.cells.iter().filter(fits).collect();
    let within = |at: &Placement| -> Vec<&Cell> {
        all.iter()
            .filter(|cell| cell.placement == *at)
            .copied()
            .collect()
    };
    let sure = |cells: &Vec<&Cell>| cells.iter().any(|cell| need.bounds(cell).is_some());
    let mut candidates = match need {
        // A stream is as fast as its best placement.
        Need::Throughput => all.clone(),
        _ => {
            let places: Vec<_> = need.placements().iter().map(within).collect();
            let any = || places.iter().find(|cells| !cells.is_empty());
            places
                .iter()
                .find(|cells| sure(cells))
                .or_else(any)
                .cloned()
                .unwrap_or_default()
        }
    };
    if candidates.is_empty() {
        return Err("no candidate was measured".to_owned());
    }
    if need.waits_asleep() {
        candidates.retain(|cell| sleeps(cell));
    }
    let mut pick = pick(need, &candidates)
        .ok_or_else(|| "each candidate kept its CPUs busy while it waited".to_owned())?;
    let absent = absent(run, need, size_bytes, &all);
    if !absent.is_empty() {
        pick.cautions
            .push(format!("not measured: {}", few(&absent)));
    }
    Ok(pick)
}

/// Mechanisms that would qualify, but were not measured at this size: the run says so, or has
/// them at another size only.
fn absent(run: &Run, need: Need, size_bytes: usize, measured: &[&Cell]) -> Vec<String> {
    let said = run.unmeasured.iter().filter_map(|item| {
        let mut parts = item.what.split('/');
        let (who, scenario, size) = (parts.next()?, parts.next()?, parts.next()?);
        let missed = need.looks_at(scenario) && size.parse() == Ok(size_bytes);
        missed.then(|| who.split(':').next().unwrap_or(who))
    });
    let elsewhere = run.cells.iter().filter(|cell| need.takes(run, cell));
    let elsewhere = elsewhere.map(|cell| cell.mechanism.as_str());
    let mut absent: Vec<String> = Vec::new();
    for mechanism in said.chain(elsewhere) {
        // A stranger's abilities are not known, so it is not missed.
        let able =
            abilities::known(run, mechanism).is_some_and(|abilities| need.demands(abilities));
        let seen = measured.iter().any(|cell| cell.mechanism == mechanism);
        if able && !seen && !absent.iter().any(|name| name == mechanism) {
            absent.push(mechanism.to_owned());
        }
    }
    absent
}

/// The best of `candidates` whose interval is known; of all of them where none is.
fn pick<'a>(need: Need, candidates: &[&'a Cell]) -> Option<Pick<'a>> {
    let mut ranked = best_of_each(need, candidates);
    ranked.sort_by(|a, b| need.cost(a).total_cmp(&need.cost(b)));
    let (sure, unsure): (Vec<&Cell>, Vec<&Cell>) =
        ranked.iter().partition(|cell| need.bounds(cell).is_some());
    let ranked = if sure.is_empty() { &unsure } else { &sure };
    let (cell, rest) = ranked.split_first()?;
    let (mut tied, mut next) = (Vec::new(), None);
    for other in rest {
        if overlap(need.bounds(cell), need.bounds(other)) {
            tied.push(*other);
        } else if next.is_none() {
            next = Some((*other, need.cost(other) / need.cost(cell) - 1.0));
        }
    }
    let mut cautions = cautions(need, cell, candidates);
    if !sure.is_empty() && !unsure.is_empty() {
        let names: Vec<_> = unsure.iter().map(|cell| rows::label(cell)).collect();
        cautions.push(format!("too few slices to rank: {}", few(&names)));
    }
    Some(Pick {
        need,
        cell,
        tied,
        next,
        cautions,
    })
}

/// Three names, and how many there are besides.
fn few(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(3).cloned().collect();
    if names.len() > 3 {
        shown.push(format!("{} more", names.len() - 3));
    }
    shown.join(", ")
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
    if !cell.verified && cell.size_bytes > 0 {
        cautions.push("its payload was not verified".to_owned());
    }
    match need.bounds(cell) {
        None => cautions.push("too few slices for an interval: the order is a guess".to_owned()),
        Some((low, _)) => {
            let wins = |c: &&&Cell| {
                c.kind == MakerKind::Peer && need.bounds(c).is_some_and(|(_, high)| high < low)
            };
            let cost = |c: &Cell| need.cost(c);
            let peers = candidates.iter().filter(wins);
            if let Some(peer) = peers.min_by(|a, b| cost(a).total_cmp(&cost(b))) {
                let (name, figure) = (rows::label(peer), need.figure(peer));
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
