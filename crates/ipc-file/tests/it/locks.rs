//! Locks on files: who keeps whom out, and what a death gives back.

use ipc_file::{ErrorKind, Lock, open_lock};
use ipc_testkit::{Role, Stage, Storm, TempDir, watchdog};
use std::os::fd::OwnedFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn kind<T: std::fmt::Debug>(outcome: ipc_file::Result<T>) -> ErrorKind {
    outcome.expect_err("an error").kind()
}

/// Takes the lock that the first argument names, says so, and holds it until it is killed.
pub(crate) fn hold(mut stage: Stage) {
    let lock = open_lock(stage.argument(0)).expect("a lock");
    let _guard = match stage.argument(1) {
        "ofd" => lock.lock().expect("free"),
        "range" => lock.lock_range(10..20).expect("free"),
        _ => lock.flock().expect("free"),
    };
    drop(stage.descriptor());
    loop {
        std::thread::park();
    }
}

/// The same, and a child that was forked without exec and has a copy of the descriptor.
pub(crate) fn hold_in_a_forked_child(mut stage: Stage) {
    let lock = open_lock(stage.argument(0)).expect("a lock");
    let _guard = lock.lock().expect("free");
    // A duplicate that an exec'ed child inherits is the same copy that a forked one has.
    let copy = rustix::io::dup(&lock).expect("a copy that is inherited");
    let mut sleeper = std::process::Command::new("sh");
    sleeper
        .args(["-c", "read line"])
        .stdin(std::process::Stdio::from(stage.descriptor()));
    let mut sleeper = sleeper.spawn().expect("a shell");
    drop(copy);
    drop(stage.descriptor());
    let _ = sleeper.wait();
}

fn spawn_holder(path: &std::path::Path, how: &str) -> ipc_testkit::Child {
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
    let child = Role::new("lock-holder")
        .argument(path.display())
        .argument(how)
        .descriptor(&tell)
        .spawn();
    drop(tell);
    let end = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut [0u8; 1]));
    assert_eq!(end, Ok(0));
    child
}

#[test]
fn an_exclusive_lock_keeps_others_out_and_a_shared_one_lets_readers_in() {
    let dir = TempDir::new();
    let (one, other) = (dir.join("l"), dir.join("l"));
    let (one, other) = (open_lock(one).expect("a"), open_lock(other).expect("b"));
    let guard = one.lock().expect("free");
    assert_eq!(kind(other.try_lock()), ErrorKind::WouldBlock);
    assert_eq!(kind(other.try_lock_shared()), ErrorKind::WouldBlock);
    assert!(other.is_locked(0..1).expect("known"));
    drop(guard);
    let shared = one.lock_shared().expect("free");
    drop(other.try_lock_shared().expect("shared"));
    assert_eq!(kind(other.try_lock()), ErrorKind::WouldBlock);
    drop(shared);
    drop(other.lock().expect("free"));
}

#[test]
fn ranges_meet_only_where_they_overlap() {
    let dir = TempDir::new();
    let one = open_lock(dir.join("l")).expect("a lock");
    let other = open_lock(dir.join("l")).expect("a lock");
    let first = one.lock_range(0..10).expect("free");
    let _second = one.lock_range_shared(20..30).expect("free");
    drop(other.try_lock_range(10..20).expect("between"));
    drop(other.try_lock_range_shared(20..25).expect("shared"));
    assert_eq!(kind(other.try_lock_range(9..11)), ErrorKind::WouldBlock);
    assert_eq!(
        kind(other.try_lock_range(25..u64::MAX)),
        ErrorKind::WouldBlock
    );
    drop(first);
    drop(other.try_lock_range(0..20).expect("free again"));
    drop(
        other
            .try_lock_range(i64::MAX as u64 - 1..u64::MAX)
            .expect("the last byte"),
    );
}

#[test]
fn ranges_that_cannot_be_locked_are_refused() {
    let dir = TempDir::new();
    let lock = open_lock(dir.join("l")).expect("a lock");
    for (start, end) in [
        (5, 5),
        (7, 6),
        (0, 1 << 63),
        (1 << 63, u64::MAX),
        (u64::MAX, u64::MAX),
    ] {
        assert_eq!(
            kind(lock.try_lock_range(start..end)),
            ErrorKind::InvalidInput
        );
    }
    drop(lock.try_lock_range(0..i64::MAX as u64).expect("the limit"));
}

#[test]
fn a_second_guard_of_the_same_open_file_is_refused_and_not_let_in() {
    let dir = TempDir::new();
    let lock = open_lock(dir.join("l")).expect("a lock");
    let guard = lock.lock_range(0..10).expect("free");
    for outcome in [lock.lock(), lock.lock_shared(), lock.try_lock_range(9..10)] {
        assert_eq!(kind(outcome), ErrorKind::Deadlock);
    }
    drop(lock.try_lock_range(10..11).expect("elsewhere"));
    drop(guard);
    drop(lock.lock().expect("given back"));
}

