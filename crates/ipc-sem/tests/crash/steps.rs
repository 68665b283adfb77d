//! R1, R3 and R4: one process dies after any instruction of an operation.

use crate::judge::{Verdict, judge};
use crate::operations::{OPERATIONS, Operation};
use crate::scene::{self, Kind, image, mark, restore, set};
use ipc_sem::Region;
use ipc_testkit::crash::{Forked, Lab, Tally, Tier, kill_inside, single_step};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A region as it is before the operation, and those who are there.
pub(crate) fn begun(operation: &Operation) -> (Region, Vec<u8>, Vec<Forked>) {
    let region = set(operation.kind);
    let players = (operation.before)(&region);
    let before = image(&region);
    (region, before, players)
}

/// What the kernel does to the locks of a process that ends, done to a copy: the owner's bit.
fn bury(image: &mut [u8], thread: u32) {
    const TID_MASK: u32 = 0x3FFF_FFFF;
    const OWNER_DIED: u32 = 0x4000_0000;
    // An object's own lock, and those of its 120 seats.
    let locks = || std::iter::once(80).chain((0..120).map(|seat| 192 + 128 * seat));
    for at in [scene::FIRST, scene::SECOND]
        .into_iter()
        .flat_map(|base| locks().map(move |at| base + at))
    {
        let Some(bytes) = image.get_mut(at..at + 4) else {
            continue;
        };
        let word = u32::from_ne_bytes(bytes.try_into().expect("four"));
        if word & TID_MASK == thread {
            bytes.copy_from_slice(&((word & !TID_MASK) | OWNER_DIED).to_ne_bytes());
        }
    }
}

/// R1: what a death after each instruction leaves, judged on a copy of the memory.
pub(crate) fn after_each_instruction(lab: &mut Lab) {
    for operation in &OPERATIONS {
        // A lock that the kernel hands over has state in the kernel, of which there is no copy.
        if operation.kind == Kind::FairMutex {
            continue;
        }
        let mut tally = Tally::new("R1", operation.name);
        let (region, before, players) = begun(operation);
        let copy = scene::fresh();
        for _ in 0..lab.count(1, 9, 90) {
            restore(&region, &before);
            let (every, phase) = match lab.count(9, 1, 1) {
                1 => (1, 0),
                every => (every, lab.below(every)),
            };
            let thread = std::cell::Cell::new(0);
            let stepped = single_step(
                || {
                    let this = rustix::process::getpid().as_raw_nonzero().get();
                    mark(&region, this.unsigned_abs());
                    mark(&region, 0);
                    (operation.act)(&region);
                },
                |step| {
                    if thread.get() == 0 {
                        thread.set(scene::marked(&region));
                    } else if step % every == phase {
                        let mut bytes = image(&region);
                        bury(&mut bytes, thread.get());
                        restore(&copy, &bytes);
                        let verdict = judge(operation.kind, &copy, operation.holders);
                        tally.trial(
                            verdict.map_err(|failure| format!("instruction {step}: {failure}")),
                        );
                    }
                    true
                },
            );
            if let Err(reason) = stepped {
                tally.skip(reason);
                break;
            }
        }
        drop(players);
        lab.enter(tally);
    }
}

/// R3: a real death after an instruction, with all that the kernel does.
pub(crate) fn killed_inside(lab: &mut Lab) {
    for operation in &OPERATIONS {
        let mut tally = Tally::new("R3", format!("killed: {}", operation.name));
        let (region, before, players) = begun(operation);
        let length = match length_of(operation, &region) {
            Ok(length) => length,
            Err(reason) => {
                tally.skip(reason);
                lab.enter(tally);
                continue;
            }
        };
        for _ in 0..lab.count(2, 150, 4_000) {
            restore(&region, &before);
            let at = 1 + lab.below(length);
            tally.trial(
                kill_at(operation, &region, at)
                    .and_then(|()| judge(operation.kind, &region, operation.holders))
                    .map_err(|failure| format!("instruction {at} of {length}: {failure}")),
            );
        }
        drop(players);
        lab.enter(tally);
    }
}

