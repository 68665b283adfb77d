//! The members of a queue: how they sleep and wake each other, come and die.

use super::consumer::Consumer;
use super::maker::Maker;
use super::producer::Producer;
use super::{message, read};
use crate::ErrorKind;
use crate::machine::{below, dies_after, spawn};
use crate::schedules::check;
use ipc_core::{Interest, Pollable};
use shuttle::thread::JoinHandle;
use std::time::{Duration, Instant};

/// More than a part of a model has.
const STEPS: u32 = 400;

/// So many messages of `who`, waiting for room.
fn sends(producer: Producer, who: u32, count: u64) -> JoinHandle<()> {
    spawn(move || {
        for number in 0..count {
            producer.send(&message(who, number)).expect("room comes");
        }
    })
}

type Came = (Vec<(u32, u64)>, ErrorKind);

/// All that comes, and the end.
fn receives(
    consumer: Consumer,
    receive: fn(&Consumer) -> crate::Result<[u8; 16]>,
) -> JoinHandle<Came> {
    spawn(move || {
        let mut all = Vec::new();
        loop {
            match receive(&consumer) {
                Ok(bytes) => all.push(read(bytes)),
                Err(error) => return (all, error.kind()),
            }
        }
    })
}

pub(super) fn blocked(consumer: &Consumer) -> crate::Result<[u8; 16]> {
    let mut buffer = [0; 16];
    consumer.recv(&mut buffer).map(|_| buffer)
}

/// Waits of which each may be over at any time, then one that is not.
fn timed(consumer: &Consumer) -> crate::Result<[u8; 16]> {
    let mut buffer = [0; 16];
    let far = Instant::now() + Duration::from_secs(1 << 20);
    for _ in 0..2 {
        match consumer.recv_deadline(&mut buffer, far) {
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            outcome => return outcome.map(|_| buffer),
        }
    }
    blocked(consumer)
}

/// As a task of an async runtime does.
fn awaited(consumer: &Consumer) -> crate::Result<[u8; 16]> {
    let mut buffer = [0; 16];
    loop {
        match consumer.try_recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            outcome => return outcome.map(|_| buffer),
        }
        if !consumer.arm(Interest::Read)? {
            crate::bells::sleep_on(consumer);
        }
    }
}

fn all_come(receive: fn(&Consumer) -> crate::Result<[u8; 16]>) {
    let mut maker = Maker::new(1);
    let consumers = [maker.consumer(), maker.consumer()];
    let producers = [maker.producer(), maker.producer()];
    let takes = consumers.map(|consumer| receives(consumer, receive));
    let mut who = 0;
    let sends = producers.map(|producer| {
        who += 1;
        sends(producer, who, 2)
    });
    for send in sends {
        send.join().expect("no thread fails");
    }
    assert_eq!(all_of(takes), [(1, 0), (1, 1), (2, 0), (2, 1)]);
}

/// All that came to them, each until the producers had closed their ends.
fn all_of(takes: impl IntoIterator<Item = JoinHandle<Came>>) -> Vec<(u32, u64)> {
    let mut all = Vec::new();
    for take in takes {
        let (came, end) = take.join().expect("no thread fails");
        assert_eq!(end, ErrorKind::Closed);
        all.extend(came);
    }
    all.sort_unstable();
    all
}

#[test]
fn who_blocks_at_a_queue_is_woken() {
    check("queue: members that block", || all_come(blocked));
}

#[test]
fn who_waits_in_vain_at_a_queue_is_woken_the_next_time() {
    check("queue: members that wait for a time", || all_come(timed));
}

#[test]
fn who_awaits_the_descriptor_of_a_member_is_woken() {
    check("queue: members that await a descriptor", || {
        all_come(awaited);
    });
}

