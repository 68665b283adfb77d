//! The mutex when its owner dies, at rest or in the middle of a change, with waiters or without.

use ipc_sem::{Damage, ErrorKind, Mutex, Options, Region};
use ipc_testkit::{Child, Role, Stage, watchdog};
use rustix::process::Signal;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);
/// Outside the mutex: how many roles have come to where they are wanted.
const READY: usize = 1024;
/// Outside the mutex: how many recoveries saw damage.
const RECOVERIES: usize = 1028;

type Data = [u64; 4];

fn spawn(role: &str, region: &Region, how: &str) -> Child {
    Role::new(role)
        .descriptor(region.as_fd().expect("a memfd"))
        .argument(how)
        .spawn()
}

fn stage(mut stage: Stage) -> (Region, Mutex<Data>, String) {
    let region = Region::from_fd(stage.descriptor()).expect("a region");
    let mutex = Mutex::open_trusted(&region, 0).expect("a mutex");
    let how = stage.argument(0).to_owned();
    (region, mutex, how)
}

fn say_ready(region: &Region) {
    region
        .atomic_u32(READY)
        .expect("inside")
        .fetch_add(1, SeqCst);
}

fn await_ready(region: &Region, count: u32) {
    while region.atomic_u32(READY).expect("inside").load(SeqCst) < count {
        std::thread::yield_now();
    }
}

pub(crate) fn hold_for_ever(given: Stage) {
    let (region, mutex, how) = stage(given);
    let mut guard = mutex.lock().expect("free");
    if how == "changing" {
        guard[0] += 1;
    }
    say_ready(&region);
    loop {
        std::thread::park();
    }
}

pub(crate) fn lock_or_recover(given: Stage) {
    let (region, mutex, _) = stage(given);
    say_ready(&region);
    match mutex.lock().map(drop) {
        Ok(()) => return,
        Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied),
    }
    let mut recovery = mutex.recover().expect("nobody holds it for ever");
    if recovery.damage().is_some() {
        region
            .atomic_u32(RECOVERIES)
            .expect("inside")
            .fetch_add(1, SeqCst);
        *recovery = [9; 4];
        drop(recovery.repaired());
    }
}

fn every_kind() -> [Options; 2] {
    let mut fair = Options::new();
    fair.fair(true);
    [Options::new(), fair]
}

#[test]
fn of_many_waiters_exactly_one_recovers_and_none_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    for options in every_kind() {
        for (waiters, rounds) in [(1, 60), (4, 30), (16, 10)] {
            for round in 0..rounds {
                let region = ipc_shm::anonymous(4096).expect("a region");
                let mutex = options
                    .create_mutex_trusted(&region, 0, [0u64; 4])
                    .expect("a mutex");
                let owner = spawn("mutex owner", &region, "changing");
                await_ready(&region, 1);
                let crowd: Vec<_> = (0..waiters)
                    .map(|_| spawn("mutex waiter", &region, ""))
                    .collect();
                // Some rounds with waiters that sleep, some with such as are about to.
                await_ready(&region, if round % 2 == 0 { 1 + waiters } else { 1 });
                owner.kill();
                // The owner stays a zombie until all are through.
                for waiter in crowd {
                    waiter.done();
                }
                drop(owner);
                let recoveries = region.atomic_u32(RECOVERIES).expect("inside").load(SeqCst);
                assert_eq!(recoveries, 1, "{waiters} waiters");
                assert_eq!(*mutex.lock().expect("repaired"), [9u64; 4]);
            }
        }
    }
}

