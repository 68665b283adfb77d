//! R13 and R17: processes killed at any moment, and what the others and the next ones find.

use ipc_file::{ErrorKind, Options, open_document, open_log, open_spool};
use ipc_testkit::crash::{Forked, Lab, Tally, kill_at_random};
use ipc_testkit::{TempDir, shared_words};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A record that says which it is; some are large enough to be cut by a kill.
pub(crate) fn record(step: u64) -> Vec<u8> {
    let length = if step.is_multiple_of(5) {
        60_000
    } else {
        8 + step % 300
    };
    let mut bytes = step.to_le_bytes().to_vec();
    bytes.resize(length.max(8) as usize, step as u8 | 1);
    bytes
}

fn step_of(bytes: &[u8]) -> Result<u64, String> {
    let step = bytes.get(..8).and_then(|step| step.try_into().ok());
    let step = u64::from_le_bytes(step.ok_or("a short record")?);
    match record(step & 0xffff_ffff).len() == bytes.len()
        && bytes[8..].iter().all(|byte| *byte == step as u8 | 1)
    {
        true => Ok(step),
        false => Err(format!("record {step} is not what was written")),
    }
}

/// For who looks and never waits: the kernel takes milliseconds to end its notification.
fn looking() -> Options {
    let mut options = Options::new();
    options.polling(Duration::from_secs(1));
    options
}

fn read_all(dir: &Path) -> Result<Vec<u64>, String> {
    let reader = match looking().follow(dir.join("log")) {
        Ok(reader) => reader,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("follow: {error}")),
    };
    let (mut found, mut bytes) = (Vec::new(), Vec::new());
    loop {
        match reader.try_recv_vec(&mut bytes) {
            Ok(()) => found.push(step_of(&bytes)?),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(found),
            Err(error) => return Err(format!("read: {error}")),
        }
    }
}

/// After the next start: every acknowledged record is there, and the log goes on.
pub(crate) fn all_there(dir: &Path, told: &[u64]) -> Result<(), String> {
    let log = open_log(dir.join("log")).map_err(|error| format!("open: {error}"))?;
    log.append(&record(77))
        .map_err(|error| format!("append: {error}"))?;
    let found = read_all(dir)?;
    match told.iter().find(|step| !found.contains(step)) {
        Some(step) => Err(format!("{step} was acknowledged and is lost")),
        None if found.last() == Some(&77) => Ok(()),
        None => Err("what was appended after the start is not there".into()),
    }
}

/// Writers `who` append numbered records and count in `told` what was acknowledged.
fn append_for_ever(dir: &Path, who: u64, told: &AtomicU64) {
    let log = open_log(dir.join("log")).expect("a log");
    loop {
        let step = told.load(Ordering::Acquire) + 1;
        log.append(&mark(who, step)).expect("room");
        told.store(step, Ordering::Release);
    }
}

/// The record of a writer: its number stands above the step's.
fn mark(who: u64, step: u64) -> Vec<u8> {
    let mut bytes = record(step);
    bytes[..8].copy_from_slice(&(who << 32 | step).to_le_bytes());
    bytes
}

/// Each writer's records: no gap, all that were acknowledged, at most one more.
fn judge_log(dir: &Path, told: &[AtomicU64], exactly: bool) -> Result<(), String> {
    let log = open_log(dir.join("log")).map_err(|error| format!("open: {error}"))?;
    if !log.recovery().damaged.is_empty() {
        return Err(format!("{:?}", log.recovery()));
    }
    let found = read_all(dir)?;
    for (who, told) in told.iter().enumerate() {
        let told = told.load(Ordering::Acquire);
        let mine: Vec<u64> = (found.iter())
            .filter(|step| **step >> 32 == who as u64)
            .map(|step| step & 0xffff_ffff)
            .collect();
        let expected: Vec<u64> = (1..=mine.len() as u64).collect();
        if mine != expected || (mine.len() as u64) < told {
            return Err(format!("writer {who}: told {told}, found {}", mine.len()));
        }
        if exactly && mine.len() as u64 > told + 1 {
            return Err(format!("writer {who}: told {told}, found {}", mine.len()));
        }
    }
    Ok(())
}

