//! R2, R4, R5: kills at random times, of those who recover too, and many who recover at once.

use crate::object::{DEADLINE, NAMED, Object, SIZE, segments, whole};
use ipc_shm::ErrorKind;
use ipc_testkit::crash::{Forked, Lab, Tally, kill_at_random};
use ipc_testkit::{TempDir, shared_words};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const AT_MOST: Duration = Duration::from_micros(400);

/// Makes and removes for as long as it lives.
fn maker(object: &Object) {
    loop {
        if let Ok(region) = object.options.open_or_create(&object.name) {
            let _ = region.write_at(SIZE - 8, &[7; 8]);
        }
        let _ = object.options.unlink(&object.name);
    }
}

/// Attaches, writes and lets go for as long as it lives.
fn attacher(object: &Object) {
    loop {
        if let Ok(region) = object.options.open(&object.name) {
            let _ = region.write_at(SIZE - 8, &[8; 8]);
        }
    }
}

pub(crate) fn of_makers_and_attachers(lab: &mut Lab) {
    type Part = fn(&Object);
    let dir = TempDir::new();
    let parts: [(&str, Part); 2] = [("maker", maker), ("attacher", attacher)];
    for (role, part) in parts {
        for backing in NAMED {
            let mut tally = Tally::new("R2", format!("{backing}: {role} killed at random"));
            let object = Object::new(backing, &dir);
            let before = segments();
            for _ in 0..lab.count(500, 10_000, 100_000) / 3 {
                if role == "attacher" {
                    drop(object.options.open_or_create(&object.name).expect("made"));
                }
                let run = || part(&object);
                let (outcome, took) = kill_at_random(lab, AT_MOST, run, |_zombie| {
                    let start = Instant::now();
                    let recovered = object.recover();
                    (recovered, start.elapsed())
                });
                tally.time(took);
                let left = segments().saturating_sub(before);
                tally.trial(match left {
                    0 => outcome,
                    left => Err(format!("{left} segments are left")),
                });
                object.clear();
            }
            lab.enter(tally);
        }
    }
}

/// Those who recover are killed too, three in a row, and the fourth finds nothing amiss.
pub(crate) fn of_recoverers(lab: &mut Lab) {
    let dir = TempDir::new();
    for backing in NAMED {
        let mut tally = Tally::new("R4", format!("{backing}: three recoverers killed in a row"));
        let object = Object::new(backing, &dir);
        let before = segments();
        for _ in 0..lab.count(20, 2_000, 20_000) {
            kill_at_random(lab, AT_MOST, || maker(&object), |_| ());
            for _ in 0..3 {
                let recover = || drop(object.recover());
                kill_at_random(lab, AT_MOST / 2, recover, |_| ());
            }
            let outcome = object.recover();
            let left = segments().saturating_sub(before);
            tally.trial(match left {
                0 => outcome,
                left => Err(format!("{left} segments are left")),
            });
            object.clear();
        }
        lab.enter(tally);
    }
}

/// Eight start at once after a crash. Each would make a region of another size, so that the
/// size says who has made it: all must find the same.
pub(crate) fn before_many_starts(lab: &mut Lab) {
    const STARTERS: usize = 8;
    let dir = TempDir::new();
    let found = shared_words(STARTERS);
    let gate = &shared_words(1)[0];
    for backing in NAMED {
        let mut tally = Tally::new("R5", format!("{backing}: {STARTERS} start at once"));
        let object = Object::new(backing, &dir);
        let before = segments();
        for _ in 0..lab.count(50, 1_000, 10_000) {
            kill_at_random(lab, AT_MOST, || maker(&object), |_| ());
            // A whole object that the dead has left is no question: recovery is of half ones.
            if object.options.try_open(&object.name).is_ok() {
                object.clear();
            }
            found
                .iter()
                .for_each(|word| word.store(0, Ordering::Relaxed));
            gate.store(0, Ordering::Release);
            let copies: Vec<_> = (0..STARTERS)
                .map(|at| Forked::new(|| start(&object, at, &found[at], gate)))
                .collect();
            gate.store(1, Ordering::Release);
            let ended: Vec<bool> = copies.into_iter().map(Forked::finished).collect();
            let sizes: Vec<u64> = found
                .iter()
                .map(|word| word.load(Ordering::Acquire))
                .collect();
            let same = sizes.iter().all(|size| *size == sizes[0] && *size != 0);
            let ended = ended.into_iter().all(|ended| ended);
            let after = object.recover_any_size();
            object.clear();
            let left = segments().saturating_sub(before);
            tally.trial(match (same && ended, after, left) {
                (true, Ok(()), 0) => Ok(()),
                (_, after, left) => Err(format!("{sizes:?}, then {after:?}, {left} segments")),
            });
        }
        lab.enter(tally);
    }
}

/// One of the eight: six open or create, one creates only, one opens only.
fn start(object: &Object, at: usize, found: &AtomicU64, gate: &AtomicU64) {
    let mut options = object.options.clone();
    options.size_bytes(SIZE + at);
    while gate.load(Ordering::Acquire) == 0 {
        std::hint::spin_loop();
    }
    let patience = Instant::now() + DEADLINE;
    let region = loop {
        let outcome = match at {
            0 => options.create(&object.name),
            1 => options.open_timeout(&object.name, DEADLINE),
            _ => options.open_or_create_timeout(&object.name, DEADLINE),
        };
        match outcome {
            Ok(region) => break region,
            Err(error) if at == 0 && error.kind() == ErrorKind::AlreadyExists => {
                options.size_bytes(SIZE);
                match options.open_timeout(&object.name, DEADLINE) {
                    Ok(region) => break region,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                }
            }
            Err(error) => {
                assert!(at < 2, "{error}");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            }
        }
        assert!(Instant::now() < patience, "nobody makes it");
    };
    whole(&region).expect("whole");
    found.store(region.len_bytes() as u64, Ordering::Release);
}

impl Object {
    fn recover_any_size(&self) -> Result<(), String> {
        let region = self.options.try_open(&self.name);
        whole(&region.map_err(|error| error.to_string())?)
    }
}
