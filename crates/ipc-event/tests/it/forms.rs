//! What each form of each verb does, alone and in a storm of signals.

use ipc_core::{Interest, Pollable, Until};
use ipc_event::{ErrorKind, MAX_COUNT, Options};
use ipc_testkit::{Storm, allocations, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

#[test]
fn every_form_notifies_and_waits() {
    let _watchdog = watchdog(PATIENCE);
    let event = ipc_event::create().expect("an event");
    let late = Instant::now() + PATIENCE;
    event.notify().expect("notify");
    assert_eq!(event.wait().expect("wait"), 1);
    event.try_notify().expect("try_notify");
    assert_eq!(event.try_wait().expect("try_wait"), 1);
    event.notify_timeout(Duration::MAX).expect("notify_timeout");
    assert_eq!(event.wait_timeout(Duration::MAX).expect("wait_timeout"), 1);
    event.notify_deadline(late).expect("notify_deadline");
    assert_eq!(event.wait_deadline(late).expect("wait_deadline"), 1);
}

#[test]
fn a_counter_gives_all_and_a_semaphore_one_at_a_time() {
    let counter = Options::new().initial_count(3).create().expect("an event");
    counter.notify().expect("notify");
    assert_eq!(counter.try_wait().expect("four"), 4);
    let permits = Options::new()
        .initial_count(2)
        .semaphore(true)
        .create()
        .expect("an event");
    assert_eq!(permits.try_wait().expect("one"), 1);
    assert_eq!(permits.try_wait().expect("two"), 1);
    assert_eq!(
        permits.try_wait().expect_err("none").kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn nothing_there_makes_no_form_wait_too_short() {
    let _watchdog = watchdog(PATIENCE);
    let event = ipc_event::create().expect("an event");
    assert_eq!(
        event.try_wait().expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
    let start = Instant::now();
    assert_eq!(
        event.wait_timeout(SHORT).expect_err("nothing").kind(),
        ErrorKind::TimedOut
    );
    assert!(start.elapsed() >= SHORT);
    assert_eq!(
        event.wait_deadline(start).expect_err("past").kind(),
        ErrorKind::TimedOut
    );
}

#[test]
fn a_full_counter_makes_notify_wait_and_says_so() {
    let _watchdog = watchdog(PATIENCE);
    let event = ipc_event::create().expect("an event");
    rustix::io::write(&event, &MAX_COUNT.to_ne_bytes()).expect("the limit fits");
    assert_eq!(
        event.try_notify().expect_err("full").kind(),
        ErrorKind::WouldBlock
    );
    let start = Instant::now();
    assert_eq!(
        event.notify_timeout(SHORT).expect_err("full").kind(),
        ErrorKind::TimedOut
    );
    assert!(start.elapsed() >= SHORT);
    std::thread::scope(|scope| {
        scope.spawn(|| event.notify().expect("there will be room"));
        assert_eq!(event.wait().expect("it was full"), MAX_COUNT);
        assert_eq!(event.wait().expect("the one that waited"), 1);
    });
}

#[test]
fn a_description_that_does_not_block_is_waited_on_all_the_same() {
    let _watchdog = watchdog(PATIENCE);
    let flags = rustix::event::EventfdFlags::NONBLOCK | rustix::event::EventfdFlags::CLOEXEC;
    let fd = rustix::event::eventfd(0, flags).expect("an eventfd");
    let event = ipc_event::Event::from_descriptor(fd).expect("an eventfd");
    let other = event.try_clone().expect("a descriptor");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(event.wait().expect("it comes"), 1));
        other
            .wait_ready(&[Interest::Write], Until::Forever)
            .expect("room");
        other.notify().expect("notify");
    });
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let there = ipc_event::create().expect("an event");
    let back = ipc_event::create().expect("an event");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2_000 {
                assert_eq!(there.wait().expect("wait"), 1);
                back.notify().expect("notify");
            }
        });
        let storm = Storm::here();
        for round in 0..2_000 {
            there.notify().expect("notify");
            let took = match round % 3 {
                0 => back.wait(),
                1 => back.wait_timeout(Duration::MAX),
                _ => back.wait_deadline(Instant::now() + PATIENCE),
            };
            assert_eq!(took.expect("an answer"), 1);
        }
        // However few of them met a sleeping call: this one sleeps through many.
        let start = Instant::now();
        let late = back.wait_timeout(20 * SHORT).expect_err("nothing more");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= 20 * SHORT && storm.sent() > 0);
    });
}

#[test]
fn no_form_allocates() {
    let event = ipc_event::create().expect("an event");
    let count = allocations(|| {
        for _ in 0..100 {
            event.notify().expect("notify");
            event.try_notify().expect("notify");
            assert_eq!(event.wait().expect("wait"), 2);
            assert_eq!(
                event.try_wait().expect_err("nothing").kind(),
                ErrorKind::WouldBlock
            );
        }
    });
    // The refusals keep the system's error nowhere: nothing to allocate.
    assert_eq!(count, 0);
}
