//! R5 and R10: permits are as many as there were, whoever dies with how many of them.

use crate::judge::judge;
use crate::scene::{self, Kind, LIMIT, PERMITS, Pair, mutex, semaphore, within_limit};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::shared_words;
use std::sync::atomic::Ordering::SeqCst;

/// Takes and gives permits for ever.
fn churn(region: &ipc_sem::Region, at: &std::sync::atomic::AtomicU64) {
    let semaphore = semaphore(region);
    loop {
        let first = semaphore.acquire();
        let second = semaphore.try_acquire();
        at.fetch_add(1, SeqCst);
        drop(first);
        drop(second);
    }
}

/// R10: available and live holders' permits together are always all.
pub(crate) fn are_conserved(lab: &mut Lab) {
    let mut tally = Tally::new("R10", "permits after the kill of 4 that take and give");
    let turns = shared_words(4);
    let region = scene::set(Kind::Semaphore);
    // One that lives has a permit all the time.
    let own = semaphore(&region);
    let permit = own.acquire().expect("free");
    for _ in 0..lab.count(50, 2_500, 25_000) {
        turns.iter().for_each(|turn| turn.store(0, SeqCst));
        let churners: Vec<_> = (turns.iter())
            .map(|turn| Forked::new(|| churn(&region, turn)))
            .collect();
        let came = within_limit(|| turns.iter().all(|turn| turn.load(SeqCst) > 0));
        for churner in churners {
            let spins = lab.below(20_000);
            (0..spins).for_each(|_| std::hint::spin_loop());
            churner.kill();
        }
        // The own handle has its permit: another one judges.
        let judged = judge(Kind::Semaphore, &region, 1);
        let free = own.free();
        tally.trial(match (came, judged, free) {
            (true, Ok(()), free) if free == PERMITS - 1 => Ok(()),
            found => Err(format!("{found:?}")),
        });
    }
    drop(permit);
    lab.enter(tally);
}

/// R5: after a death eight start at once; one of them finds the damage, all go on.
pub(crate) fn are_returned_once_to_many_that_start(lab: &mut Lab) {
    let mut locks = Tally::new("R5", "8 recover a mutex at once: one finds damage");
    let mut permits = Tally::new("R5", "8 acquire at once what 3 dead had");
    let words = shared_words(3);
    for _ in 0..lab.count(15, 500, 5_000) {
        words.iter().for_each(|word| word.store(0, SeqCst));
        let (lock, semaphore_region) = (scene::set(Kind::Mutex), scene::set(Kind::Semaphore));
        scene::staying(&lock, || {
            let mutex = std::mem::ManuallyDrop::new(mutex(&lock));
            std::mem::forget(mutex.lock().expect("free"));
        })
        .kill();
        scene::staying(&semaphore_region, || {
            let semaphore = std::mem::ManuallyDrop::new(semaphore(&semaphore_region));
            (0..PERMITS).for_each(|_| std::mem::forget(semaphore.try_acquire().expect("free")));
        })
        .kill();
        let crowd: Vec<_> = (0..8)
            .map(|_| {
                Forked::new(|| {
                    while words[0].load(SeqCst) == 0 {
                        std::thread::yield_now();
                    }
                    let mutex: ipc_sem::Mutex<Pair> = mutex(&lock);
                    let recovery = mutex.recover_timeout(LIMIT).expect("free");
                    if recovery.damage().is_some() {
                        words[1].fetch_add(1, SeqCst);
                        drop(recovery.repaired());
                    } else {
                        drop(recovery);
                    }
                    let semaphore = semaphore(&semaphore_region);
                    let permit = semaphore.acquire_timeout(LIMIT).expect("returned");
                    words[2].fetch_add(1, SeqCst);
                    drop(permit);
                })
            })
            .collect();
        words[0].store(1, SeqCst);
        let ended = crowd
            .into_iter()
            .filter_map(|one| one.finished().then_some(()))
            .count();
        let [found, acquired] = [1, 2].map(|at| words[at].load(SeqCst));
        locks.trial(match (ended, found) {
            (8, 1) => judge(Kind::Mutex, &lock, 0),
            found => Err(format!("ended, found damage: {found:?}")),
        });
        permits.trial(match acquired {
            8 => judge(Kind::Semaphore, &semaphore_region, 0),
            acquired => Err(format!("{acquired} of 8 acquired")),
        });
    }
    lab.enter(locks);
    lab.enter(permits);
}
