//! POSIX semaphores: names, forms, limits, and the token that a death takes along.

use crate::stage::{SECOND, await_ready, enter, for_ever, region, say_ready, spawn};
use ipc_sem::posix::{self, MAX_COUNT, Options, Semaphore};
use ipc_sem::{ErrorKind, posix::unlink};
use ipc_testkit::{Stage, Storm, isolated, set_umask, watchdog};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

fn name(what: &str) -> ipc_core::Name {
    format!("ipc-sem-test.{}.{what}", std::process::id())
        .parse()
        .expect("a name")
}

#[test]
fn every_form_takes_a_token_and_waits_for_none() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let name = name("forms");
    let named = posix::create(&name, 4).expect("new");
    let unnamed = Semaphore::create_trusted(&region, 0, 4).expect("new");
    for semaphore in [&named, &unnamed] {
        semaphore.acquire().expect("there");
        semaphore.try_acquire().expect("there");
        semaphore.acquire_timeout(Duration::MAX).expect("there");
        semaphore
            .acquire_deadline(Instant::now() + PATIENCE)
            .expect("there");
        assert_eq!(
            semaphore.try_acquire().expect_err("none").kind(),
            ErrorKind::WouldBlock
        );
        let start = Instant::now();
        let late = semaphore.acquire_timeout(SHORT).expect_err("none");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
        semaphore.release().expect("room");
        assert_eq!(semaphore.count(), 1);
    }
    posix::open(&name)
        .expect("found")
        .acquire()
        .expect("the one token");
    assert_eq!(named.count(), 0);
    let twice = posix::create(&name, 1).expect_err("it is there");
    assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
    posix::open_or_create(&name, 9).expect("found");
    unlink(&name).expect("there");
    assert_eq!(unlink(&name).expect_err("gone").kind(), ErrorKind::NotFound);
    assert_eq!(
        posix::open(&name).expect_err("gone").kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn the_largest_count_is_kept_and_one_more_refused() {
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, MAX_COUNT).expect("the limit");
    assert_eq!(
        semaphore.release().expect_err("above").kind(),
        ErrorKind::LimitReached
    );
    let more = Semaphore::create_trusted(&region, SECOND, MAX_COUNT + 1).expect_err("above");
    assert_eq!(more.kind(), ErrorKind::InvalidInput);
    let more = posix::create(&name("limit"), MAX_COUNT + 1).expect_err("above");
    assert_eq!(more.kind(), ErrorKind::InvalidInput);
    let missing = Semaphore::open_trusted(&region, SECOND).expect_err("nothing was made");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_named_one_has_exactly_its_mode_and_a_strange_one_is_refused() {
    isolated!({
        for (umask, mode) in [(0, 0o600), (0o777, 0o600), (0, 0o644), (0o077, 0o666)] {
            let name = name("mode");
            let before = set_umask(umask);
            let made = Options::new().mode(mode).create(&name, 1);
            set_umask(before);
            made.expect("new");
            let path = format!("/dev/shm/sem.{name}");
            let found = std::fs::metadata(&path).expect("there").permissions();
            assert_eq!(found.mode() & 0o777, mode);
            if mode & 0o022 != 0 {
                let error = posix::open(&name).expect_err("strangers may write");
                assert_eq!(error.kind(), ErrorKind::Denied);
                Options::new().mode(mode).open(&name).expect("meant");
            } else {
                posix::open(&name).expect("ours");
            }
            unlink(&name).expect("ours");
        }
        let name = name("link");
        let path = format!("/dev/shm/sem.{name}");
        std::os::unix::fs::symlink("/etc/passwd", &path).expect("a link");
        assert_eq!(
            posix::open(&name).expect_err("a link").kind(),
            ErrorKind::WrongType
        );
        assert_eq!(
            posix::create(&name, 1).expect_err("a link").kind(),
            ErrorKind::AlreadyExists
        );
        std::fs::remove_file(&path).expect("ours");
    });
}

pub(crate) fn take_and_stay(given: Stage) {
    let (region, _) = enter(given);
    let semaphore = Semaphore::open_trusted(&region, 0).expect("a semaphore");
    semaphore.acquire().expect("there");
    say_ready(&region);
    for_ever()
}

#[test]
fn the_token_of_a_dead_holder_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let semaphore = Semaphore::create_trusted(&region, 0, 1).expect("a semaphore");
    let holder = spawn("token holder", &region, "");
    await_ready(&region, 1);
    holder.kill();
    holder.wait_dead();
    drop(holder);
    let error = semaphore
        .acquire_timeout(20 * SHORT)
        .expect_err("lost for ever");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let there = Semaphore::create_trusted(&region, 0, 0).expect("a semaphore");
    let back = Semaphore::create_trusted(&region, SECOND, 0).expect("a semaphore");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5_000 {
                there.acquire().expect("it comes");
                back.release().expect("room");
            }
        });
        let storm = Storm::here();
        for round in 0..5_000 {
            there.release().expect("room");
            if round % 2 == 0 {
                back.acquire()
            } else {
                back.acquire_timeout(PATIENCE)
            }
            .expect("an answer");
        }
        drop(storm);
    });
}