#[test]
fn the_commit_word_tells_a_torn_change_from_a_whole_one() {
    let _watchdog = watchdog(PATIENCE);
    for (how, damage) in [("at rest", Damage::Whole), ("changing", Damage::Torn)] {
        let region = ipc_shm::anonymous(4096).expect("a region");
        let mutex = Mutex::<Data>::create_trusted(&region, 0, [0; 4]).expect("a mutex");
        let owner = spawn("mutex owner", &region, how);
        await_ready(&region, 1);
        assert_eq!(
            mutex.try_lock().expect_err("held").kind(),
            ErrorKind::WouldBlock
        );
        owner.kill();
        owner.wait_dead();
        for outcome in [mutex.lock(), mutex.try_lock(), mutex.lock_timeout(SHORT)] {
            assert_eq!(
                outcome.map(drop).expect_err("orphaned").kind(),
                ErrorKind::PeerDied
            );
        }
        // Looking after it without repair changes nothing for the next.
        let mut recovery = mutex.recover().expect("free");
        assert_eq!(recovery.damage(), Some(damage));
        recovery[3] = 5;
        drop(recovery);
        assert_eq!(
            mutex.lock().expect_err("orphaned").kind(),
            ErrorKind::PeerDied
        );
        let recovery = mutex.try_recover().expect("free");
        assert_eq!(
            recovery.damage(),
            Some(Damage::Torn),
            "the recoverer changed it, too"
        );
        drop(recovery.repaired());
        assert_eq!(mutex.lock().expect("repaired")[3], 5);
        assert_eq!(mutex.recover().expect("free").damage(), None);
    }
}

pub(crate) fn recover_and_hold(given: Stage) {
    let (region, mutex, how) = stage(given);
    let recovery = mutex.recover().expect("free");
    assert!(recovery.damage().is_some());
    let _repaired = if how == "repaired" {
        Some(recovery.repaired())
    } else {
        std::mem::forget(recovery);
        None
    };
    say_ready(&region);
    loop {
        std::thread::park();
    }
}

#[test]
fn a_recoverer_that_dies_leaves_the_damage_to_the_next() {
    let _watchdog = watchdog(PATIENCE);
    for how in ["not repaired", "repaired"] {
        let region = ipc_shm::anonymous(4096).expect("a region");
        let mutex = Mutex::<Data>::create_trusted(&region, 0, [0; 4]).expect("a mutex");
        let mut ready = 0;
        for role in ["mutex owner", "mutex recoverer", "mutex recoverer"] {
            let process = spawn(role, &region, how);
            ready += 1;
            await_ready(&region, ready);
            process.kill();
            process.wait_dead();
            assert_eq!(
                mutex.lock().expect_err("orphaned").kind(),
                ErrorKind::PeerDied
            );
        }
        drop(mutex.recover().expect("free").repaired());
        drop(mutex.lock().expect("repaired"));
    }
}

#[test]
fn a_stopped_owner_is_not_a_dead_one() {
    let _watchdog = watchdog(PATIENCE);
    let region = ipc_shm::anonymous(4096).expect("a region");
    let mutex = Mutex::<Data>::create_trusted(&region, 0, [0; 4]).expect("a mutex");
    let owner = spawn("mutex owner", &region, "at rest");
    await_ready(&region, 1);
    let signal = |signal| {
        rustix::process::pidfd_send_signal(owner.pidfd(), signal).expect("our child");
    };
    signal(Signal::STOP);
    for _ in 0..20 {
        assert_eq!(
            mutex.lock_timeout(SHORT).expect_err("held").kind(),
            ErrorKind::TimedOut
        );
    }
    signal(Signal::CONT);
    assert_eq!(
        mutex.lock_timeout(SHORT).expect_err("held").kind(),
        ErrorKind::TimedOut
    );
    owner.kill();
    assert_eq!(
        mutex.lock().expect_err("dead now").kind(),
        ErrorKind::PeerDied
    );
}

#[test]
fn a_thread_that_ends_with_the_lock_is_an_owner_that_died() {
    let _watchdog = watchdog(PATIENCE);
    let region = ipc_shm::anonymous(4096).expect("a region");
    let mutex = Mutex::<Data>::create_trusted(&region, 0, [0; 4]).expect("a mutex");
    std::thread::scope(|scope| {
        scope.spawn(|| std::mem::forget(mutex.lock().expect("free")));
    });
    assert_eq!(
        mutex.lock().expect_err("orphaned").kind(),
        ErrorKind::PeerDied
    );
    assert_eq!(mutex.recover().expect("free").damage(), Some(Damage::Whole));
}
