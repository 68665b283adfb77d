//! What one process does with an object, and is killed in.

use crate::scene::{
    self, Kind, LIMIT, SHORT, barrier, beside, condvar, event, mark, mutex, once, rw_lock,
    semaphore, staying,
};
use ipc_sem::{Condvar, Region};
use ipc_testkit::crash::Forked;
use std::mem::ManuallyDrop;

/// What one process does, alone but for those who were there before it, and is killed in.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Who is there before: those who stay, and those who have died.
    pub(crate) before: fn(&Region) -> Vec<Forked>,
    pub(crate) act: fn(&Region),
    /// How many that live have a permit, or read, meanwhile.
    pub(crate) holders: u32,
}

/// Instead of a number of holders: one that writes.
pub(crate) const WRITER: u32 = u32::MAX;

fn nobody(_: &Region) -> Vec<Forked> {
    Vec::new()
}

/// `part` has been played by two processes that have died since.
fn died(region: &Region, part: impl Fn()) -> Vec<Forked> {
    let players = [staying(region, &part), staying(region, &part)];
    players.into_iter().for_each(Forked::kill);
    Vec::new()
}

pub(crate) const OPERATIONS: [Operation; 18] = [
    Operation {
        name: "lock, change and unlock a mutex",
        kind: Kind::Mutex,
        before: nobody,
        act: |region| {
            let mutex = mutex(region);
            change(&mut mutex.lock().expect("free"));
        },
        holders: 0,
    },
    Operation {
        name: "recover a mutex of the dead",
        kind: Kind::Mutex,
        before: |region| {
            let owner = staying(region, || {
                let mutex = ManuallyDrop::new(mutex(region));
                let mut guard = ManuallyDrop::new(mutex.lock().expect("free"));
                guard[0] += 1;
            });
            owner.kill();
            Vec::new()
        },
        act: |region| {
            let mutex = mutex(region);
            let mut recovery = mutex.recover().expect("free");
            *recovery = [recovery[0]; 2];
            change(&mut recovery.repaired());
        },
        holders: 0,
    },
    Operation {
        name: "want a mutex that another has",
        kind: Kind::Mutex,
        before: |region| {
            vec![staying(region, || {
                let mutex = ManuallyDrop::new(mutex(region));
                std::mem::forget(mutex.lock().expect("free"));
            })]
        },
        act: |region| drop(mutex(region).lock_timeout(SHORT)),
        holders: 1,
    },
    Operation {
        name: "lock, change and unlock a fair mutex",
        kind: Kind::FairMutex,
        before: nobody,
        act: |region| {
            let mutex = mutex(region);
            change(&mut mutex.lock().expect("free"));
        },
        holders: 0,
    },
    Operation {
        name: "acquire and release beside a holder",
        kind: Kind::Semaphore,
        before: |region| vec![staying(region, || hold(region))],
        act: |region| {
            let semaphore = semaphore(region);
            let both = [semaphore.acquire(), semaphore.acquire()];
            assert!(both.iter().all(Result::is_ok));
            drop(semaphore.acquire_timeout(SHORT));
        },
        holders: 1,
    },
    Operation {
        name: "acquire what two dead had",
        kind: Kind::Semaphore,
        before: |region| died(region, || hold(region)),
        act: |region| {
            let semaphore = semaphore(region);
            let all = [
                semaphore.acquire(),
                semaphore.acquire(),
                semaphore.acquire(),
            ];
            assert!(all.iter().all(Result::is_ok));
        },
        holders: 0,
    },
    Operation {
        name: "read, write and leave",
        kind: Kind::RwLock,
        before: nobody,
        act: |region| {
            let lock = rw_lock(region);
            drop(lock.read().expect("free"));
            change(&mut lock.write().expect("free"));
        },
        holders: 0,
    },
    Operation {
        name: "write where dead readers and a dead writer were",
        kind: Kind::RwLock,
        before: |region| {
            died(region, || read_on(region));
            staying(region, || write_on(region)).kill();
            Vec::new()
        },
        act: |region| {
            let lock = rw_lock(region);
            drop(lock.read());
            let mut recovery = lock.recover().expect("free");
            *recovery = [recovery[0]; 2];
            change(&mut recovery.repaired());
        },
        holders: 0,
    },
    Operation {
        name: "want to write beside a reader",
        kind: Kind::RwLock,
        before: |region| vec![staying(region, || read_on(region))],
        act: |region| {
            let lock = rw_lock(region);
            drop(lock.try_write());
            drop(lock.write_timeout(SHORT));
            drop(lock.read());
        },
        holders: 1,
    },
    Operation {
        name: "want to read beside a writer",
        kind: Kind::RwLock,
        before: |region| vec![staying(region, || write_on(region))],
        act: |region| drop(rw_lock(region).read_timeout(SHORT)),
        holders: WRITER,
    },
    Operation {
        name: "wait for a condition and notify",
        kind: Kind::Condvar,
        before: nobody,
        act: |region| {
            let (condvar, mutex) = (condvar(region), beside(region));
            let mut guard = mutex.lock().expect("free");
            change(&mut guard);
            drop(condvar.wait_timeout(&mut guard, SHORT));
            change(&mut guard);
            condvar.notify_all().expect("a seat");
        },
        holders: 0,
    },
    Operation {
        name: "notify where two have died waiting",
        kind: Kind::Condvar,
        before: |region| {
            let waiters = [wait_for_ever(region), wait_for_ever(region)];
            waiters.into_iter().for_each(Forked::kill);
            Vec::new()
        },
        act: |region| {
            condvar(region).notify_one().expect("a seat");
            condvar(region).notify_all().expect("a seat");
        },
        holders: 0,
    },
    Operation {
        name: "come to a meeting, and leave it",
        kind: Kind::Barrier,
        before: nobody,
        act: |region| drop(barrier(region).wait_timeout(SHORT)),
        holders: 0,
    },
    Operation {
        name: "repair a broken meeting",
        kind: Kind::Barrier,
        before: |region| {
            died(region, || {
                drop(ManuallyDrop::new(barrier(region)).try_wait())
            })
        },
        act: |region| {
            let barrier = barrier(region);
            drop(barrier.try_wait());
            barrier.repair();
            drop(barrier.try_wait());
        },
        holders: 0,
    },
    Operation {
        name: "notify, await and reset an event",
        kind: Kind::Event,
        before: nobody,
        act: |region| {
            let event = event(region);
            drop(event.wait_timeout(SHORT));
            event.notify().expect("a seat");
            event.wait().expect("set");
            event.reset();
        },
        holders: 0,
    },
    Operation {
        name: "await an event of two dead",
        kind: Kind::Event,
        before: |region| {
            died(region, || {
                ManuallyDrop::new(event(region)).announce().expect("a seat")
            })
        },
        act: |region| drop(event(region).wait_timeout(SHORT)),
        holders: 0,
    },
    Operation {
        name: "do work once",
        kind: Kind::Once,
        before: nobody,
        act: |region| {
            once(region)
                .call(|_| mark(region, 7))
                .expect("nobody is at it");
        },
        holders: 0,
    },
    Operation {
        name: "do the work that two have died over",
        kind: Kind::Once,
        before: |region| died(region, || begin(region)),
        act: |region| {
            once(region)
                .call(|_| mark(region, 7))
                .expect("nobody is at it");
        },
        holders: 0,
    },
];

