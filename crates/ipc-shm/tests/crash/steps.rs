//! R1: death at each instruction, and at each system call, of every operation on a name.

use crate::object::{Image, NAMED, Object, SIZE, Watch, segments};
use ipc_shm::{Backing, ErrorKind, Region};
use ipc_testkit::crash::{Lab, Steps, Tally, Tier, kill_at_call, kill_inside, single_step};
use ipc_testkit::{TempDir, shared_words};
use std::sync::atomic::Ordering;

/// An operation, and what stands there before it.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) before: fn(&Object),
    pub(crate) run: fn(&Object),
}

fn nothing(_object: &Object) {}

fn there(object: &Object) {
    drop(object.options.create(&object.name).expect("free"));
}

pub(crate) const OPERATIONS: [Operation; 8] = [
    Operation {
        name: "create",
        // The first of all finds not even the directory.
        before: |object| drop(std::fs::remove_dir(object.dir.join("run"))),
        run: |object| drop(object.options.create(&object.name).expect("free")),
    },
    Operation {
        name: "take over",
        before: Object::leave_half_made,
        run: |object| drop(object.options.create(&object.name).expect("nobody's")),
    },
    Operation {
        name: "replace stale",
        before: there,
        run: |object| {
            let mut options = object.options.clone();
            drop(
                options
                    .replace_stale(true)
                    .create(&object.name)
                    .expect("stale"),
            );
        },
    },
    Operation {
        name: "open",
        before: there,
        run: |object| drop(object.options.open(&object.name).expect("there")),
    },
    Operation {
        name: "open_or_create, new",
        before: nothing,
        run: |object| drop(object.options.open_or_create(&object.name).expect("free")),
    },
    Operation {
        name: "open_or_create, there",
        before: there,
        run: |object| drop(object.options.open_or_create(&object.name).expect("there")),
    },
    Operation {
        name: "unlink",
        before: there,
        run: |object| object.options.unlink(&object.name).expect("there"),
    },
    Operation {
        name: "create, unlink on drop",
        before: nothing,
        run: |object| {
            let mut options = object.options.clone();
            drop(
                options
                    .unlink_on_drop(true)
                    .create(&object.name)
                    .expect("free"),
            );
        },
    },
];

/// After each instruction what stands under the name is copied, without the locks of the dead,
/// and the copy recovered whenever it is another than before. Not for System V, where a copied
/// key file would mean the same segment.
pub(crate) fn after_each_instruction(lab: &mut Lab) {
    let dir = TempDir::new();
    let states = lab.count(20_000, 1_000_000, 10_000_000);
    let share = states / (2 * OPERATIONS.len() as u64);
    for backing in [Backing::Posix, Backing::File] {
        for operation in &OPERATIONS {
            // With each change, the two that pass through every state there is.
            let telling = ["replace stale", "unlink"].contains(&operation.name);
            if lab.tier == Tier::Push && !(backing == Backing::Posix && telling) {
                continue;
            }
            let object = Object::new(backing, &dir);
            let what = format!("{backing}: {}, each instruction", operation.name);
            let mut tally = Tally::new("R1", what);
            warm(&object, operation);
            while tally.trials < share && tally.skipped.is_none() && tally.failures < 100 {
                step_through(&object, operation, &mut tally);
            }
            object.clear();
            lab.enter(tally);
        }
    }
}

/// What is bound lazily is bound, in this process and so in its copies.
fn warm(object: &Object, operation: &Operation) {
    (operation.before)(object);
    (operation.run)(object);
    object.recover().expect("without a crash");
    object.clear();
}

fn step_through(object: &Object, operation: &Operation, tally: &mut Tally) {
    let twin = object.twin();
    object.clear();
    (operation.before)(object);
    // Not what stands there: the first look is always judged.
    let mut last: Option<Option<Image>> = None;
    let mut watch = Watch::new(object);
    let mut verdict = Ok(());
    let stepped = single_step(
        || (operation.run)(object),
        |_| {
            let image = watch.image();
            if last.as_ref() != Some(&image) {
                verdict = recover_copy(&twin, image.as_ref());
                last = Some(image);
            }
            tally.trial(verdict.clone());
            true
        },
    );
    if let Err(reason) = stepped {
        tally.skip(reason);
    }
}

