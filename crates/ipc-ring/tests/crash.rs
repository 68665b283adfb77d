//! The laboratory of rings: deaths of either side at any instruction and at any time.

#[path = "crash/casts.rs"]
mod casts;
#[path = "crash/deaths.rs"]
mod deaths;
#[path = "crash/polled.rs"]
mod polled;
#[path = "crash/queue_lies.rs"]
mod queue_lies;
#[path = "crash/queue_steps.rs"]
mod queue_steps;
#[path = "crash/queue_waits.rs"]
mod queue_waits;
#[path = "crash/queues.rs"]
mod queues;
#[path = "crash/steps.rs"]
mod steps;
#[path = "crash/wakes.rs"]
mod wakes;

use ipc_testkit::crash::laboratory;
use std::process::ExitCode;

fn main() -> ExitCode {
    laboratory(&[
        ("a sender killed at each instruction", steps::of_a_sender),
        (
            "a receiver killed at each instruction",
            steps::of_a_receiver,
        ),
        ("a sender killed at random", deaths::of_a_sender),
        ("a receiver killed at random", deaths::of_a_receiver),
        (
            "a producer of a queue killed at each instruction",
            queue_steps::of_a_producer,
        ),
        (
            "a consumer of a queue killed at each instruction",
            queue_steps::of_a_consumer,
        ),
        (
            "who recovers a queue killed at each instruction",
            queue_steps::of_who_recovers,
        ),
        ("queue: lies", queue_lies::before_each_instruction),
        ("the last of a queue killed at random", queues::of_the_last),
        ("a queue mended by many", queues::before_many),
        ("a broadcaster killed at random", casts::of_a_writer),
        ("a subscriber killed at random", casts::of_a_reader),
        (
            "a producer of a queue killed at random",
            queues::of_a_producer,
        ),
        (
            "a consumer of a queue killed at random",
            queues::of_a_consumer,
        ),
        ("system calls of who polls", polled::no_system_call),
        ("time of who is blocked", polled::no_time_while_blocked),
        ("wake-ups", wakes::no_wake_up_is_lost),
        ("storm", wakes::a_storm_of_signals_changes_nothing),
        (
            "queue: system calls of who polls",
            queue_waits::no_system_call,
        ),
        (
            "queue: time of who is blocked",
            queue_waits::no_time_while_blocked,
        ),
        ("queue: wake-ups", queue_waits::no_wake_up_is_lost),
        (
            "queue: a sleeper's seat",
            queue_waits::a_dead_sleeper_is_not_woken_in_anothers_place,
        ),
        (
            "queue: storm",
            queue_waits::a_storm_of_signals_changes_nothing,
        ),
    ])
}
