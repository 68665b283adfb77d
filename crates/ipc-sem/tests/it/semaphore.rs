//! The semaphore whose permits return: forms, limits, and deaths at any time.

use crate::stage::{await_ready, enter, ready, region, say_ready, spawn};
use ipc_sem::{ErrorKind, MAX_PARTICIPANTS, Region, Semaphore};
use ipc_testkit::{Stage, Storm, allocations, watchdog};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);
fn stage(given: Stage) -> (Region, Semaphore) {
    let (region, _) = enter(given);
    let semaphore = Semaphore::open_trusted(&region, 0).expect("a semaphore");
    (region, semaphore)
}

/// Takes every permit that is there and gives them back; how many they were.
fn count_all(semaphore: &Semaphore) -> usize {
    let mut permits = Vec::new();
    while let Ok(permit) = semaphore.try_acquire() {
        permits.push(permit);
    }
    permits.len()
}

#[test]
fn every_form_takes_a_free_permit_and_waits_for_none() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 4).expect("a semaphore");
    let late = Instant::now() + PATIENCE;
    let held = [
        semaphore.acquire().expect("free"),
        semaphore.try_acquire().expect("free"),
        semaphore.acquire_timeout(Duration::MAX).expect("free"),
        semaphore.acquire_deadline(late).expect("free"),
    ];
    assert_eq!((semaphore.free(), semaphore.permits()), (0, 4));
    let none = semaphore.try_acquire().map(drop).expect_err("none");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    let start = Instant::now();
    let over = semaphore
        .acquire_timeout(SHORT)
        .map(drop)
        .expect_err("none");
    assert_eq!(over.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    drop(held);
    assert_eq!(count_all(&semaphore), 4);
}

#[test]
fn limits_are_kept_and_one_more_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let error = Semaphore::create_trusted(&region, 0, Semaphore::MAX_PERMITS + 1);
    assert_eq!(error.expect_err("too many").kind(), ErrorKind::InvalidInput);
    let semaphore =
        Semaphore::create_trusted(&region, 0, Semaphore::MAX_PERMITS).expect("a semaphore");
    let come = std::sync::Barrier::new(MAX_PARTICIPANTS + 1);
    let go = std::sync::Barrier::new(MAX_PARTICIPANTS + 1);
    std::thread::scope(|scope| {
        for _ in 0..MAX_PARTICIPANTS {
            scope.spawn(|| {
                let _permit = semaphore.acquire().expect("a seat for each");
                come.wait();
                go.wait();
            });
        }
        come.wait();
        let error = semaphore.acquire().map(drop).expect_err("no seat left");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("MAX_PARTICIPANTS"), "{error}");
        go.wait();
    });
    // Who ends leaves its seat.
    drop(semaphore.acquire().expect("seats again"));
    assert_eq!(semaphore.free(), Semaphore::MAX_PERMITS);
}

pub(crate) fn churn(given: Stage) {
    let (region, semaphore) = stage(given);
    say_ready(&region);
    loop {
        let _one = semaphore.acquire().expect("it comes");
        let _two = semaphore.try_acquire();
    }
}

#[test]
fn permits_are_conserved_whoever_is_killed_whenever() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 3).expect("a semaphore");
    for round in 0..50u32 {
        let before = ready(&region);
        let churners: Vec<_> = (0..4)
            .map(|_| spawn("permit churner", &region, ""))
            .collect();
        await_ready(&region, before + 4);
        for (at, churner) in churners.iter().enumerate() {
            // Different distances between the kills, without a clock.
            for _ in 0..(round * 7 + at as u32 * 13) % 50 {
                drop(semaphore.acquire_timeout(PATIENCE).expect("permits return"));
            }
            churner.kill();
        }
        for churner in &churners {
            churner.wait_dead();
        }
        // Zombies, all of them.
        assert_eq!(count_all(&semaphore), 3, "round {round}");
        assert_eq!(semaphore.free(), 3);
    }
}