fn recover_copy(twin: &Object, image: Option<&Image>) -> Result<(), String> {
    if let Some(image) = image {
        twin.put(image);
    }
    let outcome = twin.recover();
    twin.clear();
    outcome
}

/// Real deaths, with the locks that the kernel then drops, after each of the system calls.
pub(crate) fn after_each_call(lab: &mut Lab) {
    let dir = TempDir::new();
    for backing in NAMED {
        for operation in &OPERATIONS {
            let object = Object::new(backing, &dir);
            let what = format!("{backing}: {}, killed at each call", operation.name);
            let mut tally = Tally::new("R1", what);
            let before = segments();
            'rounds: for _ in 0..lab.count(1, 50, 500) {
                for call in 1.. {
                    let killed = one_death(&object, operation, before, &mut tally, |run| {
                        kill_at_call(run, call)
                    });
                    match killed {
                        Some(true) => {}
                        Some(false) => break,
                        None => break 'rounds,
                    }
                }
            }
            lab.enter(tally);
        }
    }
}

/// Real deaths at instructions chosen at random.
pub(crate) fn at_some_instructions(lab: &mut Lab) {
    let dir = TempDir::new();
    for backing in NAMED {
        for operation in &OPERATIONS {
            let object = Object::new(backing, &dir);
            let what = format!("{backing}: {}, killed inside", operation.name);
            let mut tally = Tally::new("R1", what);
            let before = segments();
            warm(&object, operation);
            (operation.before)(&object);
            if lab.tier == Tier::Push {
                let at = 1 + lab.below(2_000);
                object.clear();
                one_death(&object, operation, before, &mut tally, |run| {
                    kill_inside(run, at)
                });
                lab.enter(tally);
                continue;
            }
            let steps = Steps::of(&part(operation, &object), |_| true);
            object.clear();
            match steps {
                Ok(steps) => {
                    for _ in 0..lab.count(1, 300, 3_000) {
                        let at = 1 + lab.below(steps.count());
                        one_death(&object, operation, before, &mut tally, |run| {
                            steps.kill(run, at)
                        });
                    }
                }
                Err(reason) => tally.skip(reason),
            }
            lab.enter(tally);
        }
    }
}

/// What is killed: the same closure each time, so that its instructions stand at the same places.
fn part<'a>(operation: &'a Operation, object: &'a Object) -> impl Fn() + 'a {
    || (operation.run)(object)
}

/// One death and one recovery; whether it died inside, or none where the host forbids tracing.
fn one_death(
    object: &Object,
    operation: &Operation,
    segments_before: usize,
    tally: &mut Tally,
    kill: impl FnOnce(&dyn Fn()) -> Result<bool, String>,
) -> Option<bool> {
    object.clear();
    (operation.before)(object);
    match kill(&part(operation, object)) {
        Ok(killed) => {
            let outcome = object.recover().and_then(|()| {
                let left = segments().saturating_sub(segments_before);
                (left == 0)
                    .then_some(())
                    .ok_or(format!("{left} segments are left"))
            });
            tally.trial(outcome);
            object.clear();
            Some(killed)
        }
        Err(reason) => {
            // Nobody has run the operation, but what it needs stands there.
            object.clear();
            tally.skip(reason);
            object.clear();
            None
        }
    }
}

/// What has no name is gone with its last process, wherever that one dies.
pub(crate) fn without_a_name(lab: &mut Lab) {
    for backing in [Backing::Memory, Backing::HugePages, Backing::SystemV] {
        let mut tally = Tally::new("R1", format!("{backing}: anonymous, killed at each call"));
        let mut options = ipc_shm::Options::new();
        options.backing(backing).size_bytes(SIZE);
        match options.anonymous() {
            Ok(region) => drop(region),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                tally.skip(error.to_string());
                lab.enter(tally);
                continue;
            }
            Err(error) => tally.trial(Err(error.to_string())),
        }
        let before = segments();
        'rounds: for _ in 0..lab.count(2, 200, 2_000) {
            for call in 1.. {
                let run = || drop(options.anonymous().expect("memory"));
                let killed = match kill_at_call(run, call) {
                    Ok(killed) => killed,
                    Err(reason) => {
                        tally.skip(reason);
                        break 'rounds;
                    }
                };
                // The next start of any program of this user.
                let next = ipc_testkit::crash::Forked::new(run);
                let started = next.finished();
                let left = segments().saturating_sub(before);
                tally.trial(match (started, left) {
                    (true, 0) => Ok(()),
                    outcome => Err(format!("after call {call}: {outcome:?}")),
                });
                if !killed {
                    break;
                }
            }
        }
        lab.enter(tally);
    }
}

