//! R9: who unlocks is killed before it wakes the next one, and another has the lock meanwhile.

use crate::judge::judge;
use crate::scene::{
    self, Kind, asleep, image, mark, marked, mutex, restore, rw_lock, within_limit,
};
use ipc_sem::Region;
use ipc_testkit::crash::{Forked, Lab, Tally, single_step};

/// Where the lock's word stands in a mutex and in a lock for readers and writers.
const AT_WORD: usize = 80;
const TID_MASK: u32 = 0x3FFF_FFFF;

/// Without a count of sleepers the one that waits sleeps on: the dead one would have woken it,
/// and the new owner does not know of it.
pub(crate) fn killed_before_they_wake(lab: &mut Lab) {
    for kind in [Kind::Mutex, Kind::RwLock] {
        let what = format!("{kind:?}: killed between unlock and wake; another locks");
        let mut tally = Tally::new("R9", what);
        let region = scene::set(kind);
        let before = image(&region);
        for _ in 0..lab.count(2, 200, 2_000) {
            restore(&region, &before);
            match trial(kind, &region) {
                Ok(verdict) => tally.trial(verdict.and_then(|()| judge(kind, &region, 0))),
                Err(reason) => {
                    tally.skip(reason);
                    break;
                }
            }
        }
        lab.enter(tally);
    }
}

/// Whether the sleeper gets the lock; an error where the trial cannot be played.
fn trial(kind: Kind, region: &Region) -> Result<Result<(), String>, String> {
    let (one, both) = (
        (kind == Kind::Mutex).then(|| mutex(region)),
        (kind == Kind::RwLock).then(|| rw_lock(region)),
    );
    let lock = || match (&one, &both) {
        (Some(mutex), _) => drop(mutex.lock().expect("nobody dies with it")),
        (None, Some(lock)) => drop(lock.write().expect("nobody dies with it")),
        (None, None) => {}
    };
    let word = || region.atomic_u32(AT_WORD).expect("inside");
    let mut sleeper = None;
    // A write seat is taken by then, and costs no steps.
    let mut barged = (None, None);
    let mut hit = false;
    mark(region, 0);
    let unlock = || {
        let guards = (
            one.as_ref().map(|mutex| mutex.lock().expect("free")),
            both.as_ref().map(|lock| lock.write().expect("free")),
        );
        mark(region, 1);
        while marked(region) == 1 {}
        drop(guards);
        std::process::abort();
    };
    single_step(unlock, |_| {
        if marked(region) == 1 && sleeper.is_none() {
            let copy = Forked::new(lock);
            assert!(asleep(&copy), "it waits");
            sleeper = Some(copy);
            mark(region, 2);
        }
        let released = word().load(std::sync::atomic::Ordering::SeqCst) & TID_MASK == 0;
        if marked(region) == 2 && released {
            hit = true;
            barged.0 = one.as_ref().and_then(|mutex| mutex.try_lock().ok());
            barged.1 = both.as_ref().and_then(|lock| lock.try_write().ok());
        }
        !hit
    })?;
    let owned = barged.0.is_some() || barged.1.is_some();
    drop(barged);
    let Some(sleeper) = sleeper else {
        return Ok(Err("nobody came to sleep".into()));
    };
    let woken = within_limit(|| scene::is_dead(&sleeper)) && sleeper.finished();
    Ok(match (owned, woken) {
        (true, true) => Ok(()),
        found => Err(format!("another had it, the sleeper got it: {found:?}")),
    })
}
