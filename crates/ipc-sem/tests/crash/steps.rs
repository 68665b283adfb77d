//! R1, R3 and R4: one process dies after any instruction of an operation.

use crate::judge::{Verdict, judge};
use crate::scene::{
    self, Kind, LIMIT, SHORT, barrier, beside, condvar, event, image, mark, mutex, once, restore,
    rw_lock, semaphore, set, staying,
};
use ipc_sem::{Condvar, Region};
use ipc_testkit::crash::{Forked, Lab, Tally, Tier, kill_inside, single_step};
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::{Mutex, PoisonError};

/// What one process does, alone but for those who were there before it, and is killed in.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Who is there before: those who stay, and those who have died.
    pub(crate) before: fn(&Region) -> Vec<Forked>,
    pub(crate) act: fn(&Region),
    /// How many that live have a permit, or read, meanwhile.
    pub(crate) holders: u32,
}

/// Instead of a number of holders: one that writes.
pub(crate) const WRITER: u32 = u32::MAX;

fn nobody(_: &Region) -> Vec<Forked> {
    Vec::new()
}

/// `part` has been played by two processes that have died since.
fn died(region: &Region, part: impl Fn()) -> Vec<Forked> {
    let players = [staying(region, &part), staying(region, &part)];
    players.into_iter().for_each(Forked::kill);
    Vec::new()
}

pub(crate) const OPERATIONS: [Operation; 18] = [
    Operation {
        name: "lock, change and unlock a mutex",
        kind: Kind::Mutex,
        before: nobody,
        act: |region| {
            let mutex = mutex(region);
            change(&mut mutex.lock().expect("free"));
        },
        holders: 0,
    },
    Operation {
        name: "recover a mutex of the dead",
        kind: Kind::Mutex,
        before: |region| {
            let owner = staying(region, || {
                let mutex = ManuallyDrop::new(mutex(region));
                let mut guard = ManuallyDrop::new(mutex.lock().expect("free"));
                guard[0] += 1;
            });
            owner.kill();
            Vec::new()
        },
        act: |region| {
            let mutex = mutex(region);
            let mut recovery = mutex.recover().expect("free");
            *recovery = [recovery[0]; 2];
            change(&mut recovery.repaired());
        },
        holders: 0,
    },
    Operation {
        name: "want a mutex that another has",
        kind: Kind::Mutex,
        before: |region| {
            vec![staying(region, || {
                let mutex = ManuallyDrop::new(mutex(region));
                std::mem::forget(mutex.lock().expect("free"));
            })]
        },
        act: |region| drop(mutex(region).lock_timeout(SHORT)),
        holders: 1,
    },
    Operation {
        name: "lock, change and unlock a fair mutex",
        kind: Kind::FairMutex,
        before: nobody,
        act: |region| {
            let mutex = mutex(region);
            change(&mut mutex.lock().expect("free"));
        },
        holders: 0,
    },
    Operation {
        name: "acquire and release beside a holder",
        kind: Kind::Semaphore,
        before: |region| vec![staying(region, || hold(region))],
        act: |region| {
            let semaphore = semaphore(region);
            let both = [semaphore.acquire(), semaphore.acquire()];
            assert!(both.iter().all(Result::is_ok));
            drop(semaphore.acquire_timeout(SHORT));
        },
        holders: 1,
    },
    Operation {
        name: "acquire what two dead had",
        kind: Kind::Semaphore,
        before: |region| died(region, || hold(region)),
        act: |region| {
            let semaphore = semaphore(region);
            let all = [
                semaphore.acquire(),
                semaphore.acquire(),
                semaphore.acquire(),
            ];
            assert!(all.iter().all(Result::is_ok));
        },
        holders: 0,
    },
    Operation {
        name: "read, write and leave",
        kind: Kind::RwLock,
        before: nobody,
        act: |region| {
            let lock = rw_lock(region);
            drop(lock.read().expect("free"));
            change(&mut lock.write().expect("free"));
        },
        holders: 0,
    },
    Operation {
        name: "write where dead readers and a dead writer were",
        kind: Kind::RwLock,
        before: |region| {
            died(region, || read_on(region));
            staying(region, || write_on(region)).kill();
            Vec::new()
        },
        act: |region| {
            let lock = rw_lock(region);
            drop(lock.read());
            let mut recovery = lock.recover().expect("free");
            *recovery = [recovery[0]; 2];
            change(&mut recovery.repaired());
        },
        holders: 0,
    },
    Operation {
        name: "want to write beside a reader",
        kind: Kind::RwLock,
        before: |region| vec![staying(region, || read_on(region))],
        act: |region| {
            let lock = rw_lock(region);
            drop(lock.try_write());
            drop(lock.write_timeout(SHORT));
            drop(lock.read());
        },
        holders: 1,
    },
    Operation {
        name: "want to read beside a writer",
        kind: Kind::RwLock,
        before: |region| vec![staying(region, || write_on(region))],
        act: |region| drop(rw_lock(region).read_timeout(SHORT)),
        holders: WRITER,
    },
    Operation {
        name: "wait for a condition and notify",
        kind: Kind::Condvar,
        before: nobody,
        act: |region| {
            let (condvar, mutex) = (condvar(region), beside(region));
            let mut guard = mutex.lock().expect("free");
            change(&mut guard);
            drop(condvar.wait_timeout(&mut guard, SHORT));
            change(&mut guard);
            condvar.notify_all().expect("a seat");
        },
        holders: 0,
    },
    Operation {
        name: "notify where two have died waiting",
        kind: Kind::Condvar,
        before: |region| {
            let waiters = [wait_for_ever(region), wait_for_ever(region)];
            waiters.into_iter().for_each(Forked::kill);
            Vec::new()
        },
        act: |region| {
            condvar(region).notify_one().expect("a seat");
            condvar(region).notify_all().expect("a seat");
        },
        holders: 0,
    },
    Operation {
        name: "come to a meeting, and leave it",
        kind: Kind::Barrier,
        before: nobody,
        act: |region| drop(barrier(region).wait_timeout(SHORT)),
        holders: 0,
    },
    Operation {
        name: "repair a broken meeting",
        kind: Kind::Barrier,
        before: |region| {
            died(region, || {
                drop(ManuallyDrop::new(barrier(region)).try_wait())
            })
        },
        act: |region| {
            let barrier = barrier(region);
            drop(barrier.try_wait());
            barrier.repair();
            drop(barrier.try_wait());
        },
        holders: 0,
    },
    Operation {
        name: "notify, await and reset an event",
        kind: Kind::Event,
        before: nobody,
        act: |region| {
            let event = event(region);
            drop(event.wait_timeout(SHORT));
            event.notify().expect("a seat");
            event.wait().expect("set");
            event.reset();
        },
        holders: 0,
    },
    Operation {
        name: "await an event of two dead",
        kind: Kind::Event,
        before: |region| {
            died(region, || {
                ManuallyDrop::new(event(region)).announce().expect("a seat")
            })
        },
        act: |region| drop(event(region).wait_timeout(SHORT)),
        holders: 0,
    },
    Operation {
        name: "do work once",
        kind: Kind::Once,
        before: nobody,
        act: |region| {
            once(region)
                .call(|_| mark(region, 7))
                .expect("nobody is at it");
        },
        holders: 0,
    },
    Operation {
        name: "do the work that two have died over",
        kind: Kind::Once,
        before: |region| died(region, || begin(region)),
        act: |region| {
            once(region)
                .call(|_| mark(region, 7))
                .expect("nobody is at it");
        },
        holders: 0,
    },
];

