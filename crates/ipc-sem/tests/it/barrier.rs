//! The barrier: rounds of processes, and the death of one of them.

use crate::stage::{add, await_asleep, await_ready, counted, enter, region, say_ready, spawn};
use ipc_sem::{Barrier, ErrorKind, MAX_PARTICIPANTS};
use ipc_testkit::{Stage, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);
const ROUNDS: u32 = 500;

pub(crate) fn come(given: Stage) {
    let (region, how) = enter(given);
    let barrier = Barrier::open_trusted(&region, 0).expect("a barrier");
    if how == "once" {
        say_ready(&region);
        let error = barrier.wait().expect_err("never all");
        assert_eq!(error.kind(), ErrorKind::PeerDied);
        add(&region, 1);
        return;
    }
    for round in 0..ROUNDS {
        add(&region, 1);
        barrier.wait().expect("all come");
        // Nobody is ahead by more than one round, and none behind.
        let seen = counted(&region);
        assert!(
            (4 * (round + 1)..=4 * (round + 2)).contains(&seen),
            "{round}: {seen}"
        );
        barrier.wait().expect("all come");
    }
}

#[test]
fn four_processes_go_round_by_round() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let _barrier = Barrier::create_trusted(&region, 0, 4).expect("a barrier");
    let crowd: Vec<_> = (0..4)
        .map(|_| spawn("barrier party", &region, "rounds"))
        .collect();
    for party in crowd {
        party.done();
    }
    assert_eq!(counted(&region), 4 * ROUNDS);
}

#[test]
fn the_death_of_one_ends_the_wait_of_all_until_it_is_repaired() {
    let _watchdog = watchdog(PATIENCE);
    for others in [1u32, 4, 1, 4, 16] {
        let region = region();
        let barrier = Barrier::create_trusted(&region, 0, others + 2).expect("a barrier");
        let victim = spawn("barrier party", &region, "once");
        let crowd: Vec<_> = (0..others)
            .map(|_| spawn("barrier party", &region, "once"))
            .collect();
        await_ready(&region, 1 + others);
        // That it has a seat shows only to it: who sleeps has one.
        await_asleep(crowd.iter().chain([&victim]));
        victim.kill();
        for party in crowd {
            party.done();
        }
        assert_eq!(counted(&region), others);
        assert_eq!(
            barrier.wait().expect_err("broken").kind(),
            ErrorKind::PeerDied
        );
        assert!(barrier.repair() && !barrier.repair());
        let error = barrier.wait_timeout(SHORT).expect_err("alone");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

#[test]
fn one_whose_time_is_over_has_not_come() {
    let _watchdog = watchdog(PATIENCE);
    let region = region();
    let barrier = Barrier::create_trusted(&region, 0, 2).expect("a barrier");
    assert_eq!(
        barrier.try_wait().expect_err("alone").kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        barrier.wait_timeout(SHORT).expect_err("alone").kind(),
        ErrorKind::TimedOut
    );
    std::thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait().expect("two"));
        let mine = barrier.wait().expect("two");
        assert!(mine ^ other.join().expect("no panic"), "one is the last");
    });
    for parties in [0, MAX_PARTICIPANTS as u32 + 1] {
        let error = Barrier::create_trusted(&region, 64 << 10, parties).expect_err("a limit");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
