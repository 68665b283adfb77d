//! R1, R2 and R12 for the system's own semaphores: what there is of state outlives any death.

use crate::judge::{Verdict, say};
use crate::scene::{self, LIMIT, WHO};
use ipc_sem::sysv::{self, Operation, Set};
use ipc_sem::{ErrorKind, Region, posix};
use ipc_testkit::TempDir;
use ipc_testkit::crash::{Lab, Steps, Tally, kill_at_call};
use std::sync::atomic::Ordering::SeqCst;

const TOKENS: u32 = 3;

/// R1: a semaphore of the C library in a region, after each instruction of making and using it.
pub(crate) fn in_a_region(lab: &mut Lab) {
    type Part = fn(&Region);
    let parts: [(&str, Part, bool); 3] = [
        ("make a POSIX semaphore", |region| drop(make(region)), false),
        (
            "take and give a token",
            |region| {
                let semaphore = posix::Semaphore::open_trusted(region, 0).expect("made");
                semaphore.acquire().expect("free");
                semaphore.release().expect("room");
            },
            true,
        ),
        (
            "wait for a token in vain",
            |region| {
                let semaphore = posix::Semaphore::open_trusted(region, 0).expect("made");
                (0..TOKENS).for_each(|_| semaphore.acquire().expect("free"));
                let late = semaphore.acquire_timeout(scene::SHORT);
                assert_eq!(late.expect_err("none").kind(), ErrorKind::TimedOut);
                (0..TOKENS).for_each(|_| semaphore.release().expect("room"));
            },
            true,
        ),
    ];
    for (name, part, is_made) in parts {
        let mut tally = Tally::new("R1", name);
        for _ in 0..lab.count(1, 9, 90) {
            let (region, copy) = (scene::fresh(), scene::fresh());
            if is_made {
                make(&region).expect("fresh");
            }
            let mut last = Vec::new();
            let mut verdict = Ok(());
            let run = || {
                let this = rustix::process::getpid().as_raw_nonzero().get();
                let who = region.atomic_u32(WHO).expect("inside");
                who.store(this.unsigned_abs(), SeqCst);
                part(&region);
            };
            let stepped = Steps::of(&run, |step| {
                let now = scene::image(&region);
                if now != last {
                    let dying = region.atomic_u32(WHO).expect("inside").load(SeqCst);
                    verdict = judge_copy(&copy, &now, dying, is_made);
                    last = now;
                }
                tally.trial((verdict.clone()).map_err(|why| format!("instruction {step}: {why}")));
                true
            });
            if let Err(reason) = stepped {
                tally.skip(reason);
                break;
            }
        }
        lab.enter(tally);
    }
}

fn make(region: &Region) -> ipc_sem::Result<posix::Semaphore> {
    posix::Semaphore::create_trusted(region, 0, TOKENS)
}

/// Whole, or made anew; no token too many, of those of the dead one some are lost; and it works.
/// The copy lives on when its maker is dead, so the maker's number becomes one of nobody.
fn judge_copy(copy: &Region, image: &[u8], dying: u32, is_made: bool) -> Verdict {
    const AT_STATE: usize = 32;
    scene::restore(copy, image);
    let state = copy.atomic_u32(AT_STATE).expect("inside");
    if dying != 0 && state.load(SeqCst) == dying {
        state.store(u32::MAX - 1, SeqCst);
    }
    let made = match posix::Semaphore::open_trusted(copy, 0) {
        Ok(made) => made,
        Err(error) if is_made => return Err(format!("open: {error}")),
        Err(_) => make(copy).map_err(say("make again"))?,
    };
    let count = made.count();
    if count > TOKENS || (!is_made && count != TOKENS) {
        return Err(format!("{count} tokens"));
    }
    made.release().map_err(say("release"))?;
    made.acquire_timeout(LIMIT).map_err(say("acquire"))?;
    match made.count() {
        now if now == count => Ok(()),
        now => Err(format!("{count} tokens, then {now}")),
    }
}

