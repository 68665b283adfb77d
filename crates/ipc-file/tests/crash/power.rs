//! R14, a simulation: what each of the three kinds of files looks like after a power loss.
//!
//! A history is played on an imitated disk; then images of it are made at every prefix of what
//! was done, with what was not durable dropped, kept, torn or garbage, and opened again.

use crate::image::image;
use crate::imitation::{Imitation, Op};
use ipc_file::{ErrorKind, Options, Recovery};
use ipc_testkit::crash::{Lab, Tally};
use std::collections::BTreeSet;
use std::path::Path;

const LOG: &str = "log";

/// The images of a history: a base, what was done since, and how many of each prefix.
fn each_image(
    lab: &mut Lab,
    tally: &mut Tally,
    history: &Imitation,
    base: &Imitation,
    wanted: u64,
    judge: impl Fn(&Imitation, &[Op], &mut Lab) -> Result<(), String>,
) {
    let ops = history.ops();
    let most = tally.trials + wanted;
    for prefix in (0..=ops.len()).cycle() {
        if tally.trials >= most {
            return;
        }
        let seed = lab.below(u64::MAX);
        let mut random = seed | 1;
        let mut below = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let after = image(base, &ops, prefix, &mut below);
        let outcome = judge(&after, &ops[..prefix], lab);
        tally.trial(outcome.map_err(|failure| format!("after {prefix} ops: {failure}")));
    }
}

/// The steps whose callers had been told that they are durable.
fn told(ops: &[Op]) -> BTreeSet<u64> {
    let told = ops.iter().filter_map(|op| match op {
        Op::Told { step } => Some(*step),
        _ => None,
    });
    told.collect()
}

/// A record that says which it is, and is long enough to be torn.
fn record(step: u64, lab: &mut Lab) -> Vec<u8> {
    let length = match lab.below(4) {
        0 => 8,
        1 => 8 + lab.below(40),
        2 => 8 + lab.below(700),
        _ => 8 + lab.below(3_000),
    };
    let mut bytes = step.to_le_bytes().to_vec();
    bytes.resize(length as usize, step as u8);
    bytes
}

fn step_of(record: &[u8]) -> Result<u64, String> {
    let (step, rest) = record.split_at_checked(8).ok_or("a short record")?;
    let step = u64::from_le_bytes(step.try_into().expect("eight bytes"));
    match rest.iter().all(|byte| *byte == step as u8) {
        true => Ok(step),
        false => Err(format!("record {step} is not what was written")),
    }
}

/// All that a reader gives, and how often it says that something is damaged.
fn read(disk: &Imitation) -> Result<(Vec<u64>, u64), String> {
    let reader = match Options::new().follow_in(disk.vfs(), Path::new(LOG)) {
        Ok(reader) => reader,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(format!("follow: {error}")),
    };
    let (mut steps, mut damaged, mut bytes) = (Vec::new(), 0, Vec::new());
    loop {
        match reader.try_recv_vec(&mut bytes) {
            Ok(()) => steps.push(step_of(&bytes)?),
            Err(error) if error.kind() == ErrorKind::Corrupt => damaged += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((steps, damaged)),
            Err(error) => return Err(format!("read: {error}")),
        }
        if steps.len() + damaged as usize > 10_000 {
            return Err("it never ends".into());
        }
    }
}

fn contains_all(found: &[u64], told: &BTreeSet<u64>) -> Result<(), String> {
    if !found.is_sorted_by(|a, b| a < b) {
        return Err(format!("out of order: {found:?}"));
    }
    match told.iter().find(|step| !found.contains(step)) {
        Some(step) => Err(format!("{step} was acknowledged and is lost: {found:?}")),
        None => Ok(()),
    }
}

/// Appends one to five records, in one batch or several.
fn play_log(disk: &Imitation, from: u64, lab: &mut Lab) {
    let log = Options::new()
        .open_log_in(disk.vfs(), Path::new(LOG))
        .expect("a log");
    let mut step = from;
    for _ in 0..2 + lab.below(4) {
        let records: Vec<_> = (0..1 + lab.below(3))
            .map(|more| record(step + more, lab))
            .collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        log.append_all(&records).expect("room");
        for _ in &records {
            disk.tell(step);
            step += 1;
        }
    }
}

pub(crate) fn of_logs(lab: &mut Lab) {
    let mut tally = Tally::new("R14", "power loss (simulation): logs");
    let wanted = lab.count(1_400, 70_000, 700_000);
    while tally.trials < wanted {
        let mut base = Imitation::default();
        base.shared = lab.below(2) == 0;
        let mut known = BTreeSet::new();
        // A loss in a log that has lost before, up to three times.
        for round in 0..3u64 {
            let history = fork(&base);
            play_log(&history, round * 1_000, lab);
            let mut small = Tally::new("R14", "");
            let durable = known.clone();
            each_image(lab, &mut small, &history, &base, 60, |after, ops, lab| {
                let mut told = told(ops);
                told.extend(&durable);
                judge_log(after, &told, lab)
            });
            merge(&mut tally, small);
            let (ops, at) = (history.ops(), history.ops().len());
            let cut = at / 2 + lab.below(at as u64 / 2 + 1) as usize;
            known.extend(told(&ops[..cut]));
            let seed = &mut |bound| lab.below(bound);
            base = image(&base, &ops, cut, seed);
        }
    }
    lab.enter(tally);
}

