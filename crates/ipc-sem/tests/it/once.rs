//! Once: done by one, and by the next where one dies over it.

use crate::stage::{add, await_ready, counted, enter, for_ever, region, say_ready, spawn};
use ipc_sem::{ErrorKind, Once};
use ipc_testkit::{Stage, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

pub(crate) fn call(given: Stage) {
    let (region, how) = enter(given);
    let once = Once::open_trusted(&region, 0).expect("a once");
    if how == "die" {
        let _ = once.call(|_| {
            say_ready(&region);
            for_ever()
        });
    }
    say_ready(&region);
    once.call(|tries| add(&region, 1 + 100 * tries))
        .expect("done by somebody");
    assert!(once.is_done());
}

#[test]
fn many_call_and_one_does_it() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let once = Once::create_trusted(&region, 0).expect("a once");
    let crowd: Vec<_> = (0..8).map(|_| spawn("once caller", &region, "")).collect();
    for caller in crowd {
        caller.done();
    }
    assert_eq!(counted(&region), 1);
    assert!(!once.try_call(|_| unreachable!("it is done")).expect("done"));
}

#[test]
fn where_one_dies_over_it_the_next_does_it_and_is_told() {
    let _watchdog = watchdog(PATIENCE);
    for waiters in [1, 4, 1, 4, 1, 4, 1, 4, 16] {
        let region = region();
        let once = Once::create_trusted(&region, 0).expect("a once");
        let first = spawn("once caller", &region, "die");
        await_ready(&region, 1);
        assert_eq!(
            once.try_call(|_| {}).expect_err("at it").kind(),
            ErrorKind::WouldBlock
        );
        let late = once.call_timeout(|_| {}, SHORT).expect_err("at it");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let crowd: Vec<_> = (0..waiters)
            .map(|_| spawn("once caller", &region, ""))
            .collect();
        await_ready(&region, 1 + waiters);
        first.kill();
        for caller in crowd {
            caller.done();
        }
        assert_eq!(counted(&region), 101, "{waiters}");
    }
}

#[test]
fn work_that_panics_is_not_done_and_work_within_work_is_refused() {
    let region = region();
    let once = Once::create_trusted(&region, 0).expect("a once");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = once.call(|_| std::panic::resume_unwind(Box::new("on purpose")));
    }));
    assert!(panicked.is_err() && !once.is_done());
    let within = once.call(|tries| {
        assert_eq!(tries, 1);
        assert_eq!(
            once.call(|_| {}).expect_err("within").kind(),
            ErrorKind::Deadlock
        );
    });
    assert!(within.expect("done"));
}
