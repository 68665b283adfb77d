//! Locks that wait for each other across processes, and what only looks like it.

use crate::stage::{SECOND, add, await_ready, counted, enter, region, say_ready, spawn};
use ipc_sem::cycles::Board;
use ipc_sem::{ErrorKind, Mutex, Region};
use ipc_testkit::{Stage, watchdog};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);
/// Where the parties write their process numbers.
const PIDS: usize = 32 << 10;

fn watch(region: &Region) {
    let board = Board::open_trusted(region, SECOND).expect("a board");
    board.watch().expect("the first of this process");
}

fn mutex(region: &Region, number: u32) -> Mutex<u64> {
    Mutex::open_trusted(region, place(number)).expect("a mutex")
}

fn place(number: u32) -> usize {
    number as usize * Mutex::<u64>::SIZE_BYTES
}

fn stage(locks: u32) -> Region {
    let region = region();
    Board::create_trusted(&region, SECOND).expect("room");
    for number in 0..locks {
        Mutex::<u64>::create_trusted(&region, place(number), 0).expect("room");
    }
    region
}

fn pid_at(region: &Region, number: u32) -> &std::sync::atomic::AtomicU32 {
    let at = PIDS + 4 * number as usize;
    region.atomic_u32(at).expect("inside")
}

/// Holds one lock, and wants the next one's, when all hold theirs.
pub(crate) fn party(stage: Stage) {
    let (region, how) = enter(stage);
    let (number, all) = how.split_once(" of ").expect("two numbers");
    let (number, all): (u32, u32) = (number.parse().expect("one"), all.parse().expect("one"));
    watch(&region);
    let (mine, next) = (mutex(&region, number), mutex(&region, (number + 1) % all));
    pid_at(&region, number).store(std::process::id(), SeqCst);
    let mut held = mine.lock().expect("free");
    *held += 1;
    say_ready(&region);
    await_ready(&region, all);
    match next.lock() {
        Ok(mut guard) => *guard += 1,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Deadlock);
            let text = error.to_string();
            for party in 0..all {
                let pid = pid_at(&region, party).load(SeqCst);
                assert!(
                    text.contains(&format!("by process {pid} (thread ")),
                    "{text}"
                );
                assert!(
                    text.contains(&format!("the lock at {} of", place(party))),
                    "{text}"
                );
            }
            assert_eq!(text.matches("held for ").count(), all as usize, "{text}");
            add(&region, 1);
        }
    }
}

#[test]
fn of_processes_that_wait_for_each_other_one_is_told() {
    let _watchdog = watchdog(PATIENCE);
    for all in [2, 3, 5] {
        for _ in 0..10 {
            let region = stage(all);
            let party = |number| spawn("cycle party", &region, &format!("{number} of {all}"));
            let parties: Vec<_> = (0..all).map(party).collect();
            for party in parties {
                party.done();
            }
            assert_eq!(counted(&region), 1, "{all} processes");
            let locks = (0..all).map(|number| mutex(&region, number));
            let sum: u64 = locks.map(|lock| *lock.lock().expect("free")).sum();
            assert_eq!(sum, 2 * u64::from(all) - 1, "all others have had both");
        }
    }
}

pub(crate) fn hold_and_wait(stage: Stage) {
    let (region, how) = enter(stage);
    watch(&region);
    let (first, second) = (mutex(&region, 0), mutex(&region, 1));
    match how.as_str() {
        "hold" => {
            let _held = first.lock().expect("free");
            say_ready(&region);
            await_ready(&region, 4);
        }
        _ => {
            let _held = second.lock().expect("free");
            say_ready(&region);
            drop(first.lock().expect("held for a time only"));
        }
    }
}

/// Plays a scenario in a process of its own, since a process watches for as long as it lives.
pub(crate) fn alone(stage: Stage) {
    let (region, how) = enter(stage);
    watch(&region);
    match how.as_str() {
        "dead waiters" => behind_dead_waiters(&region),
        "a line" => behind_a_line(&region),
        _ => beyond_the_board(&region),
    }
}

#[test]
fn a_dead_waiter_closes_no_cycle() {
    let _watchdog = watchdog(PATIENCE);
    spawn("cycle watcher", &stage(2), "dead waiters").done();
}

fn behind_dead_waiters(region: &Region) {
    let (first, second) = (mutex(region, 0), mutex(region, 1));
    for round in 0..10 {
        let held = first.lock().expect("free");
        let waiter = spawn("cycle waiter", region, "wait");
        await_ready(region, round + 1);
        waiter.kill();
        waiter.wait_dead();
        let error = second.lock().expect_err("its owner died");
        assert_eq!(error.kind(), ErrorKind::PeerDied, "{error}");
        drop(second.recover().expect("free").repaired());
        drop(held);
    }
}

#[test]
fn waits_in_a_line_and_waits_with_an_end_close_no_cycle() {
    let _watchdog = watchdog(PATIENCE);
    spawn("cycle watcher", &stage(2), "a line").done();
}

fn behind_a_line(region: &Region) {
    let again = Board::open_trusted(region, SECOND).expect("a board");
    let error = again.watch().expect_err("it watches one");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let (first, second) = (mutex(region, 0), mutex(region, 1));
    let holder = spawn("cycle waiter", region, "hold");
    await_ready(region, 1);
    let waiter = spawn("cycle waiter", region, "wait");
    await_ready(region, 2);
    let error = first.lock_timeout(SHORT).expect_err("held");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let error = first.try_lock().expect_err("held");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    say_ready(region);
    say_ready(region);
    drop(second.lock().expect("behind a line that moves"));
    holder.done();
    waiter.done();
    let held = first.lock().expect("free");
    let error = first.lock().expect_err("held here");
    assert_eq!(error.kind(), ErrorKind::Deadlock);
    drop(held);
}

#[test]
fn locks_beyond_those_a_board_sees_work_all_the_same() {
    let _watchdog = watchdog(PATIENCE);
    spawn("cycle watcher", &stage(0), "beyond the board").done();
}

fn beyond_the_board(region: &Region) {
    let many = ipc_sem::cycles::MAX_ENTRIES as u32 + 20;
    let make = |number| Mutex::<u64>::create_trusted(region, place(number), 0).expect("room");
    let locks: Vec<_> = (0..many).map(make).collect();
    let guards: Vec<_> = locks
        .iter()
        .map(|lock| lock.lock().expect("free"))
        .collect();
    drop(guards);
    for lock in &locks {
        drop(lock.lock().expect("free"));
    }
}