pub(crate) fn hold(given: Stage) {
    let (region, semaphore) = stage(given);
    let _held: Vec<_> = (0..semaphore.permits())
        .map(|_| semaphore.acquire())
        .collect();
    say_ready(&region);
    loop {
        std::thread::park();
    }
}

pub(crate) fn acquire_once(given: Stage) {
    let (region, semaphore) = stage(given);
    say_ready(&region);
    drop(semaphore.acquire().expect("it comes back"));
}

#[test]
fn a_death_wakes_every_waiter_in_the_end() {
    let _watchdog = watchdog(PATIENCE);
    for (waiters, permits) in [(1, 1), (4, 1), (4, 3), (16, 1)] {
        for _ in 0..3 {
            let region = region();
            let semaphore = Semaphore::create_trusted(&region, 0, permits).expect("one");
            let holder = spawn("permit holder", &region, "");
            await_ready(&region, 1);
            let crowd: Vec<_> = (0..waiters)
                .map(|_| spawn("permit waiter", &region, ""))
                .collect();
            await_ready(&region, 1 + waiters);
            holder.kill();
            for waiter in crowd {
                waiter.done();
            }
            assert_eq!(count_all(&semaphore), permits as usize);
        }
    }
}

#[test]
fn a_waiter_that_is_killed_takes_no_wake_with_it() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..20 {
        let region = region();
        let semaphore = Semaphore::create_trusted(&region, 0, 1).expect("a semaphore");
        let permit = semaphore.acquire().expect("free");
        let crowd: Vec<_> = (0..4)
            .map(|_| spawn("permit waiter", &region, ""))
            .collect();
        await_ready(&region, 4);
        // The release and the kill race: whoever the wake was meant for, another gets it.
        match round % 2 {
            0 => {
                drop(permit);
                crowd[round % 4].kill();
            }
            _ => {
                crowd[round % 4].kill();
                drop(permit);
            }
        }
        for (at, waiter) in crowd.into_iter().enumerate() {
            if at == round % 4 {
                waiter.wait();
            } else {
                waiter.done();
            }
        }
        assert_eq!(count_all(&semaphore), 1);
    }
}

#[test]
fn a_stopped_holder_keeps_its_permits() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 2).expect("a semaphore");
    let holder = spawn("permit holder", &region, "");
    await_ready(&region, 1);
    rustix::process::pidfd_send_signal(holder.pidfd(), Signal::STOP).expect("our child");
    for _ in 0..10 {
        let error = semaphore
            .acquire_timeout(SHORT)
            .map(drop)
            .expect_err("held");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    holder.kill();
    drop(semaphore.acquire().expect("they return"));
    assert_eq!(count_all(&semaphore), 2);
}

#[test]
fn a_forgotten_permit_returns_when_its_thread_ends() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 1).expect("a semaphore");
    std::thread::scope(|scope| {
        scope.spawn(|| std::mem::forget(semaphore.acquire().expect("free")));
        drop(semaphore.acquire().expect("it returns"));
    });
    // The thread may still be ending.
    drop(semaphore.acquire().expect("it returns"));
    assert_eq!(count_all(&semaphore), 1);
}

#[test]
fn a_storm_of_signals_and_waits_loses_no_wake() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 1).expect("a semaphore");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    drop(semaphore.acquire().expect("it comes"));
                }
            });
        }
        let storm = Storm::here();
        for round in 0..5_000 {
            let permit = match round % 3 {
                0 => semaphore.acquire(),
                1 => semaphore.acquire_timeout(Duration::MAX),
                _ => semaphore.acquire_deadline(Instant::now() + PATIENCE),
            };
            drop(permit.expect("it comes"));
        }
        drop(storm);
    });
    assert_eq!(count_all(&semaphore), 1);
}

#[test]
fn a_permit_allocates_nothing() {
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 1).expect("a semaphore");
    drop(semaphore.acquire().expect("takes a seat, once"));
    let count = allocations(|| {
        for _ in 0..100 {
            let _permit = semaphore.acquire().expect("free");
            assert!(semaphore.try_acquire().is_err());
        }
    });
    assert_eq!(count, 0);
}
