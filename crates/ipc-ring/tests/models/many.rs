//! The slots of a queue: what several claim, commit, take and recover at the same time.

#[path = "../../src/many/consumer.rs"]
mod consumer;
#[path = "../../src/many/layout.rs"]
mod layout;
#[path = "../../src/many/member.rs"]
mod member;
#[path = "../../src/many/peers.rs"]
mod peers;
#[path = "../../src/many/producer.rs"]
mod producer;
#[path = "../../src/many/slots.rs"]
mod slots;

#[path = "leavers.rs"]
mod leavers;
#[path = "maker.rs"]
mod maker;
#[path = "members.rs"]
mod members;

use crate::ground::Region;
use crate::machine::{below, dies_after, spawn};
use crate::schedules::check;
use layout::Shape;
use shuttle::thread::yield_now;
use slots::Slots;
use std::sync::Arc;

/// More than a part of a model has.
const STEPS: u32 = 60;

fn queue(slots: u64) -> Arc<Slots> {
    let slot_bytes = 64;
    let shape = Shape { slots, slot_bytes };
    let len = shape.region_bytes().expect("small");
    let memory = Region::new(len).writable_window(0, len).expect("inside");
    layout::begin(&memory, shape);
    Arc::new(Slots { memory, shape })
}

/// Message `number` of `member`, of two words.
fn message(member: u32, number: u64) -> [u8; 16] {
    let word = u64::from(member) << 32 | number;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word.to_le_bytes());
    bytes[8..].copy_from_slice(&(!word).to_le_bytes());
    bytes
}

/// Whose message it is, and which.
fn read(bytes: [u8; 16]) -> (u32, u64) {
    let word = |at| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    assert_eq!(word(0), !word(8), "a mixture");
    ((word(0) >> 32) as u32, word(0) & 0xffff_ffff)
}

fn send(slots: &Slots, member: u32, number: u64) {
    loop {
        if let Some(at) = slots.claim(member).expect("nothing is damaged") {
            slots
                .memory
                .write(slots.place(at), &message(member, number));
            slots.commit(at, member, 16).expect("it is ours");
            return;
        }
        yield_now();
    }
}

/// One message, if there is one.
fn take(slots: &Slots) -> Option<(u32, u64)> {
    while let Some(found) = slots.next().expect("nothing is damaged") {
        assert_eq!(found.len, 16);
        let mut bytes = [0; 16];
        slots.memory.read(found.at, &mut bytes);
        if slots.take(found.number) {
            return Some(read(bytes));
        }
    }
    None
}

/// Takes until so many have come; those of each producer in their order.
fn take_many(slots: &Slots, came: &shuttle::sync::atomic::AtomicU64, most: u64) -> Vec<(u32, u64)> {
    use shuttle::sync::atomic::Ordering::SeqCst;
    let mut all = Vec::new();
    while came.load(SeqCst) < most {
        match take(slots) {
            Some(one) => {
                came.fetch_add(1, SeqCst);
                all.push(one);
            }
            None => yield_now(),
        }
    }
    for member in 1..=3 {
        let own: Vec<_> = all.iter().filter(|one| one.0 == member).collect();
        assert!(own.is_sorted(), "out of order: {all:?}");
    }
    all
}

fn all_of(parts: Vec<shuttle::thread::JoinHandle<Vec<(u32, u64)>>>) -> Vec<(u32, u64)> {
    let join = |part: shuttle::thread::JoinHandle<_>| part.join().expect("no thread fails");
    let mut all: Vec<_> = parts.into_iter().flat_map(join).collect();
    all.sort_unstable();
    all
}