/// One writer killed; then two at once, of which one is killed and the other goes on.
pub(crate) fn of_appenders(lab: &mut Lab) {
    let mut tally = Tally::new("R13", "log: a writer killed while another goes on");
    let told = shared_words(3);
    for _ in 0..lab.count(200, 10_000, 100_000) {
        let dir = TempDir::new();
        told.iter()
            .for_each(|told| told.store(0, Ordering::Release));
        let (first, second) = (&told[0], &told[1]);
        let survivor = Forked::new(|| append_for_ever(dir.path(), 1, second));
        let begun = |told: &AtomicU64, at_least: u64| {
            let start = Instant::now();
            while told.load(Ordering::Acquire) < at_least {
                if start.elapsed() > Duration::from_secs(20) {
                    return false;
                }
                std::thread::yield_now();
            }
            true
        };
        let at_most = Duration::from_micros(1_500);
        let part = || append_for_ever(dir.path(), 0, first);
        let outcome = kill_at_random(lab, at_most, part, |_zombie| {
            let start = Instant::now();
            let before = second.load(Ordering::Acquire);
            if !begun(second, before + 2) {
                return Err("the survivor hangs".to_owned());
            }
            Ok(start.elapsed())
        });
        survivor.kill();
        if let Ok(time) = &outcome {
            tally.time(*time);
        }
        tally.trial(outcome.and_then(|_| judge_log(dir.path(), &told[..2], true)));
    }
    lab.enter(tally);
}

/// A deliverer or a claimer killed; the next one finds every message once.
pub(crate) fn of_spoolers(lab: &mut Lab) {
    let mut tally = Tally::new("R13", "spool: deliverers and claimers killed");
    let words = shared_words(2);
    for trial in 0..lab.count(200, 10_000, 100_000) {
        let dir = TempDir::new();
        let (delivered, finished) = (&words[0], &words[1]);
        delivered.store(0, Ordering::Release);
        finished.store(0, Ordering::Release);
        let spool = dir.join("s");
        let deliver = || {
            let spool = looking().open_spool(&spool).expect("a spool");
            loop {
                let step = delivered.load(Ordering::Acquire) + 1;
                spool.deliver(&record(step)).expect("room");
                delivered.store(step, Ordering::Release);
            }
        };
        let claim = || {
            let spool = open_spool(&spool).expect("a spool");
            loop {
                let claim = spool.claim().expect("one");
                let step = step_of(&claim.read().expect("whole")).expect("ours");
                claim.finish().expect("finished");
                finished.store(step, Ordering::Release);
            }
        };
        let at_most = Duration::from_micros(3_000);
        if trial % 2 == 0 {
            kill_at_random(lab, at_most, deliver, |_zombie| ());
        } else {
            let maker = looking().open_spool(&spool).expect("a spool");
            for step in 1..=6 {
                maker.deliver(&record(step)).expect("room");
                delivered.store(step, Ordering::Release);
            }
            kill_at_random(lab, at_most, claim, |_zombie| ());
        }
        let (told, done) = (
            delivered.load(Ordering::Acquire),
            finished.load(Ordering::Acquire),
        );
        tally.trial(judge_spool(&spool, told, done));
    }
    lab.enter(tally);
}

fn judge_spool(path: &Path, told: u64, done: u64) -> Result<(), String> {
    let spool = looking()
        .open_spool(path)
        .map_err(|error| format!("open: {error}"))?;
    let mut found = Vec::new();
    while let Ok(claim) = spool.try_claim() {
        found.push(step_of(&claim.read().map_err(|error| error.to_string())?)?);
        claim.finish().map_err(|error| error.to_string())?;
    }
    // The one whose end was begun may be gone, or be there again; one more may be delivered.
    let rest: Vec<u64> = (done + 1..=told).collect();
    let without: Vec<u64> = (done + 2..=told).collect();
    let more: Vec<u64> = (done + 1..=told + 1).collect();
    if found != rest && found != without && found != more {
        return Err(format!(
            "delivered {told}, finished {done}, found {found:?}"
        ));
    }
    for part in ["tmp", "new", "cur"] {
        let left = std::fs::read_dir(path.join(part)).map_or(0, Iterator::count);
        if left > 0 {
            return Err(format!("{left} left in {part}"));
        }
    }
    Ok(())
}

