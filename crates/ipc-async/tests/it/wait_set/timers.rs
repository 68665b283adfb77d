//! Timers of a wait set.

use super::{PATIENCE, QUIET};
use ipc_async::{ErrorKind, WaitSet};
use ipc_testkit::{Snapshot, isolated, watchdog};
use std::time::{Duration, Instant};

#[test]
fn timers_are_told_in_order_and_never_early() {
    let _watchdog = watchdog(PATIENCE);
    let set = WaitSet::new();
    let start = Instant::now();
    let ms = Duration::from_millis;
    for key in [3_u64, 1, 2] {
        set.at(start + ms(key * 3), key).expect("a timer");
    }
    set.after(Duration::MAX, 99)
        .expect("a timer that never comes");
    for expected in 1..=3 {
        let key = set.wait().expect("a timer");
        assert_eq!(key, expected);
        assert!(start.elapsed() >= ms(key * 3), "timer {key} came early");
    }
    let late = set
        .wait_timeout(ms(5))
        .expect_err("only the one that never comes");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_periodic_timer_keeps_its_rhythm_and_is_removed() {
    let _watchdog = watchdog(PATIENCE);
    let set = WaitSet::new();
    let start = Instant::now();
    let ms = Duration::from_millis;
    let tick = set.every(ms(4), ()).expect("a timer");
    for number in 1..=5 {
        set.wait().expect("a tick");
        assert!(
            start.elapsed() >= ms(4 * number),
            "tick {number} came early"
        );
    }
    // Ticks that nobody waited for are told as one, however late the last of them was told.
    let told = Instant::now();
    while told.elapsed() < ms(20) {
        std::thread::yield_now();
    }
    let mut ready = Vec::new();
    assert_eq!(set.try_wait_many(&mut ready).expect("missed ticks"), 1);
    assert!(set.remove(tick));
    assert!(!set.remove(tick), "it is there no more");
    let error = set.wait_timeout(QUIET).expect_err("no timer is left");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let error = set.every(Duration::ZERO, ()).expect_err("no period");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_thousand_timers_take_no_thread_and_two_descriptors() {
    isolated!({
        let before = Snapshot::take();
        let set = WaitSet::new();
        for key in 0..1_000_u64 {
            set.after(Duration::from_micros(key), key).expect("a timer");
        }
        assert_eq!(Snapshot::take().descriptors() - before.descriptors(), 2);
        let threads = std::fs::read_dir("/proc/self/task").expect("/proc").count();
        let mut all = Vec::new();
        let mut ready = Vec::new();
        while all.len() < 1_000 {
            set.wait_many(&mut ready).expect("timers");
            all.extend_from_slice(&ready);
        }
        assert!(all.is_sorted(), "each in its order");
        let now = std::fs::read_dir("/proc/self/task").expect("/proc").count();
        assert_eq!(now, threads);
        drop(set);
        before.assert_unchanged();
    });
}

#[test]
fn a_timer_that_is_always_due_starves_no_endpoint() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let set = WaitSet::new();
    set.add(&rx, true).expect("added");
    set.every(Duration::from_nanos(1), false).expect("a timer");
    tx.send(b"x").expect("sent");
    let mut told = 0;
    for _ in 0..100 {
        told += usize::from(set.wait().expect("something"));
    }
    assert!(told >= 25, "told {told} times of 100");
    assert!(told <= 75, "told {told} times of 100");
}

#[test]
fn a_deadline_in_the_past_is_tried_once() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let set = WaitSet::new();
    set.add(&rx, ()).expect("added");
    let past = Instant::now();
    let error = set.wait_deadline(past).expect_err("nothing is there");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(
        set.try_wait().expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
    tx.send(b"x").expect("sent");
    set.wait_deadline(past).expect("a message");
    set.try_wait().expect("a message");
    set.wait_timeout(Duration::MAX).expect("a message");
}