#[test]
fn a_late_producer_is_known_to_who_slept_before_it_came() {
    check("queue: members come while others sleep", || {
        let mut maker = Maker::new(1);
        // It sends nothing: as long as it is there, nobody is told of an end.
        let keeper = maker.producer();
        let mut takes = vec![receives(maker.consumer(), blocked)];
        let first = sends(maker.producer(), 1, 2);
        takes.push(receives(maker.consumer(), blocked));
        let second = sends(maker.producer(), 2, 2);
        first.join().expect("no thread fails");
        second.join().expect("no thread fails");
        drop(keeper);
        assert_eq!(all_of(takes), [(1, 0), (1, 1), (2, 0), (2, 1)]);
    });
}

#[test]
fn who_waits_for_room_in_a_longer_queue_is_told_in_time() {
    check("queue: sixteen slots, of which every other is told", || {
        let mut maker = Maker::new(16);
        let (consumer, producer) = (maker.consumer(), maker.producer());
        let takes = receives(consumer, blocked);
        let sends = sends(producer, 1, 19);
        sends.join().expect("no thread fails");
        assert!(all_of(vec![takes]).into_iter().eq((0..19).map(|n| (1, n))));
    });
}

#[test]
fn a_dead_consumer_takes_no_wake_up_with_it() {
    check("queue: death of a consumer that sleeps or is woken", || {
        let mut maker = Maker::new(2);
        let (doomed, lives) = (maker.consumer(), maker.consumer());
        let producer = maker.producer();
        let steps = below(STEPS);
        let dies = spawn(move || {
            let mut came = 0;
            dies_after(steps, || {
                while blocked(&doomed).is_ok() {
                    came += 1;
                }
            });
            came
        });
        let takes = receives(lives, blocked);
        let sends = sends(producer, 1, 3);
        sends.join().expect("no thread fails");
        let dead: usize = dies.join().expect("no thread fails");
        let (came, end) = takes.join().expect("no thread fails");
        assert_eq!(end, ErrorKind::Closed);
        // At most the one that it had in its hands is nobody's.
        assert!(came.len() + dead >= 2, "{came:?} and {dead}");
        assert!(came.is_sorted(), "{came:?}");
    });
}

#[test]
fn a_dead_producer_holds_nobody_up_and_its_death_is_told() {
    check("queue: death of a producer whose members sleep", || {
        let mut maker = Maker::new(1);
        let (consumer, doomed, lives) = (maker.consumer(), maker.producer(), maker.producer());
        let steps = below(STEPS);
        let dies = spawn(move || {
            let mut sent = 0;
            let died = dies_after(steps, || {
                for number in 0..2 {
                    doomed.send(&message(1, number)).expect("room comes");
                    sent = number + 1;
                }
                drop(doomed);
            });
            (died, sent)
        });
        let takes = receives(consumer, blocked);
        let sends = sends(lives, 2, 2);
        sends.join().expect("no thread fails");
        let (died, sent) = dies.join().expect("no thread fails");
        let (came, end) = takes.join().expect("no thread fails");
        let of = |who| came.iter().filter(move |one| one.0 == who).map(|one| one.1);
        assert!(of(2).eq(0..2), "{came:?}");
        let count = of(1).count() as u64;
        assert!(of(1).eq(0..count), "{came:?}");
        assert!(
            count == sent || (died && count == sent + 1),
            "{count} of {sent}"
        );
        assert!(died || end == ErrorKind::Closed, "{end:?}");
    });
}

#[test]
fn the_last_consumers_death_ends_a_producers_wait() {
    check("queue: death of the last consumer", || {
        let mut maker = Maker::new(1);
        let (consumer, producer) = (maker.consumer(), maker.producer());
        let steps = below(STEPS);
        let dies = spawn(move || dies_after(steps, || while blocked(&consumer).is_ok() {}));
        let sends = spawn(move || {
            for number in 0..3 {
                if let Err(error) = producer.send(&message(1, number)) {
                    return Some(error.kind());
                }
            }
            None
        });
        let end = sends.join().expect("no thread fails");
        let died = dies.join().expect("no thread fails");
        assert!(
            end.is_none() || (died && end == Some(ErrorKind::PeerDied)),
            "{end:?}"
        );
    });
}
