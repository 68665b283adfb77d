//! R2 and R11: one of three that use an object is killed at a random time; the others go on.

use crate::judge::judge;
use crate::scene::{
    self, Kind, LIMIT, barrier, beside, condvar, event, image, mutex, once, restore, rw_lock,
    semaphore, within_limit,
};
use ipc_sem::{ErrorKind, Guard, Mutex, Recovery, Region, Result};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::shared_words;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const OVER: usize = 0;
const VICTIM: usize = 1;
const TURNS: [usize; 2] = [2, 3];
/// Said by a survivor that was told of the death.
const TOLD: u64 = u64::MAX;

/// One turn with the object, whose end another's death may be.
type Turn = fn(&Region) -> Box<dyn FnMut(u64) -> Result<()> + '_>;

const USES: [(Kind, &str, Turn); 8] = [
    (Kind::Mutex, "lock and change a mutex", lock),
    (Kind::FairMutex, "lock and change a fair mutex", lock),
    (Kind::Semaphore, "acquire and release", acquire),
    (Kind::RwLock, "read and write", read_and_write),
    (Kind::Condvar, "pass a token by a condition", pass_a_token),
    (Kind::Barrier, "meet", meet),
    (Kind::Event, "notify and await", notify_and_wait),
    (Kind::Once, "do work once", do_once),
];

fn lock(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let mutex = mutex(region);
    Box::new(move |_| change(&mutex))
}

/// A whole change; who finds what a dead one left repairs it.
fn change(mutex: &Mutex<scene::Pair>) -> Result<()> {
    let mut guard = match mutex.lock() {
        Ok(guard) => guard,
        Err(error) if error.kind() == ErrorKind::PeerDied => repair(mutex.recover()?),
        Err(error) => return Err(error),
    };
    guard[0] += 1;
    guard[1] += 1;
    assert_eq!(guard[0], guard[1], "a whole change");
    Ok(())
}

/// What the dead one changed by half is as it was before, or as it would have been.
fn repair(mut recovery: Recovery<'_, scene::Pair>) -> Guard<'_, scene::Pair> {
    if recovery.damage().is_some() {
        *recovery = [recovery[0]; 2];
    }
    recovery.repaired()
}

fn acquire(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let semaphore = semaphore(region);
    Box::new(move |_| {
        // Two of the three permits each: they wait for each other.
        let first = semaphore.acquire()?;
        let second = semaphore.acquire_timeout(Duration::from_micros(50));
        drop((first, second));
        Ok(())
    })
}

fn read_and_write(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let lock = rw_lock(region);
    Box::new(move |turn| {
        let done = if turn.is_multiple_of(3) {
            lock.write().map(|mut guard| {
                guard[0] += 1;
                guard[1] += 1;
            })
        } else {
            lock.read().map(|guard| assert_eq!(guard[0], guard[1]))
        };
        match done {
            Err(error) if error.kind() == ErrorKind::PeerDied => {
                let mut recovery = lock.recover()?;
                if recovery.damage().is_some() {
                    *recovery = [recovery[0]; 2];
                }
                drop(recovery.repaired());
                Ok(())
            }
            done => done,
        }
    })
}

/// The token is the first number: taken by one, and put back. The laboratory replaces the one
/// that dies with the victim.
fn pass_a_token(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let (condvar, mutex) = (condvar(region), beside(region));
    Box::new(move |_| {
        let locked = || match mutex.lock() {
            Err(error) if error.kind() == ErrorKind::PeerDied => mutex.recover().map(repair),
            locked => locked,
        };
        let mut guard = locked()?;
        while guard[0] == 0 {
            match condvar.wait(&mut guard) {
                Err(error) if error.kind() == ErrorKind::PeerDied => {
                    drop(guard);
                    guard = locked()?;
                }
                waited => waited?,
            }
        }
        guard[0] -= 1;
        guard[1] -= 1;
        drop(guard);
        give(&mut *locked()?);
        condvar.notify_one()
    })
}

fn give(pair: &mut scene::Pair) {
    pair[0] += 1;
    pair[1] += 1;
}

fn meet(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let barrier = barrier(region);
    Box::new(move |_| barrier.wait().map(drop))
}

fn notify_and_wait(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let event = event(region);
    Box::new(move |_| {
        event.notify()?;
        event.reset();
        match event.wait_timeout(Duration::from_micros(200)) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(()),
            waited => waited,
        }
    })
}

