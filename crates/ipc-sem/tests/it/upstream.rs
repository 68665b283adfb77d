//! A lock shared with an independent program on the crates `raw_sync` and `shared_memory`.
#![allow(unsafe_code)]

use ipc_sem::raw_sync::Mutex;
use ipc_sem::{ErrorKind, Region};
use ipc_testkit::{Child, Role, Stage, watchdog};
use raw_sync::locks::{LockGuard, LockInit, Mutex as Theirs};
use shared_memory::{Shmem, ShmemConf};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);
const SIZE: usize = 4096;
/// Outside the lock: what a program says to the test.
const WORD: usize = 2048;
const ROUNDS: u64 = 20_000;

/// A sum, and a copy of it that only the lock keeps equal.
type Data = [u64; 2];

/// A fresh segment with a lock of ours in it.
struct Segment {
    name: String,
    region: Region,
    mutex: Mutex<Data>,
}

impl Segment {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ipc-test-raw-sync-{}-{serial}", std::process::id());
        let mut options = ipc_shm::Options::new();
        options.size_bytes(SIZE).unlink_on_drop(true);
        let region = options.create_trusted_shared_memory(&name).expect("new");
        let mutex = Mutex::create_trusted(&region, 0, [5, 5]).expect("zeros");
        Self {
            name,
            region,
            mutex,
        }
    }

    fn role(&self, what: &str) -> Child {
        Role::new("raw_sync program")
            .argument(what)
            .argument(&self.name)
            .spawn()
    }

    fn path(&self) -> PathBuf {
        Path::new("/dev/shm").join(&self.name)
    }

    fn await_word(&self, value: u64) {
        let word = self.region.atomic_u64(WORD).expect("inside");
        while word.load(Ordering::Acquire) != value {
            std::thread::yield_now();
        }
    }
}

/// An independent program: nothing of ours but the role's frame.
pub(crate) fn program(stage: Stage) {
    let id = format!("/{}", stage.argument(1));
    let segment = ShmemConf::new().os_id(id).open().expect("a segment");
    let start = segment.as_ptr();
    // SAFETY: the segment is larger than the lock and its data.
    let data = unsafe { start.add(Theirs::size_of(Some(start))) };
    // SAFETY: the test has made a lock at the segment's start, which stays mapped.
    let (lock, _) = unsafe { Theirs::from_existing(start, data) }.expect("the crate finds it");
    match stage.argument(0) {
        "add" => {
            for _ in 0..ROUNDS {
                add(&lock.lock().expect("held for a moment"));
            }
        }
        "hold" => {
            let guard = lock.lock().expect("free");
            add(&guard);
            word(&segment).store(1, Ordering::Release);
            loop {
                std::thread::park();
            }
        }
        "find a death" => {
            // It has the lock now, and no guard.
            assert!(lock.lock().is_err());
            word(&segment).store(2, Ordering::Release);
            while word(&segment).load(Ordering::Acquire) != 3 {
                std::thread::yield_now();
            }
            // Unmapped with the lock held, the kernel would not find it at the end.
            std::mem::forget(segment);
        }
        other => panic!("nothing to do: {other}"),
    }
}

/// Two steps that the lock makes one.
fn add(guard: &LockGuard<'_>) {
    let data = (**guard).cast::<Data>();
    // SAFETY: the data behind the lock, which this thread holds.
    let [sum, copy] = unsafe { data.read_volatile() };
    assert_eq!(sum, copy, "the lock keeps them equal");
    // SAFETY: as above.
    unsafe { data.write_volatile([sum + 1, copy + 1]) };
}

fn word(segment: &Shmem) -> &AtomicU64 {
    // SAFETY: inside the segment, and its memory begins on a page.
    let place = unsafe { segment.as_ptr().add(WORD) };
    // SAFETY: aligned, mapped while the segment lives, and used by atomics only.
    unsafe { &*place.cast::<AtomicU64>() }
}

#[test]
fn programs_of_both_kinds_change_data_under_one_lock() {
    let _watchdog = watchdog(PATIENCE);
    let segment = Segment::new();
    let programs = [segment.role("add"), segment.role("add")];
    for _ in 0..ROUNDS {
        let mut guard = segment.mutex.lock().expect("held for a moment");
        assert_eq!(guard[0], guard[1], "the lock keeps them equal");
        guard[0] += 1;
        guard[1] += 1;
    }
    for program in programs {
        program.done();
    }
    // What they wrote is read here, and what was written here was read by them.
    assert_eq!(*segment.mutex.lock().expect("free"), [5 + 3 * ROUNDS; 2]);
}