/// How many instructions an operation has, about: the same for all experiments.
fn length_of(operation: &Operation, region: &Region) -> Result<u64, String> {
    static LENGTHS: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());
    let mut lengths = LENGTHS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(length) = lengths.get(operation.name) {
        return Ok(*length);
    }
    let length = single_step(|| (operation.act)(region), |_| true)?;
    lengths.insert(operation.name, length);
    Ok(length)
}

fn kill_at(operation: &Operation, region: &Region, instruction: u64) -> Verdict {
    kill_inside(|| (operation.act)(region), instruction).map(drop)
}

/// R3: the maker of an object dies: whoever comes finds it, or that it is to be made again.
pub(crate) fn killed_while_making(lab: &mut Lab) {
    for kind in Kind::ALL {
        // A table of 120 seats is made in 20,000 instructions: for each change, by labels only.
        let is_long = !matches!(kind, Kind::Mutex | Kind::FairMutex);
        if is_long && lab.tier == Tier::Push {
            continue;
        }
        let mut tally = Tally::new("R3", format!("killed while making: {kind:?}"));
        let make = |region: &Region| kind.create(region).expect("fresh memory");
        let probe = scene::fresh();
        let length = match single_step(|| make(&probe), |_| true) {
            Ok(length) => length,
            Err(reason) => {
                tally.skip(reason);
                lab.enter(tally);
                continue;
            }
        };
        for _ in 0..lab.count(3, 60, 2_000) {
            let region = scene::fresh();
            let at = 1 + lab.below(length);
            let killed = kill_inside(|| make(&region), at).map(drop);
            let verdict = killed.and_then(|()| found_or_made(kind, &region));
            tally.trial(
                verdict.map_err(|failure| format!("instruction {at} of {length}: {failure}")),
            );
        }
        lab.enter(tally);
    }
}

/// A start after the death: it is there, or it is made.
pub(crate) fn found_or_made(kind: Kind, region: &Region) -> Verdict {
    use ipc_sem::ErrorKind::AlreadyExists;
    match kind.create(region) {
        Ok(()) => {}
        Err(error) if error.kind() == AlreadyExists => {}
        Err(error) => return Err(format!("create: {error}")),
    }
    if kind == Kind::Condvar {
        ipc_sem::Mutex::<scene::Pair>::create_trusted(region, scene::SECOND, [0; 2])
            .map_err(crate::judge::say("create the mutex beside"))?;
    }
    judge(kind, region, 0)
}

/// R4: who puts in order what a death left dies over it, and so do the next ones.
pub(crate) fn killed_while_recovering(lab: &mut Lab) {
    const DEPTH: u64 = 3;
    let recoveries = OPERATIONS.iter().filter(|operation| {
        ["dead", "died", "broken"]
            .iter()
            .any(|word| operation.name.contains(word))
    });
    for operation in recoveries {
        let mut tally = Tally::new("R4", format!("three killed in a row: {}", operation.name));
        let (region, before, players) = begun(operation);
        let length = match length_of(operation, &region) {
            Ok(length) => length,
            Err(reason) => {
                tally.skip(reason);
                lab.enter(tally);
                continue;
            }
        };
        for _ in 0..lab.count(1, 290, 3_000) {
            restore(&region, &before);
            let at: Vec<u64> = (0..DEPTH).map(|_| 1 + lab.below(length)).collect();
            let killed = at
                .iter()
                .try_for_each(|&at| kill_at(operation, &region, at));
            let verdict = killed.and_then(|()| judge(operation.kind, &region, operation.holders));
            tally.trial(verdict.map_err(|failure| format!("instructions {at:?}: {failure}")));
        }
        drop(players);
        lab.enter(tally);
    }
}
