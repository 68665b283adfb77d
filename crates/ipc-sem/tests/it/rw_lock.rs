//! The lock of many readers or one writer: who keeps whom out, and what each one's death leaves.

use crate::stage::{add, await_ready, counted, enter, for_ever, region, say_ready, spawn};
use ipc_sem::{Damage, ErrorKind, RwLock};
use ipc_testkit::{Stage, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);
type Data = [u64; 3];

#[test]
fn readers_share_and_writers_do_not() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let lock = RwLock::<Data>::create_trusted(&region, 0, [0; 3]).expect("a lock");
    lock.write().expect("free")[0] = 1;
    lock.try_write().expect("free")[1] = 1;
    lock.write_timeout(SHORT).expect("free")[2] = 1;
    assert_eq!(*lock.recover().expect("free"), [1; 3]);
    let reading = lock.read().expect("free");
    let again = lock.try_read().expect("shared");
    assert_eq!(
        lock.write().map(drop).expect_err("reads").kind(),
        ErrorKind::Deadlock
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(lock.read_timeout(SHORT).expect("shared"));
            let busy = lock.try_write().map(drop).expect_err("read");
            assert_eq!(busy.kind(), ErrorKind::WouldBlock);
            let start = Instant::now();
            let late = lock.write_timeout(SHORT).map(drop).expect_err("read");
            assert_eq!(late.kind(), ErrorKind::TimedOut);
            assert!(start.elapsed() >= SHORT);
        });
    });
    drop((reading, again));
    let writing = lock.write().expect("free");
    assert_eq!(
        lock.read().map(drop).expect_err("writes").kind(),
        ErrorKind::Deadlock
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let busy = lock.try_read().map(drop).expect_err("written");
            assert_eq!(busy.kind(), ErrorKind::WouldBlock);
            let late = lock.read_timeout(SHORT).map(drop).expect_err("written");
            assert_eq!(late.kind(), ErrorKind::TimedOut);
        });
    });
    drop(writing);
    drop(lock.read_deadline(Instant::now() + PATIENCE).expect("free"));
}

pub(crate) fn mix(given: Stage) {
    let (region, _) = enter(given);
    let lock = RwLock::<Data>::open_trusted(&region, 0).expect("a lock");
    for round in 0..3_000 {
        if round % 5 == 0 {
            let mut data = lock.write().expect("nobody dies");
            for number in data.iter_mut() {
                *number += 1;
            }
        } else {
            let data = lock.read().expect("nobody dies");
            assert!(data[0] == data[1] && data[1] == data[2], "{:?}", *data);
        }
    }
}

#[test]
fn no_reader_of_four_processes_sees_half_a_change() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let lock = RwLock::<Data>::create_trusted(&region, 0, [0; 3]).expect("a lock");
    let crowd: Vec<_> = (0..4).map(|_| spawn("rw mixer", &region, "")).collect();
    for mixer in crowd {
        mixer.done();
    }
    assert_eq!(*lock.read().expect("free"), [4 * 600; 3]);
}

pub(crate) fn hold(given: Stage) {
    let (region, how) = enter(given);
    let lock = RwLock::<Data>::open_trusted(&region, 0).expect("a lock");
    if how == "read" {
        let _reading = lock.read().expect("free");
        say_ready(&region);
        for_ever();
    }
    let mut writing = lock.write().expect("free");
    writing[0] = 7;
    say_ready(&region);
    for_ever()
}

pub(crate) fn want(given: Stage) {
    let (region, how) = enter(given);
    let lock = RwLock::<Data>::open_trusted(&region, 0).expect("a lock");
    say_ready(&region);
    let outcome = if how == "read" {
        lock.read().map(drop)
    } else {
        lock.write().map(drop)
    };
    match outcome {
        Ok(()) => add(&region, 1),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            if lock.recover().expect("free").damage() == Some(Damage::Torn) {
                add(&region, 1000);
            }
        }
    }
}

#[test]
fn a_dead_reader_keeps_no_writer_out() {
    let _watchdog = watchdog(PATIENCE);
    for wanted in [1, 4, 16, 1, 4, 1, 4, 1, 4, 1, 4] {
        let region = region();
        let lock = RwLock::<Data>::create_trusted(&region, 0, [0; 3]).expect("a lock");
        let reader = spawn("rw holder", &region, "read");
        await_ready(&region, 1);
        assert_eq!(
            lock.try_write().map(drop).expect_err("read").kind(),
            ErrorKind::WouldBlock
        );
        let crowd: Vec<_> = (0..wanted)
            .map(|at| {
                spawn(
                    "rw seeker",
                    &region,
                    if at % 3 == 1 { "read" } else { "write" },
                )
            })
            .collect();
        await_ready(&region, 1 + wanted);
        reader.kill();
        for seeker in crowd {
            seeker.done();
        }
        assert_eq!(counted(&region), wanted);
        drop(lock.try_write().expect("free"));
    }
}

#[test]
fn a_dead_writer_is_told_to_all_until_one_recovers() {
    let _watchdog = watchdog(PATIENCE);
    for wanted in [1, 4, 16, 1, 4, 1, 4, 1, 4, 1, 4] {
        let region = region();
        let lock = RwLock::<Data>::create_trusted(&region, 0, [0; 3]).expect("a lock");
        let writer = spawn("rw holder", &region, "write");
        await_ready(&region, 1);
        let crowd: Vec<_> = (0..wanted)
            .map(|at| {
                spawn(
                    "rw seeker",
                    &region,
                    if at % 3 == 1 { "write" } else { "read" },
                )
            })
            .collect();
        await_ready(&region, 1 + wanted);
        writer.kill();
        for seeker in crowd {
            seeker.done();
        }
        // None of them repaired it: each was told, and saw it torn.
        assert_eq!(counted(&region), wanted * 1000);
        assert_eq!(
            lock.try_read().map(drop).expect_err("torn").kind(),
            ErrorKind::PeerDied
        );
        drop(lock.recover().expect("free").repaired());
        assert_eq!(lock.read().expect("repaired")[0], 7);
    }
}