#[test]
fn each_message_comes_once_and_whole() {
    check("queue: two producers, two consumers, two slots", || {
        let slots = queue(2);
        let came = Arc::new(shuttle::sync::atomic::AtomicU64::new(0));
        let takes: Vec<_> = (0..2)
            .map(|_| {
                let (slots, came) = (Arc::clone(&slots), Arc::clone(&came));
                spawn(move || take_many(&slots, &came, 6))
            })
            .collect();
        let sends: Vec<_> = (1..=2)
            .map(|member| {
                let slots = Arc::clone(&slots);
                spawn(move || (0..3).for_each(|number| send(&slots, member, number)))
            })
            .collect();
        // One who has died with nothing in hand takes nothing from the living.
        slots.recover(9);
        slots.recover(9);
        for send in sends {
            send.join().expect("no thread fails");
        }
        let expected: Vec<_> = (1..=2)
            .flat_map(|member| (0..3).map(move |n| (member, n)))
            .collect();
        assert_eq!(all_of(takes), expected);
    });
}

#[test]
fn a_dead_producers_slot_is_given_back_and_what_it_committed_comes() {
    check("queue: death of a producer at any step", || {
        let slots = queue(2);
        let steps = below(STEPS);
        let doomed = {
            let slots = Arc::clone(&slots);
            spawn(move || {
                let mut sent = 0;
                dies_after(steps, || {
                    for number in 0..2 {
                        send(&slots, 1, number);
                        sent = number + 1;
                    }
                });
                sent
            })
        };
        let lives = {
            let slots = Arc::clone(&slots);
            spawn(move || (0..2).for_each(|number| send(&slots, 2, number)))
        };
        let takes = {
            let slots = Arc::clone(&slots);
            spawn(move || (0..8).filter_map(|_| take(&slots)).collect::<Vec<_>>())
        };
        let sent = doomed.join().expect("no thread fails");
        // Whoever sees the death gives back; so may several, and again.
        let recovers: Vec<_> = (0..2)
            .map(|_| {
                let slots = Arc::clone(&slots);
                spawn(move || slots.recover(1))
            })
            .collect();
        let mut early = Vec::new();
        for recover in recovers {
            recover.join().expect("no thread fails");
            early.extend(take(&slots));
        }
        // Nothing stands in the way any more: what is left comes, and the living can go on.
        let mut all = takes.join().expect("no thread fails");
        all.extend(early);
        while all.iter().filter(|one| one.0 == 2).count() < 2 {
            all.extend(take(&slots));
            yield_now();
        }
        lives.join().expect("no thread fails");
        while let Some(one) = take(&slots) {
            all.push(one);
        }
        all.sort_unstable();
        let of = |member| {
            all.iter()
                .filter(move |one| one.0 == member)
                .map(|one| one.1)
        };
        assert!(of(2).eq(0..2), "{all:?}");
        let dead: Vec<_> = of(1).collect();
        assert!(dead.iter().copied().eq(0..dead.len() as u64), "{all:?}");
        let came = dead.len() as u64;
        assert!(came == sent || came == sent + 1, "{came} came of {sent}");
        assert!(
            slots.claim(3).expect("nothing is damaged").is_some(),
            "all is free again"
        );
    });
}

#[test]
fn what_is_dropped_is_the_oldest_and_comes_to_nobody() {
    check("queue: full, and the oldest are dropped", || {
        let slots = queue(1);
        let sends = {
            let slots = Arc::clone(&slots);
            spawn(move || {
                for number in 0..3 {
                    while slots
                        .claim(1)
                        .expect("nothing is damaged")
                        .is_none_or(|at| {
                            slots.memory.write(slots.place(at), &message(1, number));
                            slots.commit(at, 1, 16).expect("it is ours");
                            false
                        })
                    {
                        slots.drop_oldest().expect("nothing is damaged");
                    }
                }
            })
        };
        let mut all: Vec<_> = (0..4).filter_map(|_| take(&slots)).collect();
        sends.join().expect("no thread fails");
        while let Some(one) = take(&slots) {
            all.push(one);
        }
        assert!(all.is_sorted(), "{all:?}");
        assert_eq!(all.last(), Some(&(1, 2)), "the newest is there");
        assert_eq!(
            all.len() as u64 + slots.dropped(),
            3,
            "each is taken or counted"
        );
    });
}
