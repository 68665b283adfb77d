//! What locks and permits cost while nobody waits, beside the C library's:
//! `cargo run --release -p ipc-sem --example lock_cost`.

#![allow(unsafe_code)]

use ipc_sem::{Mutex, Semaphore};
use rustix::thread::futex;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Instant;

const ROUNDS: u32 = 200_000;
const SLICES: usize = 41;

/// What the C library has, in memory that is shared like ours.
struct Plain<T>(*mut T, #[allow(dead_code)] ipc_shm::Region);

impl<T> Plain<T> {
    fn new() -> Result<Self, ipc_shm::Error> {
        let region = ipc_shm::anonymous(4096)?;
        let place = region.atomic_u64(0)?.as_ptr().cast();
        Ok(Self(place, region))
    }
}

fn robust() -> Result<Plain<libc::pthread_mutex_t>, ipc_shm::Error> {
    let mutex = Plain::new()?;
    let attributes = UnsafeCell::new(MaybeUninit::<libc::pthread_mutexattr_t>::uninit());
    let place = attributes.get().cast();
    // SAFETY: `place` is valid for writes (pthread_mutexattr_init(3)).
    unsafe { libc::pthread_mutexattr_init(place) };
    // SAFETY: initialised above.
    unsafe { libc::pthread_mutexattr_setpshared(place, libc::PTHREAD_PROCESS_SHARED) };
    // SAFETY: initialised above.
    unsafe { libc::pthread_mutexattr_setrobust(place, libc::PTHREAD_MUTEX_ROBUST) };
    // SAFETY: the place is mapped, writable, aligned, and nobody else's.
    unsafe { libc::pthread_mutex_init(mutex.0, place) };
    Ok(mutex)
}

fn time(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
}

/// Two threads of one core wake each other.
fn turns(there: impl Fn(bool) + Sync, back: impl Fn(bool) + Sync) -> f64 {
    const TURNS: u32 = 5_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..TURNS {
                there(false);
                back(true);
            }
        });
        let start = Instant::now();
        for _ in 0..TURNS {
            there(true);
            back(false);
        }
        start.elapsed().as_nanos() as f64 / f64::from(TURNS)
    })
}

/// Sets `flag` and wakes, or waits and clears it: what a futex costs at the least.
fn raw_futex(flag: &AtomicU32, set: bool) {
    if set {
        flag.store(1, SeqCst);
        let _ = futex::wake(flag, futex::Flags::empty(), 1);
        return;
    }
    while flag.compare_exchange(1, 0, SeqCst, SeqCst).is_err() {
        let _ = futex::wait(flag, futex::Flags::empty(), 0, None);
    }
}

fn report(what: &str, mut ours: impl FnMut(), mut theirs: impl FnMut()) {
    compare(what, || time(&mut ours), || time(&mut theirs));
}

fn compare(what: &str, mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) {
    let slices: Vec<_> = (0..SLICES).map(|_| (ours(), theirs())).collect();
    let median = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    println!(
        "{what}: ours {:.1} ns, C library {:.1} ns, ratio {:.3}",
        median(slices.iter().map(|slice| slice.0).collect()),
        median(slices.iter().map(|slice| slice.1).collect()),
        median(slices.iter().map(|slice| slice.0 / slice.1).collect())
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let region = ipc_shm::anonymous(1 << 17)?;
    let mutex = Mutex::create_trusted(&region, 0, 0u64)?;
    let theirs = robust()?;
    report(
        "mutex, robust",
        || drop(mutex.lock().expect("free")),
        || {
            // SAFETY: initialised by `robust`.
            unsafe { libc::pthread_mutex_lock(theirs.0) };
            // SAFETY: initialised by `robust`, and held.
            unsafe { libc::pthread_mutex_unlock(theirs.0) };
        },
    );
    let semaphore = Semaphore::create_trusted(&region, 4096, 1)?;
    let plain = Plain::<libc::sem_t>::new()?;
    // SAFETY: the place is mapped, writable, aligned, and nobody else's.
    unsafe { libc::sem_init(plain.0, 1, 1) };
    let plain_round = || {
        // SAFETY: initialised above.
        unsafe { libc::sem_wait(plain.0) };
        // SAFETY: initialised above.
        unsafe { libc::sem_post(plain.0) };
    };
    report(
        "semaphore whose permits return, against sem_t",
        || drop(semaphore.acquire().expect("free")),
        plain_round,
    );
    let wrapped = ipc_sem::posix::Semaphore::create_trusted(&region, 32 << 10, 1)?;
    report(
        "POSIX semaphore, against sem_t",
        || {
            wrapped.acquire().expect("free");
            wrapped.release().expect("room");
        },
        plain_round,
    );
    let mut options = ipc_sem::Options::new();
    options.taken_by_one(true);
    let events = [64 << 10, 96 << 10].map(|at| options.create_event_trusted(&region, at));
    let [Ok(there), Ok(back)] = &events else {
        return Err("no room for two events".into());
    };
    let event = |event: &ipc_sem::Event, set| match set {
        true => event.notify().expect("a seat"),
        false => event.wait().expect("it comes"),
    };
    let (one, two) = (AtomicU32::new(0), AtomicU32::new(0));
    compare(
        "event, two threads of one core, against a raw futex",
        || turns(|set| event(there, set), |set| event(back, set)),
        || turns(|set| raw_futex(&one, set), |set| raw_futex(&two, set)),
    );
    Ok(())
}
