//! R7 and R8: who is not dead, and who has only the number of a dead one.

use crate::judge::judge;
use crate::scene::{self, Kind, SHORT, mutex, semaphore};
use ipc_sem::{ErrorKind, Region, Semaphore};
use ipc_testkit::crash::{Forked, Lab, Tally, stop_and_continue, with_reused_pid};
use ipc_testkit::shared_words;
use nix::sys::signal::Signal;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::SeqCst;

/// R7: a stopped owner has what it had, however long; its late change is its own.
pub(crate) fn a_stopped_owner_keeps_its_lock(lab: &mut Lab) {
    let mut locks = Tally::new(
        "R7",
        "a stopped owner keeps its mutex, and unlocks it later",
    );
    let mut permits = Tally::new("R7", "a stopped holder keeps its permits");
    for round in 0..lab.count(10, 200, 2_000) {
        let region = scene::set(Kind::Mutex);
        let second = scene::set(Kind::Semaphore);
        scene::mark(&region, 0);
        let owner = Forked::new(|| {
            let semaphore = semaphore(&second);
            let _all: Vec<_> = (0..scene::PERMITS).map(|_| semaphore.acquire()).collect();
            let mutex = mutex(&region);
            let mut guard = mutex.lock().expect("free");
            scene::mark(&region, 1);
            while scene::marked(&region) == 1 {
                std::thread::yield_now();
            }
            guard[0] += 1;
            guard[1] += 1;
        });
        assert!(scene::within_limit(|| scene::marked(&region) == 1));
        let (mutex, semaphore) = (mutex(&region), semaphore(&second));
        let lease = SHORT * (1 + (round % 10) as u32);
        let (lock, permit) = stop_and_continue(&owner, || {
            let lock = mutex.lock_timeout(lease).map(drop).map_err(|e| e.kind());
            let permit = semaphore
                .acquire_timeout(lease)
                .map(drop)
                .map_err(|e| e.kind());
            (lock, permit)
        });
        scene::mark(&region, 2);
        let ended = owner.finished();
        let data = mutex.lock().map(|guard| *guard).map_err(|e| e.kind());
        locks.trial(match (lock, ended, data) {
            (Err(ErrorKind::TimedOut), true, Ok([1, 1])) => judge(Kind::Mutex, &region, 0),
            found => Err(format!("{found:?}")),
        });
        permits.trial(match permit {
            Err(ErrorKind::TimedOut) => judge(Kind::Semaphore, &second, 0),
            found => Err(format!("{found:?}")),
        });
    }
    lab.enter(locks);
    lab.enter(permits);
}

/// R8: another process with the number of a dead owner is not the owner.
pub(crate) fn a_used_number_is_another_owner(lab: &mut Lab) {
    let mut tally = Tally::new("R8", "who has a dead owner's number has not its locks");
    for _ in 0..lab.count(10, 1_000, 10_000) {
        let words = shared_words_once();
        words.store(0, SeqCst);
        let regions = [Kind::Mutex, Kind::Semaphore, Kind::RwLock].map(|_| scene::fresh());
        let [locks, permits, both] = &regions;
        let first = || {
            // Made by the first, so that the objects belong to its PID namespace.
            Kind::Mutex.create(locks).expect("fresh memory");
            Kind::Semaphore.create(permits).expect("fresh memory");
            Kind::RwLock.create(both).expect("fresh memory");
            let (mutex, semaphore, lock) = open(&regions);
            mutex.lock().expect("free")[0] += 1;
            let mut guard = ManuallyDrop::new(mutex.lock().expect("free"));
            guard[1] += 1;
            (0..scene::PERMITS).for_each(|_| std::mem::forget(semaphore.acquire()));
            std::mem::forget(lock.write());
            let _ = nix::sys::signal::raise(Signal::SIGKILL);
        };
        let second = || {
            let (mutex, semaphore, lock) = open(&regions);
            let died = mutex.lock().map(drop).map_err(|error| error.kind());
            assert_eq!(died, Err(ErrorKind::PeerDied), "not Deadlock, and not held");
            let recovery = mutex.recover().expect("free");
            assert!(recovery.damage().is_some());
            drop(recovery.repaired());
            let all: Vec<_> = (0..scene::PERMITS)
                .map(|_| semaphore.try_acquire())
                .collect();
            assert!(all.iter().all(Result::is_ok), "its permits have returned");
            let died = lock.write().map(drop).map_err(|error| error.kind());
            assert_eq!(died, Err(ErrorKind::PeerDied));
            words.store(1, SeqCst);
        };
        match with_reused_pid(first, second) {
            Ok(true) if words.load(SeqCst) == 1 => tally.trial(Ok(())),
            Ok(_) => tally.trial(Err("the second one failed".into())),
            Err(reason) => {
                tally.skip(reason);
                break;
            }
        }
    }
    lab.enter(tally);
}

fn shared_words_once() -> &'static std::sync::atomic::AtomicU64 {
    static WORD: std::sync::OnceLock<&'static std::sync::atomic::AtomicU64> =
        std::sync::OnceLock::new();
    WORD.get_or_init(|| &shared_words(1)[0])
}

type Three = (
    ManuallyDrop<ipc_sem::Mutex<scene::Pair>>,
    ManuallyDrop<Semaphore>,
    ManuallyDrop<ipc_sem::RwLock<scene::Pair>>,
);

fn open([locks, permits, both]: &[Region; 3]) -> Three {
    (
        ManuallyDrop::new(mutex(locks)),
        ManuallyDrop::new(semaphore(permits)),
        ManuallyDrop::new(scene::rw_lock(both)),
    )
}
