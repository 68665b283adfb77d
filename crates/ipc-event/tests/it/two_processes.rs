//! Two processes and one event; and a notifier that is killed.

use ipc_event::{Event, Options};
use ipc_testkit::{Role, Stage, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const ROUNDS: u64 = 10_000;

pub(crate) fn echo(mut stage: Stage) {
    let there = Event::from_descriptor(stage.descriptor()).expect("an eventfd");
    let back = Event::from_descriptor(stage.descriptor()).expect("an eventfd");
    for _ in 0..ROUNDS {
        assert_eq!(there.wait().expect("wait"), 1);
        back.notify().expect("notify");
    }
}

#[test]
fn no_wake_up_is_lost_between_two_processes() {
    let _watchdog = watchdog(PATIENCE);
    let there = ipc_event::create().expect("an event");
    let back = ipc_event::create().expect("an event");
    let child = Role::new("echo")
        .descriptor(&there)
        .descriptor(&back)
        .spawn();
    for round in 0..ROUNDS {
        there.notify().expect("notify");
        let took = if round % 2 == 0 {
            back.wait()
        } else {
            back.wait_timeout(PATIENCE)
        };
        assert_eq!(took.expect("an answer"), 1);
    }
    child.done();
}

pub(crate) fn notify_some(mut stage: Stage) {
    let event = Event::from_descriptor(stage.descriptor()).expect("an eventfd");
    for _ in 0..5 {
        event.notify().expect("notify");
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn what_a_killed_process_notified_stays() {
    let _watchdog = watchdog(PATIENCE);
    let event = Options::new().semaphore(true).create().expect("an event");
    let child = Role::new("notifier").descriptor(&event).spawn();
    for _ in 0..3 {
        assert_eq!(event.wait().expect("notified"), 1);
    }
    // It goes on to five or dies before: what it did notify is there.
    assert_eq!(event.wait().expect("notified"), 1);
    assert_eq!(event.wait().expect("notified"), 1);
    child.kill();
    child.wait_dead();
    assert!(event.try_wait().is_err());
}
