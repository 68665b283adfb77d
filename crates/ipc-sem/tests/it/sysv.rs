//! System V sets: changes of several at once, what deaths undo, and every way to be refused.

use crate::stage::{await_ready, enter, for_ever, region, say_ready, spawn};
use ipc_sem::ErrorKind;
use ipc_sem::sysv::{MAX_VALUE, Operation, Options, Set};
use ipc_testkit::{Stage, Storm, TempDir, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

/// A set that is removed when the test ends, however it ends.
struct Removed(Set);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

fn set(values: &[u16]) -> Removed {
    Removed(Options::new().create_unnamed(values).expect("a set"))
}

fn take(index: u16, count: u16) -> Operation {
    Operation::take(index, count).expect("in range")
}

fn give(index: u16, count: u16) -> Operation {
    Operation::give(index, count).expect("in range")
}

#[test]
fn all_operations_are_done_or_none() {
    let _watchdog = watchdog(PATIENCE);
    let set = set(&[2, 0, 5]);
    let set = &set.0;
    set.apply(&[take(0, 2), give(1, 3)]).expect("possible");
    assert_eq!(set.values().expect("there"), [0, 3, 5]);
    let both = [take(2, 5), take(0, 1)];
    assert_eq!(
        set.try_apply(&both).expect_err("not both").kind(),
        ErrorKind::WouldBlock
    );
    let start = Instant::now();
    assert_eq!(
        set.apply_timeout(&both, SHORT).expect_err("no").kind(),
        ErrorKind::TimedOut
    );
    assert!(start.elapsed() >= SHORT);
    assert_eq!(
        set.apply_deadline(&both, start).expect_err("no").kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(set.values().expect("there"), [0, 3, 5]);
    set.apply_timeout(&[Operation::await_zero(0)], PATIENCE)
        .expect("it is nought");
    std::thread::scope(|scope| {
        scope.spawn(|| set.apply_timeout(&both, Duration::MAX).expect("in the end"));
        set.apply(&[give(0, 1).lasting()]).expect("possible");
    });
    assert_eq!(set.value(2).expect("there"), 0);
}

#[test]
fn what_is_out_of_range_is_refused_by_name() {
    let set = set(&[1, MAX_VALUE]);
    let set = &set.0;
    for count in [0, 32_768, u16::MAX] {
        assert_eq!(
            Operation::take(0, count).expect_err("range").kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            Operation::give(0, count).expect_err("range").kind(),
            ErrorKind::InvalidInput
        );
    }
    let above = set
        .try_apply(&[give(1, 1).lasting()])
        .expect_err("above the largest");
    assert_eq!(above.kind(), ErrorKind::LimitReached, "{above}");
    let missing = set.try_apply(&[take(2, 1)]).expect_err("no such semaphore");
    assert_eq!(missing.kind(), ErrorKind::InvalidInput, "{missing}");
    assert_eq!(
        set.value(2).expect_err("no such").kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        set.set_value(0, MAX_VALUE + 1).expect_err("above").kind(),
        ErrorKind::InvalidInput
    );
    set.set_value(0, MAX_VALUE).expect("the limit");
    let many = vec![Operation::await_zero(0); 100_000];
    assert_eq!(
        set.try_apply(&many).expect_err("too many").kind(),
        ErrorKind::TooLarge
    );
    for values in [&[][..], &[MAX_VALUE + 1]] {
        let error = Options::new().create_unnamed(values).expect_err("no set");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let huge = Options::new()
        .create_unnamed(&vec![0; 65_535])
        .expect_err("above SEMMSL");
    assert_eq!(huge.kind(), ErrorKind::LimitReached, "{huge}");
}

#[test]
fn status_and_mode_are_the_kernels() {
    let set = set(&[1, 2]);
    let status = set.0.status().expect("there");
    assert_eq!((status.count, status.mode), (2, 0o600));
    assert_eq!(status.uid, rustix::process::geteuid().as_raw());
    set.0.set_mode(0o640).expect("ours");
    assert_eq!(set.0.status().expect("there").mode, 0o640);
    assert_eq!(Set::from_id(set.0.id()).expect("there"), set.0);
}

#[test]
fn removal_ends_every_wait() {
    let _watchdog = watchdog(PATIENCE);
    let set = set(&[0]);
    std::thread::scope(|scope| {
        let waits = [0, 1].map(|form| {
            let set = set.0;
            scope.spawn(move || match form {
                0 => set.apply(&[take(0, 1)]),
                _ => set.apply_timeout(&[take(0, 1)], PATIENCE),
            })
        });
        std::thread::sleep(4 * SHORT);
        set.0.remove().expect("there");
        for wait in waits {
            let error = wait.join().expect("no panic").expect_err("removed");
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
    });
    for error in [
        set.0.remove().expect_err("gone"),
        set.0.try_apply(&[take(0, 1)]).expect_err("gone"),
        set.0.values().expect_err("gone"),
        Set::from_id(set.0.id()).expect_err("gone"),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

pub(crate) fn take_and_stay(given: Stage) {
    let (region, id) = enter(given);
    let set = Set::from_id(id.parse().expect("a number")).expect("there");
    set.apply(&[take(0, 2), take(1, 1).lasting()])
        .expect("possible");
    say_ready(&region);
    for_ever()
}

#[test]
fn a_death_undoes_what_is_not_lasting_and_wakes_who_waits() {
    let _watchdog = watchdog(PATIENCE);
    for _ in 0..10 {
        let region = region();
        let set = set(&[2, 1]);
        let holder = spawn("set holder", &region, &set.0.id().to_string());
        await_ready(&region, 1);
        assert_eq!(set.0.values().expect("there"), [0, 0]);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| set.0.apply(&[take(0, 2)]));
            holder.kill();
            waiter.join().expect("no panic").expect("undone");
        });
        assert_eq!(
            set.0.values().expect("there"),
            [0, 0],
            "the lasting one is not undone"
        );
    }
}

#[test]
fn a_name_leads_to_the_set_and_to_no_other() {
    let dir = TempDir::new();
    let mut options = Options::new();
    options.directory(dir.join("run"));
    let name: ipc_core::Name = "pool".parse().expect("a name");
    assert_eq!(
        options.open(&name).expect_err("none").kind(),
        ErrorKind::NotFound
    );
    let set = Removed(options.create(&name, &[3]).expect("new"));
    assert_eq!(
        options.create(&name, &[3]).expect_err("there").kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(options.open(&name).expect("there"), set.0);
    let path = dir.join("run").join("pool");
    let text = std::fs::read_to_string(&path).expect("a file");
    for bad in [
        "",
        "x",
        "1",
        "1 2 3",
        "-1 x",
        &"9".repeat(64),
        &format!("{} 1", set.0.id()),
    ] {
        std::fs::write(&path, bad).expect("ours");
        let error = options.open(&name).expect_err(bad);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad}: {error}");
    }
    std::fs::write(&path, text).expect("ours");
    options.unlink(&name).expect("there");
    assert_eq!(
        set.0.values().expect_err("removed").kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        std::fs::read_dir(dir.join("run")).expect("there").count(),
        0
    );
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let set = set(&[0, 0]);
    let set = &set.0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3_000 {
                set.apply(&[take(0, 1), give(1, 1)]).expect("it comes");
            }
        });
        let storm = Storm::here();
        for round in 0..3_000 {
            set.apply(&[give(0, 1)]).expect("room");
            match round % 2 {
                0 => set.apply(&[take(1, 1)]),
                _ => set.apply_timeout(&[take(1, 1)], PATIENCE),
            }
            .expect("an answer");
        }
        drop(storm);
    });
}
