//! The event: set, taken, awaited across processes, and the death of who should set it.

use crate::stage::{
    add, await_asleep, await_ready, counted, enter, for_ever, region, say_ready, spawn,
};
use ipc_sem::{ErrorKind, Event, Options};
use ipc_testkit::{Stage, Storm, watchdog};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

#[test]
fn every_form_sees_what_is_set_and_waits_for_what_is_not() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let event = Event::create_trusted(&region, 0).expect("an event");
    assert_eq!(
        event.try_wait().expect_err("not set").kind(),
        ErrorKind::WouldBlock
    );
    let start = Instant::now();
    assert_eq!(
        event.wait_timeout(SHORT).expect_err("not set").kind(),
        ErrorKind::TimedOut
    );
    assert!(start.elapsed() >= SHORT);
    event.notify().expect("notify");
    event.wait().expect("set");
    event.try_wait().expect("set");
    event.wait_timeout(SHORT).expect("set");
    event.wait_deadline(start).expect("set");
    assert!(event.is_set() && event.reset() && !event.reset());
    let one = Options::new()
        .taken_by_one(true)
        .create_event_trusted(&region, 64 << 10);
    let one = one.expect("an event");
    one.notify().expect("notify");
    one.wait().expect("set");
    assert_eq!(
        one.try_wait().expect_err("taken").kind(),
        ErrorKind::WouldBlock
    );
}

pub(crate) fn wait_once(given: Stage) {
    let (region, _) = enter(given);
    let event = Event::open_trusted(&region, 0).expect("an event");
    say_ready(&region);
    match event.wait() {
        Ok(()) => add(&region, 1),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PeerDied);
            add(&region, 1000);
        }
    }
}

pub(crate) fn announce_only(given: Stage) {
    let (region, _) = enter(given);
    let event = Event::open_trusted(&region, 0).expect("an event");
    event.announce().expect("a seat");
    say_ready(&region);
    for_ever()
}

#[test]
fn one_notification_wakes_all_or_as_many_as_there_are() {
    let _watchdog = watchdog(PATIENCE);
    for taken in [false, true] {
        let region = region();
        let event = Options::new()
            .taken_by_one(taken)
            .create_event_trusted(&region, 0);
        let event = event.expect("an event");
        let crowd: Vec<_> = (0..4).map(|_| spawn("event waiter", &region, "")).collect();
        await_ready(&region, 4);
        if taken {
            for number in 0..4 {
                event.notify().expect("notify");
                while counted(&region) <= number {
                    std::thread::yield_now();
                }
            }
        } else {
            event.notify().expect("notify");
        }
        for waiter in crowd {
            waiter.done();
        }
        assert_eq!(counted(&region), 4);
    }
}

#[test]
fn the_death_of_a_notifier_ends_every_wait() {
    let _watchdog = watchdog(PATIENCE);
    for waiters in [1, 4, 16, 1, 4] {
        let region = region();
        let _event = Event::create_trusted(&region, 0).expect("an event");
        let notifier = spawn("event notifier", &region, "");
        await_ready(&region, 1);
        let crowd: Vec<_> = (0..waiters)
            .map(|_| spawn("event waiter", &region, ""))
            .collect();
        // All of them sleep: the death comes after they looked.
        await_ready(&region, 1 + waiters);
        await_asleep(&crowd);
        notifier.kill();
        for waiter in crowd {
            waiter.done();
        }
        assert_eq!(counted(&region), waiters * 1000);
    }
}

#[test]
fn no_notification_is_lost_in_a_storm_of_signals() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let taken = |offset| {
        let event = Options::new()
            .taken_by_one(true)
            .create_event_trusted(&region, offset);
        event.expect("an event")
    };
    let (there, back) = (taken(0), taken(64 << 10));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20_000 {
                there.wait().expect("it comes");
                back.notify().expect("notify");
            }
        });
        let storm = Storm::here();
        for round in 0..20_000 {
            there.notify().expect("notify");
            match round % 2 {
                0 => back.wait(),
                _ => back.wait_timeout(PATIENCE),
            }
            .expect("an answer");
        }
        drop(storm);
    });
}
