//! Mutex and lock for readers and writers: one writes at a time, nobody sleeps on after a death.

use crate::doomed::dies_after;
use crate::schedules::{below, check, region};
use crate::turns::Turns;
use crate::{ErrorKind, Mutex, RwLock};
use shuttle::sync::Arc;

/// Takes the mutex whatever a dead owner left; whether one had left it.
fn take(mutex: &Mutex<()>, turns: &Turns) {
    match mutex.lock() {
        Ok(_guard) => turns.write(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            let recovery = mutex.recover().expect("nobody has it for ever");
            turns.write();
            drop(recovery.repaired());
        }
    }
}

/// One that is killed at any step between two that are not: neither sleeps on.
fn a_death_beside_two_that_lock() {
    let mutex = Arc::new(Mutex::create_trusted(region(), 0, ()).expect("fresh"));
    let turns = Arc::new(Turns::default());
    let steps = below(45);
    let start = |dies: bool| {
        let (mutex, turns) = (Arc::clone(&mutex), Arc::clone(&turns));
        shuttle::thread::spawn(move || {
            let part = || (0..2).for_each(|_| take(&mutex, &turns));
            if dies {
                dies_after(steps, part);
            } else {
                part();
            }
        })
    };
    let threads = [start(true), start(false), start(false)];
    for thread in threads {
        thread.join().expect("no thread fails");
    }
    take(&mutex, &turns);
}

#[test]
fn a_mutex_is_one_threads_and_wakes_whoever_waits() {
    check("mutex", a_death_beside_two_that_lock);
}

fn use_both(lock: &RwLock<()>, turns: &Turns, reads: bool) {
    let found = if reads {
        lock.read().map(|_guard| turns.read())
    } else {
        lock.write().map(|mut guard| {
            *guard = ();
            turns.write();
        })
    };
    if let Err(error) = found {
        assert_eq!(error.kind(), ErrorKind::PeerDied);
        let recovery = lock.recover().expect("nobody has it for ever");
        turns.write();
        drop(recovery.repaired());
    }
}

fn a_death_beside_a_reader_and_a_writer() {
    let lock = Arc::new(RwLock::create_trusted(region(), 0, ()).expect("fresh"));
    let turns = Arc::new(Turns::default());
    let (steps, dying_reads) = (below(110), below(2) == 0);
    let start = |reads: bool, dies: bool| {
        let (lock, turns) = (Arc::clone(&lock), Arc::clone(&turns));
        shuttle::thread::spawn(move || {
            let part = || use_both(&lock, &turns, reads);
            if dies {
                dies_after(steps, || (0..2).for_each(|_| part()));
            } else {
                part();
            }
        })
    };
    let threads = [
        start(dying_reads, true),
        start(true, false),
        start(false, false),
    ];
    for thread in threads {
        thread.join().expect("no thread fails");
    }
    use_both(&lock, &turns, false);
}

#[test]
fn a_lock_for_readers_and_writers_lets_nobody_beside_a_writer_and_wakes_whoever_waits() {
    check(
        "lock for readers and writers",
        a_death_beside_a_reader_and_a_writer,
    );
}
