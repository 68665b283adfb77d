//! R1, R3 and R4: one process dies after any instruction of an operation.

use crate::judge::{Verdict, judge};
use crate::operations::{OPERATIONS, Operation};
use crate::scene::{self, Kind, image, restore, set};
use ipc_sem::Region;
use ipc_testkit::crash::{Forked, Lab, Steps, Tally, Tier};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// What a process does to be killed: it says who it is, for the judge of a copy of the memory.
fn part<'a>(operation: &'a Operation, region: &'a Region) -> impl Fn() + 'a {
    || {
        let this = rustix::process::getpid().as_raw_nonzero().get();
        let who = region.atomic_u32(scene::WHO).expect("inside");
        who.store(this.unsigned_abs(), SeqCst);
        (operation.act)(region);
    }
}

/// R1: what a death after each instruction leaves, judged on a copy of the memory. Memory that an
/// instruction leaves as it was has been judged.
pub(crate) fn after_each_instruction(lab: &mut Lab) {
    for operation in &OPERATIONS {
        // A lock that the kernel hands over has state in the kernel, of which there is no copy.
        if operation.kind == Kind::FairMutex {
            continue;
        }
        let mut tally = Tally::new("R1", operation.name);
        let (region, before, players) = begun(operation);
        for _ in 0..lab.count(1, 9, 90) {
            restore(&region, &before);
            let mut judge = Judge::new(operation);
            let stepped = Steps::of(&part(operation, &region), |step| {
                if let Some(verdict) = judge.look(&region) {
                    tally
                        .trial(verdict.map_err(|failure| format!("instruction {step}: {failure}")));
                }
                true
            });
            match stepped {
                Ok(steps) => drop(known().insert(operation.name, steps)),
                Err(reason) => {
                    tally.skip(reason);
                    break;
                }
            }
        }
        drop(players);
        lab.enter(tally);
    }
}

/// Who looks at the memory of a process that stands still.
struct Judge<'a> {
    operation: &'a Operation,
    copy: Region,
    thread: u32,
    last: Vec<u8>,
    verdict: Verdict,
}

impl<'a> Judge<'a> {
    fn new(operation: &'a Operation) -> Self {
        Self {
            operation,
            copy: scene::fresh(),
            thread: 0,
            last: Vec::new(),
            verdict: Ok(()),
        }
    }

    /// The verdict; none before the process has said who it is.
    fn look(&mut self, region: &Region) -> Option<Verdict> {
        if self.thread == 0 {
            let who = region.atomic_u32(scene::WHO).expect("inside");
            self.thread = who.load(SeqCst);
            return None;
        }
        let now = image(region);
        if now != self.last {
            let mut buried = now.clone();
            bury(&mut buried, self.thread);
            restore(&self.copy, &buried);
            self.verdict = judge(self.operation.kind, &self.copy, self.operation.holders);
            self.last = now;
        }
        Some(self.verdict.clone())
    }
}

/// The instructions of the operations that were stepped through, for all experiments.
fn known() -> MutexGuard<'static, BTreeMap<&'static str, Steps>> {
    static KNOWN: Mutex<BTreeMap<&str, Steps>> = Mutex::new(BTreeMap::new());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn steps_of(operation: &Operation, region: &Region) -> Result<Steps, String> {
    if let Some(steps) = known().get(operation.name) {
        return Ok(steps.clone());
    }
    let steps = Steps::of(&part(operation, region), |_| true)?;
    known().insert(operation.name, steps.clone());
    Ok(steps)
}

/// Kills the operation after each of `at`; false where all of them went another way, and lived.
fn kill_at(
    operation: &Operation,
    region: &Region,
    steps: &Steps,
    at: &[u64],
) -> Result<bool, String> {
    let mut any = false;
    for &at in at {
        any |= steps.kill(&part(operation, region), at)?;
    }
    Ok(any)
}

/// `count` trials of `deaths` in a row at instructions chosen at random.
fn die(lab: &mut Lab, operation: &Operation, tally: &mut Tally, deaths: u64, count: u64) {
    let (region, before, players) = begun(operation);
    match steps_of(operation, &region) {
        Err(reason) => tally.skip(reason),
        Ok(steps) => {
            // A wait in time may go another way in another run: that one is no trial.
            for _ in 0..2 * count {
                restore(&region, &before);
                let at: Vec<u64> = (0..deaths).map(|_| 1 + lab.below(steps.count())).collect();
                let verdict = match kill_at(operation, &region, &steps, &at) {
                    Ok(false) => continue,
                    Ok(true) => judge(operation.kind, &region, operation.holders),
                    Err(failure) => Err(failure),
                };
                let all = steps.count();
                tally.trial(
                    verdict.map_err(|failure| format!("instructions {at:?} of {all}: {failure}")),
                );
                if tally.trials == count {
                    break;
                }
            }
        }
    }
    drop(players);
}

/// R3: a real death after an instruction, with all that the kernel does.
pub(crate) fn killed_inside(lab: &mut Lab) {
    for operation in &OPERATIONS {
        let mut tally = Tally::new("R3", format!("killed: {}", operation.name));
        let count = lab.count(20, 1_000, 10_000);
        die(lab, operation, &mut tally, 1, count);
        lab.enter(tally);
    }
}

/// R3: the maker of an object dies: whoever comes finds it, or that it is to be made again.
pub(crate) fn killed_while_making(lab: &mut Lab) {
    for kind in Kind::ALL {
        // A table of 120 seats is made in 20,000 instructions: for each change, of one kind.
        let is_long = !matches!(kind, Kind::Mutex | Kind::FairMutex | Kind::Semaphore);
        if is_long && lab.tier == Tier::Push {
            continue;
        }
        let mut tally = Tally::new("R3", format!("killed while making: {kind:?}"));
        let make = |region: &Region| kind.create(region).expect("fresh memory");
        let part = |region: Region| move || make(&region);
        let steps = match Steps::of(&part(scene::fresh()), |_| true) {
            Ok(steps) => steps,
            Err(reason) => {
                tally.skip(reason);
                lab.enter(tally);
                continue;
            }
        };
        for _ in 0..lab.count(10, 200, 2_000) {
            let region = scene::fresh();
            let at = 1 + lab.below(steps.count());
            let killed = steps.kill(&part(region.clone()), at).map(drop);
            let verdict = killed.and_then(|()| found_or_made(kind, &region));
            let all = steps.count();
            tally.trial(verdict.map_err(|failure| format!("instruction {at} of {all}: {failure}")));
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
        let count = lab.count(10, 290, 3_000);
        die(lab, operation, &mut tally, DEPTH, count);
        lab.enter(tally);
    }
}