/// Who attaches, grows or lets go of a region leaves it whole for the others at each instruction.
pub(crate) fn on_a_shared_region(lab: &mut Lab) {
    const MOST: usize = 1 << 20;
    type Part = fn(&Region);
    let parts: [(&str, Part); 4] = [
        ("attach", |region| {
            let fd = region.to_fd().expect("memory");
            drop(Region::from_fd(fd).expect("whole"));
        }),
        ("grow", |region| region.grow(300_000).expect("memory")),
        ("close", |region| drop(region.clone())),
        ("refresh", |region| {
            assert!(region.refresh().expect("whole") >= SMALL)
        }),
    ];
    let share = lab.count(20_000, 1_000_000, 10_000_000) / 16;
    for (name, part) in parts {
        let mut tally = Tally::new("R1", format!("memory: {name}, each instruction"));
        while tally.trials < share && tally.skipped.is_none() && tally.failures < 100 {
            let mut options = ipc_shm::Options::new();
            options.size_bytes(SMALL).growable_to_bytes(MOST);
            let region = options.anonymous().expect("memory");
            region.write_at(0, &[7; SMALL]).expect("inside");
            let stepped = single_step(
                || part(&region),
                |_| {
                    tally.trial(seen_by_a_peer(&region));
                    true
                },
            );
            if let Err(reason) = stepped {
                tally.skip(reason);
            }
        }
        lab.enter(tally);
    }
}

const SMALL: usize = 4096;

fn seen_by_a_peer(region: &Region) -> Result<(), String> {
    let text = |error: ipc_shm::Error| error.to_string();
    let length = region.refresh().map_err(text)?;
    region.verify().map_err(text)?;
    let (mut first, mut last) = ([0; 8], [1]);
    region.read_at(0, &mut first).map_err(text)?;
    region.read_at(length - 1, &mut last).map_err(text)?;
    let grown = length > SMALL && last == [0];
    let small = length == SMALL && last == [7];
    if first == [7; 8] && (grown || small) {
        Ok(())
    } else {
        Err(format!("{length} bytes, first {first:?}, last {last:?}"))
    }
}

/// A write of a value with its commit word last: what the crate documents for torn writes.
pub(crate) fn committed_writes(lab: &mut Lab) {
    let mut tally = Tally::new("R1", "memory: payload, then commit word, each instruction");
    let ledger = shared_words(1);
    let share = lab.count(2_000, 100_000, 1_000_000);
    let region = ipc_shm::anonymous(4096).expect("memory");
    let mut round = 0u64;
    while tally.trials < share && tally.skipped.is_none() {
        round += 1;
        let write = || {
            let payload = [round as u8; 1000];
            region.write_at(64, &payload).expect("inside");
            let word = region.atomic_u64(0).expect("aligned");
            word.store(round, Ordering::Release);
            ledger[0].store(round, Ordering::Release);
        };
        let look = |_| {
            let committed = region.load_u64(0, Ordering::Acquire).expect("aligned");
            let mut copy = [0; 1000];
            region.read_at(64, &mut copy).expect("inside");
            let torn = committed == round && copy != [round as u8; 1000];
            let phantom = ledger[0].load(Ordering::Acquire) > committed;
            tally.trial(match (torn, phantom) {
                (false, false) => Ok(()),
                _ => Err(format!("round {round}: torn {torn}, phantom {phantom}")),
            });
            true
        };
        if let Err(reason) = single_step(write, look) {
            tally.skip(reason);
        }
    }
    lab.enter(tally);
}