/// R1 and R12: the name of a POSIX semaphore, its maker killed at each of its system calls.
pub(crate) fn under_a_name(lab: &mut Lab) {
    let name: ipc_core::Name = (format!("ipc-crash-{}", std::process::id()).parse()).expect("one");
    let mut tally = Tally::new("R1", "make a named POSIX semaphore, killed at each call");
    // `sem.` and six letters: what the C library writes first. Those of others come and go.
    let aside = || {
        let entries = std::fs::read_dir("/dev/shm")
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let aside = names.filter(|name| name.starts_with("sem.") && name.len() == 10);
        aside.count()
    };
    let before = aside();
    let make = || drop(posix::open_or_create(&name, TOKENS).expect("made"));
    at_each_call(&mut tally, lab.count(1, 50, 500), make, || {
        let found = posix::open_or_create(&name, TOKENS).map_err(say("start again"))?;
        let count = found.count();
        if !scene::within_limit(|| aside() <= before) {
            return Err("a file aside is left".into());
        }
        posix::unlink(&name).map_err(say("unlink"))?;
        (count == TOKENS)
            .then_some(())
            .ok_or(format!("{count} tokens"))
    });
    lab.enter(tally);
}

/// The values of a set are the kernel's, and so is the undoing; its name is ours.
pub(crate) fn sets(lab: &mut Lab) {
    let dir = TempDir::new();
    let mut options = sysv::Options::new();
    options.directory(dir.join("run"));
    let name: ipc_core::Name = "pool".parse().expect("a name");
    let values = [2, 0];
    let rounds = lab.count(2, 100, 1_000);
    let before = all_sets();
    let whole = |set: &Set| match set.values() {
        Ok(found) if found == values => Ok(()),
        found => Err(format!("{found:?}")),
    };
    let start_again = || {
        let set = match options.create(&name, &values) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => options.open(&name),
            made => made,
        };
        whole(&set.map_err(say("start again"))?)?;
        options.unlink(&name).map_err(say("unlink"))?;
        let files = std::fs::read_dir(dir.join("run")).map_or(0, Iterator::count);
        match (all_sets().saturating_sub(before), files) {
            (0, 0) => Ok(()),
            left => Err(format!("sets and files left: {left:?}")),
        }
    };
    let mut tally = Tally::new("R1", "make a named System V set, killed at each call");
    let make = || {
        options.create(&name, &values).expect("free");
    };
    at_each_call(&mut tally, rounds, make, start_again);
    lab.enter(tally);

    let mut tally = Tally::new("R1", "remove a named System V set, killed at each call");
    let remove = || {
        let _ = options.create(&name, &values);
        options.unlink(&name).expect("there");
    };
    at_each_call(&mut tally, rounds, remove, start_again);
    lab.enter(tally);

    let mut tally = Tally::new("R2", "change a System V set, killed at each call: undone");
    match options.create_unnamed(&values) {
        Ok(set) => {
            let change = || {
                let both = [Operation::take(0, 2), Operation::give(1, 1)];
                set.apply(&both.map(|each| each.expect("small")))
                    .expect("free");
                let late = set.try_apply(&[Operation::take(0, 1).expect("small")]);
                assert!(late.is_err());
            };
            at_each_call(&mut tally, rounds, change, || whole(&set));
            drop(set.remove());
        }
        Err(error) => tally.skip(error.to_string()),
    }
    lab.enter(tally);
}

fn at_each_call(tally: &mut Tally, rounds: u64, part: impl Fn(), verdict: impl Fn() -> Verdict) {
    for _ in 0..rounds {
        for call in 1.. {
            match kill_at_call(&part, call) {
                Ok(killed) => {
                    tally.trial(verdict().map_err(|failure| format!("call {call}: {failure}")));
                    if !killed {
                        break;
                    }
                }
                Err(reason) => return tally.skip(reason),
            }
        }
    }
}

/// How many sets this host has.
fn all_sets() -> usize {
    let table = std::fs::read_to_string("/proc/sysvipc/sem").unwrap_or_default();
    table.lines().count()
}
