//! The soak of ipc-event: notifications that add up, turns that nobody misses, events made anew.

use ipc_event::{Event, Options};
use ipc_testkit::crash::Lab;
use ipc_testkit::{Role, Stage, soak};
use std::process::ExitCode;

/// Notifications that the waiter collects in one turn.
const A_TURN: u64 = 1000;

fn main() -> ExitCode {
    soak::run(
        &[("notifier", notify_often), ("echo", echo)],
        &[
            ("sum", notifications_of_another_process),
            ("turns", turns_with_another_process),
            ("churn", events_made_and_dropped),
        ],
    )
}

fn event(stage: &mut Stage) -> Event {
    Event::from_descriptor(stage.descriptor()).expect("an eventfd")
}

fn notify_often(mut stage: Stage) {
    let turns: u64 = stage.argument(0).parse().expect("a number");
    let (there, back) = (event(&mut stage), event(&mut stage));
    for _ in 0..turns {
        for _ in 0..A_TURN {
            there.notify().expect("room");
        }
        assert_eq!(back.wait().expect("its word"), 1);
    }
}

fn notifications_of_another_process(lab: &mut Lab) {
    let notifications = lab.count(1_000_000, 100_000_000, 1_000_000_000);
    let (there, back) = (Options::new().create(), Options::new().create());
    let (there, back) = (there.expect("an event"), back.expect("an event"));
    let turns = notifications / A_TURN;
    let role = Role::new("notifier").argument(turns);
    let notifier = role.descriptor(&there).descriptor(&back).spawn();
    let what = format!("event: {notifications} notifications, {A_TURN} a turn");
    soak::repeat(lab, "S2", &what, turns, |_| {
        let mut sum = 0;
        while sum < A_TURN {
            sum += there.wait().map_err(|error| error.to_string())?;
        }
        back.notify().map_err(|error| error.to_string())?;
        match sum {
            A_TURN => Ok(()),
            more => Err(format!("{more} instead of {A_TURN}")),
        }
    });
    notifier.done();
}

fn echo(mut stage: Stage) {
    let turns: u64 = stage.argument(0).parse().expect("a number");
    let (there, back) = (event(&mut stage), event(&mut stage));
    for _ in 0..turns {
        assert_eq!(there.wait().expect("its word"), 1);
        back.notify().expect("room");
    }
}

fn turns_with_another_process(lab: &mut Lab) {
    let turns = lab.count(1_000_000, 100_000_000, 1_000_000_000);
    let there = ipc_event::create().expect("an event");
    let back = ipc_event::create().expect("an event");
    let role = Role::new("echo").argument(turns);
    let other = role.descriptor(&there).descriptor(&back).spawn();
    soak::repeat(
        lab,
        "C5",
        "event: turns with another process",
        turns,
        |_| {
            there.notify().map_err(|error| error.to_string())?;
            match back.wait().map_err(|error| error.to_string())? {
                1 => Ok(()),
                more => Err(format!("{more} at once")),
            }
        },
    );
    other.done();
}

fn events_made_and_dropped(lab: &mut Lab) {
    let count = lab.count(2_000, 10_000, 100_000);
    soak::repeat(lab, "S4", "event: made, used and dropped", count, |_| {
        let use_once = || {
            let event = ipc_event::create()?;
            event.notify()?;
            event.try_clone()?.try_wait()
        };
        match use_once() {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