#[test]
fn a_killed_program_of_the_other_kind_hangs_nobody() {
    let _watchdog = watchdog(PATIENCE);
    let segment = Segment::new();
    let holder = segment.role("hold");
    segment.await_word(1);
    let held = segment.mutex.lock_timeout(SHORT).expect_err("held");
    assert_eq!(held.kind(), ErrorKind::TimedOut);
    holder.kill();
    holder.wait_dead();
    let died = segment.mutex.lock().expect_err("its owner died");
    assert_eq!(died.kind(), ErrorKind::PeerDied);
    let recovery = segment.mutex.recover().expect("free");
    assert!(recovery.is_damaged());
    drop(recovery.repaired());
    assert_eq!(*segment.mutex.lock().expect("repaired"), [6, 6]);
    segment.role("add").done();
}

#[test]
fn a_program_of_the_other_kind_that_finds_a_death_keeps_the_lock_until_it_ends() {
    let _watchdog = watchdog(PATIENCE);
    let segment = Segment::new();
    let holder = segment.role("hold");
    segment.await_word(1);
    holder.kill();
    holder.wait_dead();
    let finder = segment.role("find a death");
    segment.await_word(2);
    let held = segment.mutex.lock_timeout(SHORT).expect_err("held");
    assert_eq!(held.kind(), ErrorKind::TimedOut);
    let word = segment.region.atomic_u64(WORD).expect("inside");
    word.store(3, Ordering::Release);
    finder.done();
    assert!(segment.mutex.recover().expect("free").is_damaged());
}

#[test]
fn a_wake_that_was_lost_with_its_sender_is_missed_for_a_moment_only() {
    const WAITERS: u32 = 1 << 31;
    let _watchdog = watchdog(PATIENCE);
    let segment = Segment::new();
    // The lock's first word is its owner: a thread that nobody has.
    let owner = segment.region.atomic_u32(0).expect("inside");
    owner.store(0x3fff_ffff, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| segment.mutex.lock().map(|guard| *guard));
        while owner.load(Ordering::SeqCst) & WAITERS == 0 {
            std::thread::yield_now();
        }
        // Released, and no wake.
        owner.store(0, Ordering::SeqCst);
        let outcome = waiter.join().expect("no panic");
        assert_eq!(outcome.expect("free"), [5, 5]);
    });
}

#[test]
fn the_crates_own_handle_and_ours_exclude_each_other() {
    let segment = Segment::new();
    let theirs = segment.mutex.upstream().expect("the same layout");
    let guard = theirs.lock().expect("free");
    let again = segment.mutex.lock().expect_err("this thread holds it");
    assert_eq!(again.kind(), ErrorKind::Deadlock);
    drop(guard);
    let _ours = segment.mutex.lock().expect("free");
    assert!(theirs.lock().is_err());
    assert!(
        theirs.release().is_ok(),
        "upstream's release takes it from a guard"
    );
    drop(segment.mutex.lock().expect("free"));
}

#[test]
fn what_is_no_such_lock_is_refused() {
    let segment = Segment::new();
    let open = |offset| Mutex::<Data>::open_trusted(&segment.region, offset).map(drop);
    assert!(open(0).is_ok());
    assert_eq!(open(512).expect_err("none").kind(), ErrorKind::NotFound);
    assert_eq!(open(8).expect_err("askew").kind(), ErrorKind::InvalidInput);
    assert_eq!(
        open(SIZE).expect_err("beyond").kind(),
        ErrorKind::InvalidInput
    );
    let create = |offset| Mutex::<Data>::create_trusted(&segment.region, offset, [0; 2]).map(drop);
    assert_eq!(
        create(0).expect_err("one is there").kind(),
        ErrorKind::AlreadyExists
    );
    let other = Mutex::<[u8; 16]>::open_trusted(&segment.region, 0).expect_err("other data");
    assert_eq!(other.kind(), ErrorKind::WrongType);
    let wide = Mutex::<u128>::create_trusted(&segment.region, 512, 0).expect_err("aligned to 16");
    assert_eq!(wide.kind(), ErrorKind::InvalidInput);
    assert!(segment.path().exists());
}
