//! The condition variable: hand-overs across processes, and deaths of either side.

use crate::stage::{SECOND, add, await_ready, enter, region, say_ready, spawn};
use ipc_sem::{Condvar, ErrorKind, Mutex, Region};
use ipc_testkit::{Stage, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);
const ROUNDS: u64 = 5_000;

fn open(region: &Region) -> (Mutex<u64>, Condvar) {
    let mutex = Mutex::open_trusted(region, 0).expect("a mutex");
    (
        mutex,
        Condvar::open_trusted(region, SECOND).expect("a condition"),
    )
}

fn create(region: &Region) -> (Mutex<u64>, Condvar) {
    let mutex = Mutex::create_trusted(region, 0, 0).expect("a mutex");
    (
        mutex,
        Condvar::create_trusted(region, SECOND).expect("a condition"),
    )
}

pub(crate) fn alternate(given: Stage) {
    let (region, parity) = enter(given);
    let parity: u64 = parity.parse().expect("a number");
    let (mutex, turn) = open(&region);
    for _ in 0..ROUNDS {
        let mut number = mutex.lock().expect("nobody dies");
        while *number % 2 != parity {
            turn.wait(&mut number).expect("nobody dies");
        }
        *number += 1;
        drop(number);
        turn.notify_one().expect("a seat");
    }
}

#[test]
fn two_processes_take_turns_and_lose_none() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let (mutex, _turn) = create(&region);
    let players = ["0", "1"].map(|parity| spawn("condvar player", &region, parity));
    for player in players {
        player.done();
    }
    assert_eq!(*mutex.lock().expect("free"), 2 * ROUNDS);
}

pub(crate) fn take_one(given: Stage) {
    let (region, _) = enter(given);
    let (mutex, more) = open(&region);
    say_ready(&region);
    let mut jobs = held(&mutex);
    while *jobs == 0 {
        // Whether the victim died with the lock is all one here.
        if let Err(error) = more.wait(&mut jobs) {
            assert_eq!(error.kind(), ErrorKind::PeerDied);
        }
    }
    *jobs -= 1;
    add(&region, 1);
}

/// The lock, whatever the victim left: one number is whole at any time.
fn held(mutex: &Mutex<u64>) -> ipc_sem::Guard<'_, u64> {
    mutex.recover().expect("free").repaired()
}

#[test]
fn a_killed_waiter_hangs_nobody_and_takes_no_notification_with_it() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..20 {
        let region = region();
        let (mutex, more) = create(&region);
        let crowd: Vec<_> = (0..4)
            .map(|_| spawn("condvar waiter", &region, ""))
            .collect();
        await_ready(&region, 4);
        // As many jobs as there are survivors, each notified once, with a kill in between.
        for job in 0..3 {
            *held(&mutex) += 1;
            if round % 4 == job {
                crowd[3].kill();
            }
            more.notify_one().expect("a seat");
        }
        crowd[3].kill();
        crowd[3].wait_dead();
        // What the victim may have taken before it died is given once more.
        *held(&mutex) += 1;
        more.notify_all().expect("a seat");
        for waiter in crowd.into_iter().take(3) {
            waiter.done();
        }
    }
}

#[test]
fn the_time_of_a_wait_runs_out_and_the_lock_is_held_again() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let (mutex, more) = create(&region);
    let mut guard = mutex.lock().expect("free");
    let start = Instant::now();
    let late = more
        .wait_timeout(&mut guard, SHORT)
        .expect_err("nobody notifies");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    let past = more
        .wait_deadline(&mut guard, start)
        .expect_err("nobody notifies");
    assert_eq!(past.kind(), ErrorKind::TimedOut);
    *guard += 1;
    assert_eq!(
        mutex.try_lock().map(drop).expect_err("held").kind(),
        ErrorKind::Deadlock
    );
}