/// R17: one writer replaces, four readers look.
pub(crate) fn of_a_document(lab: &mut Lab) {
    let mut tally = Tally::new("R17", "a document replaced under four readers: each read");
    let (replaces, reads) = (
        lab.count(1_000, 100_000, 1_000_000),
        lab.count(0, 10_000_000, 0),
    );
    let words = shared_words(3);
    let (replaced, seen, torn) = (&words[0], &words[1], &words[2]);
    let dir = TempDir::new();
    let path = dir.join("d");
    let document = open_document(&path).expect("none");
    document.replace(&content(0)).expect("room");
    let readers: Vec<Forked> = (0..4)
        .map(|_| {
            Forked::new(|| {
                let document = open_document(&path).expect("there");
                let mut last = 0;
                loop {
                    match document
                        .read()
                        .map_err(|e| e.to_string())
                        .and_then(|b| check(&b))
                    {
                        // What was seen once is never older the next time.
                        Ok(step) if step >= last => last = step,
                        _ => drop(torn.fetch_add(1, Ordering::AcqRel)),
                    }
                    seen.fetch_add(1, Ordering::AcqRel);
                }
            })
        })
        .collect();
    let writer = Forked::new(|| {
        for step in 1.. {
            document.replace(&content(step)).expect("room");
            replaced.store(step, Ordering::Release);
        }
    });
    while replaced.load(Ordering::Acquire) < replaces || seen.load(Ordering::Acquire) < reads {
        std::thread::sleep(Duration::from_millis(1));
    }
    writer.kill();
    drop(readers);
    let (seen, torn) = (seen.load(Ordering::Acquire), torn.load(Ordering::Acquire));
    tally.trials = seen;
    tally.failures = torn;
    tally.what = format!(
        "{} replaces under 4 readers: each read",
        replaced.load(Ordering::Acquire)
    );
    lab.enter(tally);
}

fn content(step: u64) -> Vec<u8> {
    let mut bytes = step.to_le_bytes().to_vec();
    bytes.resize(100 + (step % 4_000) as usize, step as u8);
    bytes
}

fn check(bytes: &[u8]) -> Result<u64, String> {
    let step = bytes.get(..8).and_then(|step| step.try_into().ok());
    let step = u64::from_le_bytes(step.ok_or("empty")?);
    match bytes == content(step) {
        true => Ok(step),
        false => Err("torn".into()),
    }
}

/// R17: the writer killed after each of its system calls.
pub(crate) fn of_a_replacer(lab: &mut Lab) {
    let mut tally = Tally::new("R17", "a replacer killed after each system call");
    for round in 0..lab.count(2, 50, 500) {
        let dir = TempDir::new();
        let path = dir.join("d");
        open_document(&path)
            .expect("none")
            .replace(&content(1))
            .expect("room");
        for call in 1.. {
            let replace = || {
                let document = open_document(&path).expect("there");
                document.replace(&content(2 + round)).expect("room");
            };
            match ipc_testkit::crash::kill_at_call(replace, call) {
                Ok(true) => {}
                Ok(false) => break,
                Err(why) => {
                    tally.skip(why);
                    lab.enter(tally);
                    return;
                }
            }
            let start = open_document(&path).map_err(|error| error.to_string());
            let outcome = start.and_then(|document| {
                let bytes = document.read().map_err(|error| error.to_string())?;
                let step = check(&bytes)?;
                let names = std::fs::read_dir(dir.path()).map_or(0, Iterator::count);
                match (step == 1 || step == 2 + round, names) {
                    (true, 1) => document
                        .replace(&content(1))
                        .map_err(|error| error.to_string()),
                    outcome => Err(format!("call {call}: step {step}, {outcome:?}")),
                }
            });
            tally.trial(outcome);
        }
    }
    lab.enter(tally);
}

/// A forked copy of a guard, or of a log, does not act for its parent.
pub(crate) fn of_forked_copies(lab: &mut Lab) {
    let mut tally = Tally::new(
        "R13",
        "a forked copy gives nothing back and appends nothing",
    );
    for _ in 0..lab.count(5, 200, 2_000) {
        let dir = TempDir::new();
        let lock = ipc_file::open_lock(dir.join("l")).expect("a lock");
        let guard = std::cell::Cell::new(Some(lock.lock().expect("free")));
        let log = open_log(dir.join("log")).expect("a log");
        log.append(&record(1)).expect("room");
        let copy = Forked::new(|| {
            let error = log.append(&record(2)).expect_err("its parent's");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            // The copy's own: this process keeps its guard.
            drop(guard.take());
        });
        let ended = copy.finished();
        let other = ipc_file::open_lock(dir.join("l")).expect("a lock");
        let held = other.try_lock().is_err();
        tally.trial(
            match (ended, held, read_all(dir.path()).unwrap_or_default()) {
                (true, true, steps) if steps == [1] => Ok(()),
                outcome => Err(format!("{outcome:?}")),
            },
        );
    }
    lab.enter(tally);
}