fn change(pair: &mut scene::Pair) {
    pair[0] += 1;
    pair[1] += 1;
}

fn hold(region: &Region) {
    let semaphore = ManuallyDrop::new(semaphore(region));
    std::mem::forget(semaphore.try_acquire().expect("free"));
}

fn read_on(region: &Region) {
    let lock = ManuallyDrop::new(rw_lock(region));
    std::mem::forget(lock.read().expect("nobody writes"));
}

fn write_on(region: &Region) {
    let lock = ManuallyDrop::new(rw_lock(region));
    // Of the readers that were there, all have died.
    let mut guard = ManuallyDrop::new(lock.write().expect("nobody is there"));
    guard[0] += 1;
}

/// Begins the work, and is there when it is killed.
fn begin(region: &Region) {
    let once = ManuallyDrop::new(once(region));
    let _ = once.try_call(|_| {
        mark(region, 1);
        loop {
            std::thread::park();
        }
    });
}

fn wait_for_ever(region: &Region) -> Forked {
    mark(region, 0);
    let (condvar, mutex): (Condvar, ipc_sem::Mutex<_>) = (condvar(region), beside(region));
    let copy = Forked::new(|| {
        let mut guard = mutex.lock().expect("free");
        mark(region, 1);
        while condvar.wait(&mut guard).is_ok() {}
    });
    assert!(scene::within_limit(|| scene::marked(region) == 1));
    // It has released the lock when the lock is free, and waits.
    drop(mutex.lock_timeout(LIMIT).expect("it waits"));
    mark(region, 0);
    copy
}