fn change(pair: &mut scene::Pair) {
    pair[0] += 1;
    pair[1] += 1;
}

fn hold(region: &Region) {
    let semaphore = ManuallyDrop::new(semaphore(region));
    std::mem::forget(semaphore.try_acquire().expect("free"));
}

fn read_on(region: &Region) {
    let lock = ManuallyDrop::new(rw_lock(region));
    std::mem::forget(lock.read().expect("nobody writes"));
}

fn write_on(region: &Region) {
    let lock = ManuallyDrop::new(rw_lock(region));
    // Of the readers that were there, all have died.
    let mut guard = ManuallyDrop::new(lock.write().expect("nobody is there"));
    guard[0] += 1;
}

/// Begins the work, and is there when it is killed.
fn begin(region: &Region) {
    let once = ManuallyDrop::new(once(region));
    let _ = once.try_call(|_| {
        mark(region, 1);
        loop {
            std::thread::park();
        }
    });
}

fn wait_for_ever(region: &Region) -> Forked {
    mark(region, 0);
    let (condvar, mutex): (Condvar, ipc_sem::Mutex<_>) = (condvar(region), beside(region));
    let copy = Forked::new(|| {
        let mut guard = mutex.lock().expect("free");
        mark(region, 1);
        while condvar.wait(&mut guard).is_ok() {}
    });
    assert!(scene::within_limit(|| scene::marked(region) == 1));
    // It has released the lock when the lock is free, and waits.
    drop(mutex.lock_timeout(LIMIT).expect("it waits"));
    mark(region, 0);
    copy
}

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
