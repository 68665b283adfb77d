//! The mutex while everybody lives.

use ipc_sem::{ALIGN_BYTES, ErrorKind, Mutex, Options, Region};
use ipc_testkit::{Role, Stage, Storm, allocations, isolated, watchdog};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

fn region() -> Region {
    ipc_shm::anonymous(4096).expect("a region")
}

fn every_kind() -> [Options; 2] {
    let mut fair = Options::new();
    fair.fair(true);
    [Options::new(), fair]
}

#[test]
fn every_form_takes_a_free_lock_and_refuses_a_held_one() {
    let _watchdog = watchdog(PATIENCE);
    for options in every_kind() {
        let region = region();
        let mutex = options
            .create_mutex_trusted(&region, 0, 1u64)
            .expect("a mutex");
        let late = Instant::now() + PATIENCE;
        *mutex.lock().expect("free") += 1;
        *mutex.try_lock().expect("free") += 1;
        *mutex.lock_timeout(Duration::MAX).expect("free") += 1;
        *mutex.lock_deadline(late).expect("free") += 1;
        assert_eq!(*mutex.recover().expect("free"), 5);
        let held = mutex.lock().expect("free");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let busy = mutex.try_lock().map(drop).expect_err("held");
                assert_eq!(busy.kind(), ErrorKind::WouldBlock);
                let start = Instant::now();
                let late = mutex.lock_timeout(SHORT).map(drop).expect_err("held");
                assert_eq!(late.kind(), ErrorKind::TimedOut);
                assert!(start.elapsed() >= SHORT);
                let past = mutex.lock_deadline(start).map(drop).expect_err("held");
                assert_eq!(past.kind(), ErrorKind::TimedOut);
            });
        });
        drop(held);
        assert_eq!(*mutex.try_lock().expect("free"), 5);
    }
}

#[test]
fn the_owner_who_asks_again_is_told() {
    let _watchdog = watchdog(PATIENCE);
    for options in every_kind() {
        let region = region();
        let mutex = options
            .create_mutex_trusted(&region, 0, 0u32)
            .expect("a mutex");
        let same = Mutex::<u32>::open_trusted(&region, 0).expect("it is there");
        let _held = mutex.lock().expect("free");
        for outcome in [
            mutex.lock(),
            mutex.try_lock(),
            mutex.lock_timeout(SHORT),
            same.lock(),
        ] {
            assert_eq!(
                outcome.map(drop).expect_err("held here").kind(),
                ErrorKind::Deadlock
            );
        }
    }
}

pub(crate) fn add_many(mut stage: Stage) {
    let region = Region::from_fd(stage.descriptor()).expect("a region");
    let rounds: u64 = stage.argument(0).parse().expect("a number");
    let mutex = Mutex::<[u64; 2]>::open_trusted(&region, 0).expect("a mutex");
    for round in 0..rounds {
        let mut both = match round % 3 {
            0 => mutex.lock(),
            1 => mutex.lock_timeout(PATIENCE),
            _ => mutex.lock_deadline(Instant::now() + PATIENCE),
        }
        .expect("everybody lives");
        both[0] += 1;
        both[1] += 1;
    }
}

#[test]
fn no_addition_of_four_processes_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    for (options, rounds) in every_kind().into_iter().zip([50_000u64, 5_000]) {
        let region = region();
        let mutex = options
            .create_mutex_trusted(&region, 0, [0u64; 2])
            .expect("a mutex");
        let adders: Vec<_> = (0..4)
            .map(|_| {
                let fd = region.as_fd().expect("a memfd");
                Role::new("mutex adder")
                    .descriptor(fd)
                    .argument(rounds)
                    .spawn()
            })
            .collect();
        for adder in adders {
            adder.done();
        }
        assert_eq!(*mutex.lock().expect("free"), [4 * rounds; 2]);
    }
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    let _watchdog = watchdog(PATIENCE);
    for options in every_kind() {
        let region = region();
        let mutex = options
            .create_mutex_trusted(&region, 0, 0u64)
            .expect("a mutex");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    *mutex.lock().expect("everybody lives") += 1;
                }
            });
            let storm = Storm::here();
            for round in 0..2_000 {
                let guard = if round % 2 == 0 {
                    mutex.lock()
                } else {
                    mutex.lock_timeout(PATIENCE)
                };
                *guard.expect("everybody lives") += 1;
            }
            drop(storm);
        });
        assert_eq!(*mutex.lock().expect("free"), 4_000);
    }
}

