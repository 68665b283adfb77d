//! A set that several threads use.

use super::{PATIENCE, this_thread, until_asleep};
use ipc_async::{Interest, WaitSet};
use ipc_testkit::watchdog;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[test]
fn what_another_thread_adds_wakes_who_waits() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..300 {
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let (ring_tx, ring_rx) = ipc_ring::pair().expect("a ring");
        tx.send(b"x").expect("sent");
        ring_tx.send(b"x").expect("sent");
        let set = WaitSet::new();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| set.wait().expect("what is added"));
            let expected = round % 3;
            match expected {
                0 => set.add(&rx, 0),
                1 => set.add(&ring_rx, 1),
                _ => set.after(Duration::ZERO, 2),
            }
            .expect("added");
            assert_eq!(waiting.join().expect("no panic"), expected);
        });
    }
}

#[test]
fn what_another_thread_removes_is_told_no_more() {
    let _watchdog = watchdog(PATIENCE);
    for _ in 0..200 {
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let (other_tx, other_rx) = ipc_pipe::pair().expect("a pipe");
        let set = WaitSet::new();
        let entry = set.add(&rx, "removed").expect("added");
        set.add(&other_rx, "other").expect("added");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| set.wait().expect("the other"));
            assert!(set.remove(entry));
            tx.send(b"x").expect("sent");
            other_tx.send(b"x").expect("sent");
            assert_eq!(waiting.join().expect("no panic"), "other");
        });
    }
}

#[test]
fn several_threads_serve_what_is_told_once_and_nothing_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    const SENDERS: usize = 8;
    const MESSAGES: u64 = 500;
    let pipes: Vec<_> = (0..SENDERS)
        .map(|_| ipc_pipe::pair().expect("a pipe"))
        .collect();
    let rings: Vec<_> = (0..SENDERS)
        .map(|_| ipc_ring::pair().expect("a ring"))
        .collect();
    let next: Vec<AtomicU64> = (0..2 * SENDERS).map(|_| AtomicU64::new(0)).collect();
    let set = WaitSet::new();
    let mut entries = Vec::new();
    for (key, (_, rx)) in pipes.iter().enumerate() {
        entries.push(set.add_once(rx, Interest::Read, key).expect("added"));
    }
    for (key, (_, rx)) in rings.iter().enumerate() {
        let key = SENDERS + key;
        entries.push(set.add_once(rx, Interest::Read, key).expect("added"));
    }
    let all = 2 * SENDERS as u64 * MESSAGES;
    let taken = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while taken.load(Ordering::SeqCst) < all {
                    let Ok(key) = set.wait_timeout(Duration::from_millis(20)) else {
                        continue;
                    };
                    let mut bytes = [0; 8];
                    let received = match key.checked_sub(SENDERS) {
                        None => pipes[key].1.try_recv(&mut bytes),
                        Some(ring) => rings[ring].1.try_recv(&mut bytes),
                    };
                    if received.is_ok() {
                        // Told once: no other thread is here.
                        let number = next[key].fetch_add(1, Ordering::SeqCst);
                        assert_eq!(u64::from_le_bytes(bytes), number, "of {key}");
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                    assert!(set.again(entries[key]).expect("it is there"));
                }
            });
        }
        scope.spawn(|| {
            for number in 0..MESSAGES {
                for (tx, _) in &pipes {
                    tx.send(&number.to_le_bytes()).expect("sent");
                }
                for (tx, _) in &rings {
                    tx.send(&number.to_le_bytes()).expect("sent");
                }
            }
        });
    });
    assert_eq!(taken.load(Ordering::SeqCst), all);
}

#[test]
fn a_timer_is_told_though_the_thread_that_slept_for_it_has_left() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let set = WaitSet::new();
    let entry = set.add_once(&rx, Interest::Read, 1).expect("added");
    let (mut rounds, mut ahead) = (0, Duration::from_millis(30));
    while rounds < 20 {
        let (say, said) = std::sync::mpsc::channel();
        let told: BTreeSet<i32> = std::thread::scope(|scope| {
            let waiting = [say.clone(), say].map(|say| {
                let set = &set;
                scope.spawn(move || {
                    say.send(this_thread()).expect("it listens");
                    set.wait().expect("a message or the timer")
                })
            });
            let threads = [0, 1].map(|_| said.recv().expect("it begins"));
            threads.into_iter().for_each(until_asleep);
            let due = Instant::now() + ahead;
            set.at(due, 2).expect("a timer");
            // One of them has heard of it, and sleeps for it now.
            threads.into_iter().for_each(until_asleep);
            tx.send(b"x").expect("sent");
            // Where the host was slower than the timer, both were told without the other.
            match Instant::now() < due {
                true => rounds += 1,
                false => ahead *= 2,
            }
            let told = waiting.map(|waiting| waiting.join().expect("no panic"));
            assert!(Instant::now() >= due);
            told.into_iter().collect()
        });
        assert_eq!(told, BTreeSet::from([1, 2]));
        rx.recv(&mut [0; 4]).expect("the message");
        assert!(set.again(entry).expect("it is there"));
    }
}
