//! R6 and R9: how soon the next one has what a dead one had, and that it is one.

use crate::judge::judge;
use crate::scene::{self, Kind, PERMITS, asleep, event, image, mutex, restore, semaphore, staying};
use ipc_sem::{ErrorKind, Region};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::shared_words;
use rustix::time::{ClockId, clock_gettime};
use std::mem::ManuallyDrop;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// The clock that all processes share, in nanoseconds.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// What the waiters of a trial tell, in words that all share.
struct Told {
    ready: &'static AtomicU64,
    first: &'static AtomicU64,
    died: &'static AtomicU64,
    recovered: &'static AtomicU64,
}

impl Told {
    fn new() -> Self {
        let [ready, first, died, recovered] = [0, 1, 2, 3].map(|at| &shared_words(4)[at]);
        Self {
            ready,
            first,
            died,
            recovered,
        }
    }

    fn clear(&self) {
        for word in [self.ready, self.died, self.recovered] {
            word.store(0, SeqCst);
        }
        self.first.store(u64::MAX, SeqCst);
    }
}

fn lock_or_recover(region: &Region, told: &Told) {
    let mutex = mutex(region);
    told.ready.fetch_add(1, SeqCst);
    let found = mutex.lock().map(drop);
    told.first.fetch_min(now(), SeqCst);
    match found {
        Ok(()) => return,
        Err(error) => assert_eq!(error.kind(), ErrorKind::PeerDied),
    }
    told.died.fetch_add(1, SeqCst);
    let mut recovery = mutex.recover().expect("nobody holds it for ever");
    if recovery.damage().is_some() {
        told.recovered.fetch_add(1, SeqCst);
        *recovery = [9; 2];
        drop(recovery.repaired());
    }
}

/// R9: an owner killed before 1, 4 or 16 that wait.
pub(crate) fn of_owners_before_a_crowd(lab: &mut Lab) {
    before_a_crowd(lab, Kind::Mutex);
}

/// The same with a lock that the kernel hands over.
pub(crate) fn of_owners_before_a_queue(lab: &mut Lab) {
    before_a_crowd(lab, Kind::FairMutex);
}

fn before_a_crowd(lab: &mut Lab, kind: Kind) {
    let told = Told::new();
    for (waiters, nightly) in [(1, 6_000), (4, 3_000), (16, 1_000)] {
        let what = format!("{kind:?}: owner killed before {waiters} waiters: 1 recovery");
        let mut tally = Tally::new("R9", what);
        let mut floor = Tally::new(
            "R9",
            format!("the host's floor: kill to zombie, {waiters} waiters"),
        );
        let region = scene::set(kind);
        let before = image(&region);
        for round in 0..lab.count(100 / (waiters + 1), nightly, 10 * nightly) {
            restore(&region, &before);
            told.clear();
            let owner = staying(&region, || {
                let mutex = ManuallyDrop::new(mutex(&region));
                mutex.lock().expect("free")[0] += 1;
                let mut guard = ManuallyDrop::new(mutex.lock().expect("free"));
                guard[1] += 1;
            });
            let crowd: Vec<_> = (0..waiters)
                .map(|_| Forked::new(|| lock_or_recover(&region, &told)))
                .collect();
            // Most rounds with waiters that sleep, some with such as are about to.
            if round % 4 != 3 {
                assert!(crowd.iter().all(asleep), "they wait");
            }
            assert!(scene::within_limit(
                || told.ready.load(SeqCst) > 0 || round % 4 == 3
            ));
            let start = now();
            owner.kill_unreaped();
            floor.trial(Ok(()));
            floor.time(Duration::from_nanos(now() - start));
            let crowd = Crowd(crowd);
            let ended = crowd.ends();
            tally.trial(match (ended, told.recovered.load(SeqCst)) {
                (Ok(()), 1) => judge(kind, &region, 0),
                found => Err(format!("all ended, recoveries: {found:?}")),
            });
            if round % 4 != 3 {
                let first = told.first.load(SeqCst);
                tally.time(Duration::from_nanos(first.saturating_sub(start)));
            }
            // Dropped here, the owner was a zombie all the time.
            drop(owner);
        }
        lab.enter(tally);
        lab.enter(floor);
    }
}