#[test]
fn flock_meets_flock_and_not_the_others() {
    let dir = TempDir::new();
    let one = open_lock(dir.join("l")).expect("a lock");
    let other = open_lock(dir.join("l")).expect("a lock");
    let guard = one.flock().expect("free");
    assert_eq!(kind(other.try_flock()), ErrorKind::WouldBlock);
    assert_eq!(kind(one.flock()), ErrorKind::Deadlock);
    drop(other.try_lock().expect("another kind"));
    drop(guard);
    let _shared = one.flock_shared().expect("free");
    drop(other.try_flock_shared().expect("shared"));
}

#[test]
fn a_blocking_lock_waits_and_gets_it_through_a_storm_of_signals() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let one = open_lock(dir.join("l")).expect("a lock");
    let other = open_lock(dir.join("l")).expect("a lock");
    let storm = Storm::here();
    for _ in 0..20 {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let guard = one.lock().expect("free");
                tell.send(()).expect("heard");
                let until = storm.sent() + 5;
                while storm.sent() < until {
                    std::thread::yield_now();
                }
                drop(guard);
            });
            told.recv().expect("held");
            drop(other.lock().expect("it comes"));
        });
    }
    assert!(storm.sent() > 0);
}

#[test]
fn the_lock_of_a_killed_owner_is_free_also_while_it_is_a_zombie() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    for how in ["ofd", "range", "flock"] {
        let lock = open_lock(dir.join(how)).expect("a lock");
        let take = || match how {
            "ofd" => lock.try_lock(),
            "range" => lock.try_lock_range(0..11),
            _ => lock.try_flock(),
        };
        let child = spawn_holder(&dir.join(how), how);
        assert_eq!(kind(take()), ErrorKind::WouldBlock, "{how}");
        child.kill();
        child.wait_dead();
        // Nobody has reaped it.
        drop(take().unwrap_or_else(|error| panic!("{how}: {error}")));
    }
}

#[test]
fn a_blocked_waiter_gets_the_lock_when_its_owner_is_killed() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let child = spawn_holder(&dir.join("l"), "ofd");
    let lock = open_lock(dir.join("l")).expect("a lock");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| drop(lock.lock().expect("its owner dies")));
        child.kill();
        waiter.join().expect("it came");
    });
}

#[test]
fn a_child_with_a_copy_of_the_descriptor_keeps_the_lock_until_it_ends() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let (input, keep) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
    let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
    let child = Role::new("lock-forker")
        .argument(dir.join("l").display())
        .descriptor(&input)
        .descriptor(&tell)
        .spawn();
    drop((input, tell));
    let end = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut [0u8; 1]));
    assert_eq!(end, Ok(0));
    child.kill();
    child.wait_dead();
    let lock = open_lock(dir.join("l")).expect("a lock");
    assert_eq!(
        kind(lock.try_lock()),
        ErrorKind::WouldBlock,
        "the copy lives"
    );
    drop(keep);
    drop(lock.lock().expect("the copy's owner ends"));
}

#[test]
fn a_lock_file_that_is_removed_or_replaced_is_noticed() {
    let dir = TempDir::new();
    let path = dir.join("l");
    let lock = open_lock(&path).expect("a lock");
    let guard = lock.lock().expect("free");
    guard.check().expect("it stands");
    std::fs::remove_file(&path).expect("ours");
    assert_eq!(kind(guard.check()), ErrorKind::NotFound);
    drop(guard);
    assert_eq!(kind(lock.try_lock()), ErrorKind::NotFound);
    std::fs::write(&path, "").expect("another");
    assert_eq!(kind(lock.lock()), ErrorKind::NotFound);
    drop(open_lock(&path).expect("the new one").lock().expect("free"));
}

#[test]
fn a_stale_lock_file_is_just_a_file() {
    let dir = TempDir::new();
    std::fs::write(dir.join("l"), "12345\n").expect("ours");
    drop(
        open_lock(dir.join("l"))
            .expect("a lock")
            .try_lock()
            .expect("free"),
    );
    assert_eq!(std::fs::read(dir.join("l")).expect("there"), b"12345\n");
}

#[test]
fn any_descriptor_can_be_locked_and_a_copy_is_the_same_owner() {
    let dir = TempDir::new();
    let file = std::fs::File::create(dir.join("l")).expect("ours");
    let copy = file.try_clone().expect("a copy");
    let one = Lock::from_descriptor(OwnedFd::from(file)).expect("a lock");
    let same = Lock::from_descriptor(OwnedFd::from(copy)).expect("a lock");
    let _guard = one.flock().expect("free");
    drop(
        same.try_flock()
            .expect("the same owner, as the documentation says"),
    );
    std::fs::remove_file(dir.join("l")).expect("ours");
    assert_eq!(kind(same.try_lock()), ErrorKind::NotFound);
}
