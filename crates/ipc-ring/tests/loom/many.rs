//! The slots of a queue, in every execution: who claims, takes and recovers at the same time.

#[path = "../../src/many/layout.rs"]
mod layout;
#[path = "../../src/many/slots.rs"]
mod slots;

use crate::executions::all;
use crate::ground::Region;
use layout::{AT_DROPPED, AT_HEAD, AT_SLOT_BYTES, AT_SLOT_COUNT, AT_SLOTS, AT_TAIL, Shape};
use loom::thread::spawn;
use slots::Slots;
use std::sync::Arc;

fn queue(slots: u64) -> Arc<Slots> {
    let slot_bytes = 64;
    let shape = Shape { slots, slot_bytes };
    let len = shape.region_bytes().expect("small");
    let header = [AT_SLOT_COUNT, AT_SLOT_BYTES, AT_HEAD, AT_TAIL, AT_DROPPED];
    // The word, the length and two words of a message.
    let used = (AT_SLOTS..len)
        .step_by(64)
        .flat_map(|slot| (slot..slot + 32).step_by(8));
    let region = Region::with(header.into_iter().chain(used), len);
    let memory = region.writable_window(0, len).expect("inside");
    layout::begin(&memory, shape);
    Arc::new(Slots { memory, shape })
}

/// Sends a message of two words; false where there is no room.
fn send(slots: &Slots, member: u32) -> bool {
    let Some(at) = slots.claim(member).expect("nothing is damaged") else {
        return false;
    };
    let word = u64::from(member);
    slots.memory.write(slots.place(at), &word.to_le_bytes());
    slots
        .memory
        .write(slots.place(at) + 8, &(!word).to_le_bytes());
    slots.commit(at, member, 16).expect("it is ours");
    true
}

/// Whose message it is that was taken, if there was one.
fn take(slots: &Slots) -> Option<u64> {
    while let Some(found) = slots.next().expect("nothing is damaged") {
        let mut words = [[0; 8]; 2];
        slots.memory.read(found.at, &mut words[0]);
        slots.memory.read(found.at + 8, &mut words[1]);
        if slots.take(found.number) {
            let [one, other] = words.map(u64::from_le_bytes);
            assert_eq!(one, !other, "a mixture");
            return Some(one);
        }
    }
    None
}

fn beside<T: Send + 'static>(
    slots: &Arc<Slots>,
    part: impl FnOnce(&Slots) -> T + Send + 'static,
) -> loom::thread::JoinHandle<T> {
    let slots = Arc::clone(slots);
    spawn(move || part(&slots))
}

#[test]
fn two_who_send_have_a_slot_each() {
    all("queue: two producers, and one who takes", || {
        let slots = queue(2);
        let sends = [1, 2].map(|member| beside(&slots, move |slots| assert!(send(slots, member))));
        let mut came: Vec<_> = take(&slots).into_iter().collect();
        for send in sends {
            send.join().expect("no thread fails");
        }
        while let Some(one) = take(&slots) {
            came.push(one);
        }
        came.sort_unstable();
        assert_eq!(came, [1, 2]);
    });
}

#[test]
fn of_two_who_take_one_has_it() {
    all("queue: two consumers of one message", || {
        let slots = queue(2);
        assert!(send(&slots, 1));
        let other = beside(&slots, take);
        let came = [take(&slots), other.join().expect("no thread fails")];
        assert!(
            came == [Some(1), None] || came == [None, Some(1)],
            "{came:?}"
        );
    });
}

#[test]
fn a_slot_that_is_taken_is_written_again_and_never_mixed() {
    all("queue: one slot, sent, taken and sent again", || {
        let slots = queue(1);
        assert!(send(&slots, 1));
        let sends = beside(&slots, |slots| send(slots, 2));
        let first = take(&slots);
        assert_eq!(first, Some(1));
        let sent = sends.join().expect("no thread fails");
        assert_eq!(take(&slots), sent.then_some(2));
    });
}

#[test]
fn a_dead_one_is_recovered_by_two_while_others_go_on() {
    all("queue: two recover a dead one's slot, one takes", || {
        let slots = queue(2);
        assert!(slots.claim(7).expect("nothing is damaged").is_some());
        assert!(send(&slots, 1));
        let recovers = beside(&slots, |slots| slots.recover(7));
        let came = take(&slots);
        slots.recover(7);
        recovers.join().expect("no thread fails");
        let late = take(&slots);
        assert!([came, late].contains(&Some(1)) && (came.is_none() || late.is_none()));
        assert!(send(&slots, 2) && send(&slots, 3), "both slots are free");
    });
}

#[test]
fn what_is_dropped_is_taken_by_nobody() {
    all(
        "queue: full, the oldest is dropped while it is taken",
        || {
            let slots = queue(1);
            assert!(send(&slots, 1));
            let sends = beside(&slots, |slots| {
                let dropped = slots.drop_oldest().expect("nothing is damaged");
                (dropped, send(slots, 2))
            });
            let came = take(&slots);
            let (dropped, sent) = sends.join().expect("no thread fails");
            assert!(!dropped || came != Some(1), "dropped, and taken");
            assert_eq!(slots.dropped(), u64::from(dropped));
            let late = take(&slots);
            let all = [came, late].into_iter().flatten().collect::<Vec<_>>();
            let expected: &[u64] = match (dropped, sent) {
                (true, true) => &[2],
                (true, false) => &[],
                (false, true) => &[1, 2],
                (false, false) => &[1],
            };
            assert_eq!(all, expected);
        },
    );
}
