//! R6, R7, R8: who is dead, who only stands still, and who only has the number of the dead.

use crate::object::{DEADLINE, NAMED, Object, whole};
use ipc_shm::{ErrorKind, Region};
use ipc_testkit::crash::{Forked, Lab, Tally, stop_and_continue, with_process_id, with_reused_pid};
use ipc_testkit::{TempDir, shared_words};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A copy that has made the object and stays; returned when it has.
fn owner(object: &Object, up: &AtomicU64) -> Forked {
    up.store(0, Ordering::Release);
    let copy = Forked::new(|| {
        let _region = object.options.open_or_create(&object.name).expect("made");
        up.store(1, Ordering::Release);
        loop {
            std::thread::park();
        }
    });
    while up.load(Ordering::Acquire) == 0 {
        std::hint::spin_loop();
    }
    copy
}

pub(crate) fn of_a_zombie_is_over(lab: &mut Lab) {
    let dir = TempDir::new();
    let up = &shared_words(1)[0];
    for backing in NAMED {
        let mut tally = Tally::new("R6", format!("{backing}: death seen, nobody has reaped"));
        let object = Object::new(backing, &dir);
        for _ in 0..lab.count(20, 1_000, 10_000) {
            let copy = owner(&object, up);
            let live = object.options.is_live(&object.name);
            let start = Instant::now();
            copy.signal(nix::sys::signal::Signal::SIGKILL);
            let seen = loop {
                match object.options.is_live(&object.name) {
                    Ok(false) => break Ok(()),
                    Ok(true) if start.elapsed() < DEADLINE => {}
                    outcome => break Err(format!("{outcome:?} after {:?}", start.elapsed())),
                }
            };
            tally.time(start.elapsed());
            copy.wait_unreaped();
            tally.trial(match live {
                Ok(true) => seen.and_then(|()| object.recover()),
                live => Err(format!("alive, but {live:?}")),
            });
        }
        object.clear();
        lab.enter(tally);
    }
}

/// A stopped owner is alive: nobody takes its object, and it goes on with it.
pub(crate) fn of_a_stopped_owner_goes_on(lab: &mut Lab) {
    let dir = TempDir::new();
    let up = &shared_words(1)[0];
    for backing in NAMED {
        let mut tally = Tally::new("R7", format!("{backing}: a stopped owner keeps its object"));
        let object = Object::new(backing, &dir);
        let mut options = object.options.clone();
        options.replace_stale(true);
        for _ in 0..lab.count(10, 200, 2_000) {
            let copy = owner(&object, up);
            tally.trial(stop_and_continue(&copy, || {
                let live = object.options.is_live(&object.name);
                match options.create(&object.name) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    outcome => return Err(format!("replaced it: {outcome:?}")),
                }
                let found = object.options.open_timeout(&object.name, DEADLINE);
                whole(&found.map_err(|error| error.to_string())?)?;
                live.map_err(|error| error.to_string())?
                    .then_some(())
                    .ok_or("stopped, and taken for dead".into())
            }));
            copy.kill();
        }
        object.clear();
        lab.enter(tally);
    }
}

const MADE: u64 = 1;
const REFUSED: u64 = 2;

/// A maker stopped somewhere in the making: of it and another, one has made the object.
pub(crate) fn of_a_stopped_maker_makes_one(lab: &mut Lab) {
    let dir = TempDir::new();
    let words = shared_words(3);
    for backing in NAMED {
        let mut tally = Tally::new("R7", format!("{backing}: a maker stopped in the making"));
        let object = Object::new(backing, &dir);
        for _ in 0..lab.count(30, 2_000, 20_000) {
            words
                .iter()
                .for_each(|word| word.store(0, Ordering::Release));
            let copy = Forked::new(|| {
                words[0].store(1, Ordering::Release);
                let made = make(&object);
                words[1].store(
                    if made.is_some() { MADE } else { REFUSED },
                    Ordering::Release,
                );
                while words[2].load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
            });
            while words[0].load(Ordering::Acquire) == 0 {
                std::hint::spin_loop();
            }
            spin(Duration::from_nanos(lab.below(150_000)));
            let ours = stop_and_continue(&copy, || make(&object));
            while words[1].load(Ordering::Acquire) == 0 && !has_ended(&copy) {
                std::thread::yield_now();
            }
            let theirs = words[1].load(Ordering::Acquire) == MADE;
            let found = object.options.open_timeout(&object.name, DEADLINE);
            let found = found.map_err(|error| error.to_string());
            let judged = found.and_then(|region| whole(&region));
            words[2].store(1, Ordering::Release);
            let ended = copy.finished();
            tally.trial(match (ours.is_some() != theirs, judged, ended) {
                (true, Ok(()), true) => Ok(()),
                (_, judged, _) => Err(format!(
                    "ours {}, theirs {theirs}, ended {ended}, then {judged:?}",
                    ours.is_some()
                )),
            });
            drop(ours);
            object.clear();
        }
        lab.enter(tally);
    }
}

fn make(object: &Object) -> Option<Region> {
    let mut options = object.options.clone();
    match options.replace_stale(true).create(&object.name) {
        Ok(region) => Some(region),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            None
        }
    }
}

fn has_ended(copy: &Forked) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", copy.id()));
    stat.is_ok_and(|stat| stat.contains(") Z "))
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A second process with the number of a dead owner is not the owner.
pub(crate) fn of_another_with_the_same_number(lab: &mut Lab) {
    let dir = TempDir::new();
    for backing in NAMED {
        let mut tally = Tally::new("R8", format!("{backing}: a dead owner's number used again"));
        let object = Object::new(backing, &dir);
        for _ in 0..lab.count(5, 300, 3_000) {
            let first = || {
                let region = object.options.create(&object.name).expect("free");
                // Not dropped: as a killed process leaves it.
                std::mem::forget(region);
            };
            let second = || {
                assert!(!object.options.is_live(&object.name).expect("asked"));
                let found = object.options.open(&object.name).expect("whole");
                assert!(!found.unlink().expect("asked"), "it has not made it");
                drop(found);
                object.recover().expect("recovered");
            };
            if !enter(&mut tally, with_reused_pid(first, second)) {
                break;
            }
            object.clear();
        }
        object.clear();
        lab.enter(tally);
    }
}

/// A forked copy has the maker's handle, and in a namespace of its own even its number.
pub(crate) fn of_a_copy_with_the_makers_number(lab: &mut Lab) {
    let dir = TempDir::new();
    for backing in NAMED {
        let mut tally = Tally::new("R8", format!("{backing}: a fork with its maker's number"));
        let object = Object::new(backing, &dir);
        let mut options = object.options.clone();
        options.unlink_on_drop(true);
        for _ in 0..lab.count(5, 300, 3_000) {
            let region = options.create(&object.name).expect("free");
            let copied = with_process_id(std::process::id(), || {
                assert_eq!(region.unlink().ok(), Some(false), "it has not made it");
            });
            if !enter(&mut tally, copied) {
                break;
            }
            let kept = object.path().exists();
            drop(region);
            let removed = !object.path().exists();
            tally.trial(match (kept, removed) {
                (true, true) => Ok(()),
                outcome => Err(format!("kept, removed: {outcome:?}")),
            });
        }
        object.clear();
        lab.enter(tally);
    }
}

/// False where the host cannot do it.
fn enter(tally: &mut Tally, ran: Result<bool, String>) -> bool {
    match ran {
        Ok(good) => tally.trial(good.then_some(()).ok_or("taken for the other".into())),
        Err(reason) => {
            tally.skip(reason);
            return false;
        }
    }
    true
}