#[test]
fn a_fair_lock_serves_eight_waiters_alike() {
    const ROUNDS: u64 = 4_000;
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let mut options = Options::new();
    // How many have come, and how many rounds were counted since all had.
    let mutex = options
        .fair(true)
        .create_mutex_trusted(&region, 0, [0u64; 2])
        .expect("a mutex");
    // How often each has come to the lock, and how often it has got it.
    let came: [AtomicU64; 8] = Default::default();
    let got: [AtomicU64; 8] = Default::default();
    let all_wait_but =
        |me: usize| (0..8).all(|at| at == me || came[at].load(Acquire) > got[at].load(Acquire));
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|me| {
                let (came, got, mutex) = (&came, &got, &mutex);
                scope.spawn(move || {
                    mutex.lock().expect("everybody lives")[0] += 1;
                    let mut count = 0u64;
                    loop {
                        came[me].fetch_add(1, AcqRel);
                        let mut data = mutex.lock().expect("everybody lives");
                        got[me].fetch_add(1, AcqRel);
                        match *data {
                            [..8, _] => {}
                            [_, ROUNDS] => {
                                // Who has left is not waited for.
                                came[me].store(u64::MAX, Release);
                                return count;
                            }
                            _ => {
                                data[1] += 1;
                                count += 1;
                                // The claim is about waiters: on a busy host they may be late.
                                while !all_wait_but(me) {
                                    std::thread::yield_now();
                                }
                            }
                        }
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let (least, most) = (counts.iter().min(), counts.iter().max());
    let (least, most) = (*least.expect("eight"), *most.expect("eight"));
    assert!(most * 2 <= least * 3, "{counts:?}");
}

#[test]
fn places_off_the_region_or_its_alignment_are_refused() {
    let region = region();
    for offset in [1, 32, 63, 65, 4096, usize::MAX - 63, usize::MAX] {
        let error = Mutex::<u64>::create_trusted(&region, offset, 0).expect_err("no place");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{offset}: {error}");
    }
    let last = 4096 - Mutex::<u64>::SIZE_BYTES;
    Mutex::<u64>::create_trusted(&region, last, 0).expect("it just fits");
    let error = Mutex::<u64>::create_trusted(&region, last + ALIGN_BYTES, 0).expect_err("one more");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn what_is_not_this_mutex_is_refused() {
    let region = region();
    let missing = Mutex::<u64>::open_trusted(&region, 0).expect_err("nothing there");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    Mutex::<u64>::create_trusted(&region, 0, 0).expect("a mutex");
    let twice = Mutex::<u64>::create_trusted(&region, 0, 0).expect_err("it is there");
    assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
    let other = Mutex::<[u8; 8]>::open_trusted(&region, 0).expect_err("another type");
    assert_eq!(other.kind(), ErrorKind::WrongType);
    // A copied lock is no lock.
    let mut bytes = vec![0; Mutex::<u64>::SIZE_BYTES];
    region.read_at(0, &mut bytes).expect("inside");
    region.write_at(1024, &bytes).expect("inside");
    let copied = Mutex::<u64>::open_trusted(&region, 1024).expect_err("copied");
    assert_eq!(copied.kind(), ErrorKind::Corrupt, "{copied}");
}

#[test]
fn every_flipped_bit_of_the_header_is_refused() {
    let region = region();
    Mutex::<u64>::create_trusted(&region, 0, 0).expect("a mutex");
    let mut good = [0u8; 64];
    region.read_at(0, &mut good).expect("inside");
    // The last words of the line are flags, which choose nothing at an open, and spare.
    for first in 0..36 * 8 {
        for second in first..36 * 8 {
            let mut bad = good;
            bad[first / 8] ^= 1 << (first % 8);
            if second != first {
                bad[second / 8] ^= 1 << (second % 8);
            }
            // The state is a creator's pid then; a live one would be waited for.
            if bad[32..36] != good[32..36] {
                continue;
            }
            region.write_at(0, &bad).expect("inside");
            let error = Mutex::<u64>::open_trusted(&region, 0).expect_err("flipped");
            let known = [
                ErrorKind::Corrupt,
                ErrorKind::WrongType,
                ErrorKind::Unsupported,
            ];
            assert!(known.contains(&error.kind()), "{first} {second}: {error}");
        }
    }
    region.write_at(0, &good).expect("inside");
    Mutex::<u64>::open_trusted(&region, 0).expect("as it was");
    for fill in [0xFFu8, 0xA5, 1] {
        region.write_at(0, &[fill; 64]).expect("inside");
        Mutex::<u64>::open_trusted(&region, 0).expect_err("no header");
    }
}

#[test]
fn another_pid_namespace_is_refused_with_the_reason() {
    let region = region();
    Mutex::<u64>::create_trusted(&region, 0, 0).expect("a mutex");
    let here = region
        .load_u64(16, std::sync::atomic::Ordering::Relaxed)
        .expect("inside");
    region
        .write_at(16, &(here + 1).to_ne_bytes())
        .expect("inside");
    let error = Mutex::<u64>::open_trusted(&region, 0).expect_err("another namespace");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("PID namespace"), "{error}");
}

#[test]
fn a_forgotten_guard_does_no_harm() {
    isolated!({
        for _ in 0..3 {
            let region = region();
            let mutex = Mutex::create_trusted(&region, 0, 0u64).expect("a mutex");
            std::mem::forget(mutex.lock().expect("free"));
            drop((mutex, region));
            // The thread's list of robust locks goes through the forgotten one.
            let other = ipc_shm::anonymous(4096).expect("a region");
            let mutex = Mutex::create_trusted(&other, 0, 0u64).expect("a mutex");
            *mutex.lock().expect("free") += 1;
        }
        // The leaked regions keep their descriptors: closed here, so that the check sees none.
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn a_lock_allocates_nothing() {
    let region = region();
    let mutex = Mutex::create_trusted(&region, 0, 0u64).expect("a mutex");
    let count = allocations(|| {
        for _ in 0..100 {
            *mutex.lock().expect("free") += 1;
            let _held = mutex.try_lock().expect("free");
            assert!(mutex.try_lock().is_err());
        }
    });
    assert_eq!(count, 0);
}