fn merge(into: &mut Tally, from: Tally) {
    into.trials += from.trials;
    into.failures += from.failures;
    into.examples.extend(from.examples);
    into.examples.truncate(3);
}

/// The same disk once more, that knows of no ops yet.
fn fork(base: &Imitation) -> Imitation {
    image(base, &[], 0, &mut |_| 0)
}

fn judge_log(after: &Imitation, told: &BTreeSet<u64>, lab: &mut Lab) -> Result<(), String> {
    // A reader may be there before any writer is.
    let (found, _) = read(after)?;
    contains_all(&found, told)?;
    let open = || Options::new().open_log_in(after.vfs(), Path::new(LOG));
    let log = open().map_err(|error| format!("open: {error}"))?;
    let (found, _) = read(after)?;
    contains_all(&found, told)?;
    drop(log);
    let log = open().map_err(|error| format!("open again: {error}"))?;
    if *log.recovery() != Recovery::default() {
        return Err(format!("recovered twice: {:?}", log.recovery()));
    }
    let new = record(999_999, lab);
    log.append(&new)
        .map_err(|error| format!("append: {error}"))?;
    let (more, _) = read(after)?;
    match more.split_last() {
        Some((999_999, rest)) if rest == found => Ok(()),
        _ => Err(format!("{found:?} became {more:?}")),
    }
}

pub(crate) fn of_documents(lab: &mut Lab) {
    let mut tally = Tally::new("R14", "power loss (simulation): documents");
    let wanted = lab.count(300, 15_000, 150_000);
    while tally.trials < wanted {
        let base = Imitation::default();
        let history = fork(&base);
        let open = |disk: &Imitation| Options::new().open_document_in(disk.vfs(), Path::new("d"));
        let document = open(&history).expect("none");
        for step in 1..=4 {
            document.replace(&record(step, lab)).expect("room");
            history.tell(step);
        }
        each_image(lab, &mut tally, &history, &base, 60, |after, ops, _| {
            let last = told(ops).last().copied().unwrap_or(0);
            let document = open(after).map_err(|error| format!("open: {error}"))?;
            let step = match document.read() {
                Ok(bytes) => step_of(&bytes)?,
                Err(error) if error.kind() == ErrorKind::NotFound => 0,
                Err(error) => return Err(format!("read: {error}")),
            };
            if step < last {
                return Err(format!("{last} was acknowledged, and {step} is there"));
            }
            match after.names().len() {
                0 | 1 => Ok(()),
                _ => Err(format!("left behind: {:?}", after.names())),
            }
        });
    }
    lab.enter(tally);
}

/// A step that says that a message was finished: above all that say that one was delivered.
const FINISHED: u64 = 1_000_000;

pub(crate) fn of_spools(lab: &mut Lab) {
    let mut tally = Tally::new("R14", "power loss (simulation): spools");
    let wanted = lab.count(300, 15_000, 150_000);
    while tally.trials < wanted {
        let base = Imitation::default();
        drop(Options::new().open_spool_in(base.vfs()).expect("a spool"));
        let history = fork(&base);
        let spool = Options::new()
            .open_spool_in(history.vfs())
            .expect("a spool");
        for step in 1..=5 {
            spool.deliver(&record(step, lab)).expect("room");
            history.tell(step);
        }
        for _ in 0..2 {
            let claim = spool.try_claim().expect("one");
            let step = step_of(&claim.read().expect("whole")).expect("ours");
            claim.finish().expect("done");
            history.tell(FINISHED + step);
        }
        let _held = spool.try_claim().expect("one");
        each_image(lab, &mut tally, &history, &base, 60, |after, ops, _| {
            judge_spool(after, ops)
        });
    }
    lab.enter(tally);
}

fn judge_spool(after: &Imitation, ops: &[Op]) -> Result<(), String> {
    let told = told(ops);
    let spool = Options::new().open_spool_in(after.vfs());
    let spool = spool.map_err(|error| format!("open: {error}"))?;
    let mut found = Vec::new();
    while let Ok(claim) = spool.try_claim() {
        let bytes = claim.read().map_err(|error| format!("read: {error}"))?;
        found.push(step_of(&bytes)?);
        claim.finish().map_err(|error| format!("finish: {error}"))?;
    }
    let unlinked = ops
        .iter()
        .filter(|op| matches!(op, Op::Unlink { .. }))
        .count() as u64;
    for step in told.iter().filter(|step| **step < FINISHED) {
        // A message may be gone from the moment its end was begun.
        if !found.contains(step) && *step > unlinked {
            return Err(format!("{step} was delivered and is lost: {found:?}"));
        }
    }
    for step in told.iter().filter(|step| **step >= FINISHED) {
        if found.contains(&(step - FINISHED)) {
            return Err(format!("{} was finished and is back", step - FINISHED));
        }
    }
    if !found.is_sorted_by(|a, b| a < b) {
        return Err(format!("out of order or twice: {found:?}"));
    }
    let left: Vec<_> = after
        .names()
        .into_iter()
        .filter(|n| n != Path::new("sequence"))
        .collect();
    match left.as_slice() {
        [] => Ok(()),
        left => Err(format!("left behind: {left:?}")),
    }
}
