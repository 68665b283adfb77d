//! R7, R8, C5 and C7: who is not dead, and whose waits are disturbed.

use crate::judge::judge;
use crate::scene::{self, Kind, SHORT, beside, condvar, event, mutex, semaphore};
use ipc_sem::{ErrorKind, Event, Options, Region, Semaphore};
use ipc_testkit::crash::{Forked, Lab, Tally, stop_and_continue, with_reused_pid};
use ipc_testkit::shared_words;
use nix::sys::signal::Signal;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

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

/// Plays turns between two processes until `rounds`; each is woken by the other every time.
fn ping_pong(tally: &mut Tally, rounds: u64, turn: impl Fn(bool)) {
    const STALL: Duration = Duration::from_secs(1);
    let count = shared_words_once();
    count.store(0, SeqCst);
    let play = |first: bool| {
        for _ in 0..rounds {
            turn(first);
            if first {
                count.fetch_add(1, SeqCst);
            }
        }
    };
    let [one, other] = [true, false].map(|first| Forked::new(|| play(first)));
    let (mut seen, mut since) = (0, Instant::now());
    let mut failure = None;
    while seen < rounds {
        std::thread::sleep(Duration::from_millis(2));
        let now = count.load(SeqCst);
        if now != seen {
            tally.time(since.elapsed());
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > STALL {
            failure = Some(format!("round {seen} of {rounds} hangs"));
            break;
        }
    }
    match failure {
        Some(failure) => tally.trial(Err(failure)),
        None if one.finished() && other.finished() => (0..rounds).for_each(|_| tally.trial(Ok(()))),
        None => tally.trial(Err("a player failed".into())),
    }
}

/// C5: no wake-up is lost.
pub(crate) fn no_wake_up_is_lost(lab: &mut Lab) {
    let rounds = lab.count(5_000, 1_000_000, 10_000_000);
    let mut tally = Tally::new("C5", "ping-pong by two events, each woken by the other");
    let [ping, pong] = [0, 1].map(|_| {
        let region = scene::fresh();
        let mut options = Options::new();
        drop(options.taken_by_one(true).create_event_trusted(&region, 0));
        region
    });
    let events: [Event; 2] = [event(&ping), event(&pong)];
    ping_pong(&mut tally, rounds, |first| {
        let (mine, yours) = if first { (0, 1) } else { (1, 0) };
        if first {
            events[yours].notify().expect("a seat");
            events[mine].wait().expect("nobody dies");
        } else {
            events[mine].wait().expect("nobody dies");
            events[yours].notify().expect("a seat");
        }
    });
    lab.enter(tally);
    let mut tally = Tally::new("C5", "ping-pong by a condition");
    let region = scene::set(Kind::Condvar);
    let (changed, turn) = (condvar(&region), beside(&region));
    ping_pong(&mut tally, rounds, |first| {
        let mine = u64::from(first);
        let mut guard = turn.lock().expect("nobody dies");
        while guard[0] % 2 != mine {
            changed.wait(&mut guard).expect("nobody dies");
        }
        guard[0] += 1;
        drop(guard);
        changed.notify_one().expect("a seat");
    });
    lab.enter(tally);
    let mut tally = Tally::new("C5", "a permit that two take by turns");
    let (region, gate) = (scene::fresh(), scene::fresh());
    drop(Semaphore::create_trusted(&region, 0, 1));
    drop(Semaphore::create_trusted(&gate, 0, 1));
    let permits = [semaphore(&region), semaphore(&gate)];
    ping_pong(&mut tally, rounds, |first| {
        let (one, other) = if first { (0, 1) } else { (1, 0) };
        drop(permits[one].acquire().expect("nobody dies"));
        drop(permits[other].acquire().expect("nobody dies"));
    });
    lab.enter(tally);
}

/// C7: a run that signals interrupt ten thousand times a second has the result of a calm one.
pub(crate) fn a_storm_of_signals_changes_nothing(lab: &mut Lab) {
    let mut tally = Tally::new(
        "C7",
        "waits of a player that 10,000 signals a second interrupt",
    );
    for _ in 0..lab.count(2, 60, 600) {
        let outcomes = [false, true].map(|stormy| {
            let region = scene::set(Kind::Condvar);
            let word = shared_words_once();
            word.store(0, SeqCst);
            let other = Forked::new(|| {
                let (changed, turn) = (condvar(&region), beside(&region));
                (0..300).for_each(|_| take_turn(&changed, &turn, 1));
                // Its leaving is no death.
            });
            let copy = Forked::new(|| {
                let storm = stormy.then(ipc_testkit::Storm::here);
                let start = Instant::now();
                let (changed, turn) = (condvar(&region), beside(&region));
                for _ in 0..300 {
                    take_turn(&changed, &turn, 0);
                }
                // Not woken at all: the whole time, and not less of it.
                let mut guard = turn.lock().expect("nobody dies");
                while guard[0] % 2 != 0 {
                    changed.wait(&mut guard).expect("nobody dies");
                }
                loop {
                    let nobody = Instant::now();
                    let waited = changed.wait_timeout(&mut guard, Duration::from_millis(20));
                    match waited.map_err(|error| error.kind()) {
                        // The other's last notification came late.
                        Ok(()) => {}
                        Err(ErrorKind::TimedOut) => {
                            assert!(nobody.elapsed() >= Duration::from_millis(20));
                            break;
                        }
                        Err(other) => panic!("nobody died: {other:?}"),
                    }
                }
                word.store(guard[0], SeqCst);
                if let Some(storm) = storm {
                    assert!(storm.sent() > 0 || start.elapsed() < Duration::from_millis(1));
                }
            });
            let ended = scene::within_limit(|| word.load(SeqCst) != 0) && copy.finished();
            let ended = ended && other.finished();
            (ended, word.load(SeqCst))
        });
        tally.trial(match outcomes {
            [(true, calm), (true, stormy)] if calm == stormy => Ok(()),
            found => Err(format!("{found:?}")),
        });
    }
    lab.enter(tally);
}

fn take_turn(changed: &ipc_sem::Condvar, turn: &ipc_sem::Mutex<scene::Pair>, mine: u64) {
    let mut guard = turn.lock().expect("nobody dies");
    while guard[0] % 2 != mine {
        changed.wait(&mut guard).expect("nobody dies");
    }
    guard[0] += 1;
    drop(guard);
    changed.notify_one().expect("a seat");
}