/// Every one of three onces, whose work takes a while.
fn do_once(region: &Region) -> Box<dyn FnMut(u64) -> Result<()> + '_> {
    let once = once(region);
    Box::new(move |_| {
        once.call(|_| {
            scene::mark(region, 1);
            (0..20_000).for_each(|_| std::hint::spin_loop());
            scene::mark(region, 7);
        })
        .map(drop)
    })
}

/// Turns until all is over or the death is told.
fn survive(words: &[AtomicU64], at: usize, mut turn: impl FnMut(u64) -> Result<()>) {
    for number in 0.. {
        if words[OVER].load(SeqCst) != 0 {
            return;
        }
        match turn(number) {
            Ok(()) => {
                words[at].fetch_add(1, SeqCst);
            }
            Err(error) if error.kind() == ErrorKind::PeerDied => {
                words[at].store(TOLD, SeqCst);
                return;
            }
            Err(error) => panic!("a survivor: {error}"),
        }
    }
}

pub(crate) fn of_random_kills(lab: &mut Lab) {
    let words = shared_words(4);
    for (kind, what, turn) in USES {
        let mut tally = Tally::new("R11", format!("{what}: one of three is killed"));
        let region = scene::set(kind);
        if kind == Kind::Barrier {
            // Three meet here.
            restore(&region, &image(&scene::fresh()));
            ipc_sem::Barrier::create_trusted(&region, 0, 3).expect("fresh memory");
        }
        if kind == Kind::Condvar {
            *beside(&region).lock().expect("free") = [2; 2];
        }
        let before = image(&region);
        for _ in 0..lab.count(20, 1_250, 12_500) {
            restore(&region, &before);
            words.iter().for_each(|word| word.store(0, SeqCst));
            let survivors = TURNS.map(|at| Forked::new(|| survive(words, at, turn(&region))));
            let victim = Forked::new(|| {
                let mut turn = turn(&region);
                for number in 0.. {
                    words[VICTIM].fetch_add(1, SeqCst);
                    let _ = turn(number);
                }
            });
            // It takes part by then; but work that is done once has only a first turn.
            let begun = if kind == Kind::Once { 1 } else { 2 };
            within_limit(|| words[VICTIM].load(SeqCst) >= begun);
            (0..lab.below(30_000)).for_each(|_| std::hint::spin_loop());
            victim.kill_unreaped();
            tally.trial(go_on(kind, &region, words, survivors));
        }
        lab.enter(tally);
    }
}

/// Whether both survivors take turns after the death, or are told of it, and end.
fn go_on(
    kind: Kind,
    region: &Region,
    words: &[AtomicU64],
    survivors: [Forked; 2],
) -> std::result::Result<(), String> {
    if kind == Kind::Condvar {
        replace_the_token(region)?;
    }
    let turns = || TURNS.map(|at| words[at].load(SeqCst));
    let then = turns();
    let on = || {
        let now = turns();
        (0..2).all(|one| now[one] == TOLD || now[one] > then[one].saturating_add(1))
    };
    let went_on = within_limit(on);
    words[OVER].store(1, SeqCst);
    if !went_on {
        return Err(format!(
            "after the death {then:?}, at the end {:?}",
            turns()
        ));
    }
    if kind == Kind::Barrier {
        // One that was not told of a death may wait for one that has seen that all is over.
        return survivors_of_a_meeting(region, survivors);
    }
    for (number, survivor) in survivors.into_iter().enumerate() {
        let ended = within_limit(|| scene::is_dead(&survivor));
        if !ended || !survivor.finished() {
            return Err(format!("survivor {number} hangs or failed"));
        }
    }
    judge(kind, region, 0)
}

fn survivors_of_a_meeting(
    region: &Region,
    survivors: [Forked; 2],
) -> std::result::Result<(), String> {
    survivors.into_iter().for_each(Forked::kill);
    match barrier(region).try_wait() {
        Err(error) if error.kind() == ErrorKind::PeerDied => Ok(()),
        other => Err(format!("a meeting of the dead: {other:?}")),
    }
}

/// What the program does whose worker died with a token: there are two again.
fn replace_the_token(region: &Region) -> std::result::Result<(), String> {
    let (condvar, mutex) = (condvar(region), beside(region));
    let said = |error| format!("replace the token: {error}");
    let mut guard = mutex.recover_timeout(LIMIT).map_err(said)?.repaired();
    // The dead one may have been in the middle of taking or giving one.
    *guard = [guard[0].max(1); 2];
    drop(guard);
    condvar.notify_all().map_err(said)
}