/// Those who wait, of whom none may wait for ever.
struct Crowd(Vec<Forked>);

impl Crowd {
    /// Whether all come to their end in time, by themselves; else who does not, and how.
    fn ends(self) -> Result<(), String> {
        let hanging = |copy: &&Forked| !scene::is_dead(copy);
        if !scene::within_limit(|| !self.0.iter().any(|copy| hanging(&copy))) {
            let where_it_is = |copy: &Forked| {
                let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", copy.id()));
                format!("{:?} in {:?}", read("wchan"), read("syscall"))
            };
            let hanging = self.0.iter().filter(hanging).map(where_it_is);
            return Err(format!("hanging: {:?}", hanging.collect::<Vec<_>>()));
        }
        let statuses: Vec<i32> = self.0.into_iter().map(Forked::status).collect();
        match statuses.iter().all(|status| *status == 0) {
            true => Ok(()),
            false => Err(format!("a waiter failed: {statuses:?}")),
        }
    }
}

/// R6: a holder that is dead and that nobody reaps has nothing any more.
pub(crate) fn of_holders_that_nobody_reaps(lab: &mut Lab) {
    let told = Told::new();
    for waiters in [1, 4, 16] {
        let what = format!("all permits of a zombie return to {waiters} that wait");
        let mut tally = Tally::new("R6", what);
        let region = scene::set(Kind::Semaphore);
        let before = image(&region);
        for round in 0..lab.count(60 / (waiters + 1), 1_000, 10_000) {
            restore(&region, &before);
            told.clear();
            let holder = staying(&region, || {
                let semaphore = ManuallyDrop::new(semaphore(&region));
                (0..PERMITS).for_each(|_| std::mem::forget(semaphore.try_acquire().expect("free")));
            });
            let acquire = || {
                let semaphore = semaphore(&region);
                let permit = semaphore.acquire().expect("a seat");
                told.first.fetch_min(now(), SeqCst);
                drop(permit);
            };
            tally_death(&mut tally, &told, &holder, waiters, round, acquire, || {
                judge(Kind::Semaphore, &region, 0)
            });
        }
        lab.enter(tally);
    }
    let mut tally = Tally::new("R6", "who waits for a notifier learns that it is a zombie");
    let region = scene::set(Kind::Event);
    let before = image(&region);
    for round in 0..lab.count(20, 1_000, 10_000) {
        restore(&region, &before);
        told.clear();
        let notifier = staying(&region, || {
            ManuallyDrop::new(event(&region))
                .announce()
                .expect("a seat");
        });
        let wait = || {
            let died = event(&region).wait().expect_err("it is never set");
            told.first.fetch_min(now(), SeqCst);
            assert_eq!(died.kind(), ErrorKind::PeerDied);
        };
        // Who begins to wait after the death waits for one that comes: all sleep before.
        tally_death(&mut tally, &told, &notifier, 4, round * 4, wait, || {
            judge(Kind::Event, &region, 0)
        });
    }
    lab.enter(tally);
}

/// Kills `holder` before `waiters` that do `part`; all must end.
fn tally_death(
    tally: &mut Tally,
    told: &Told,
    holder: &Forked,
    waiters: u64,
    round: u64,
    part: impl Fn(),
    verdict: impl FnOnce() -> Result<(), String>,
) {
    let crowd: Vec<_> = (0..waiters).map(|_| Forked::new(&part)).collect();
    if round % 4 != 3 {
        assert!(crowd.iter().all(asleep), "they wait");
    }
    let start = now();
    holder.kill_unreaped();
    let ended = Crowd(crowd).ends();
    tally.trial(ended.and_then(|()| verdict()));
    if round % 4 != 3 {
        let first = told.first.load(SeqCst);
        tally.time(Duration::from_nanos(first.saturating_sub(start)));
    }
}
