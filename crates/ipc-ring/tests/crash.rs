//! The laboratory of rings: deaths of either side at any instruction and at any time.

#[path = "crash/casts.rs"]
mod casts;
#[path = "crash/deaths.rs"]
mod deaths;
#[path = "crash/gifts.rs"]
mod gifts;
#[path = "crash/joins.rs"]
mod joins;
#[path = "crash/labels.rs"]
mod labels;
#[path = "it/liar.rs"]
mod liar;
#[path = "crash/liars.rs"]
mod liars;
#[path = "crash/polled.rs"]
mod polled;
#[path = "crash/queue_labels.rs"]
mod queue_labels;
#[path = "crash/queue_lies.rs"]
mod queue_lies;
#[path = "crash/queue_steps.rs"]
mod queue_steps;
#[path = "crash/queue_waits.rs"]
mod queue_waits;
#[path = "crash/queues.rs"]
mod queues;
#[path = "crash/states.rs"]
mod states;
#[path = "crash/steps.rs"]
mod steps;
#[path = "crash/stops.rs"]
mod stops;
#[path = "crash/wakes.rs"]
mod wakes;

use ipc_testkit::crash::{Lab, laboratory};
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::var(labels::PART).as_deref() {
        Ok("member") => {
            queue_labels::live();
            return ExitCode::SUCCESS;
        }
        Ok(_) => {
            labels::live();
            return ExitCode::SUCCESS;
        }
        Err(_) => {}
    }
    laboratory(&[OF_ONE_WRITER, OF_QUEUES].concat())
}

type Experiment = (&'static str, fn(&mut Lab));

const OF_ONE_WRITER: &[Experiment] = &[
    ("a sender killed at each instruction", steps::of_a_sender),
    (
        "a receiver killed at each instruction",
        steps::of_a_receiver,
    ),
    ("each label", labels::of_a_life),
    ("a sender given away", gifts::of_a_sender),
    ("a receiver given away", gifts::of_a_receiver),
    (
        "a broadcaster killed at each instruction",
        joins::of_a_writer,
    ),
    (
        "a subscriber killed at each instruction",
        joins::of_a_reader,
    ),
    (
        "a broadcaster killed as it forgets a dead reader",
        joins::of_a_forgetful_writer,
    ),
    ("each state of sending", states::of_sending),
    ("each state of receiving", states::of_receiving),
    ("each state of broadcasting", states::of_broadcasting),
    ("a sender killed at random", deaths::of_a_sender),
    ("a receiver killed at random", deaths::of_a_receiver),
    ("a broadcaster killed at random", casts::of_a_writer),
    ("a subscriber killed at random", casts::of_a_reader),
    (
        "a death that nobody has reaped",
        stops::a_death_shows_unreaped,
    ),
    ("a stop is no death", stops::a_stop_is_no_death),
    ("residue", stops::nothing_is_left),
    (
        "a hostile word before each instruction",
        liars::before_each_instruction,
    ),
    ("hostile words all the time", liars::all_the_time),
    ("hostile bits", liars::each_flip),
    ("system calls of who polls", polled::no_system_call),
    (
        "broadcast: system calls of who polls",
        polled::no_system_call_of_a_broadcast,
    ),
    ("time of who is blocked", polled::no_time_while_blocked),
    ("wake-ups", wakes::no_wake_up_is_lost),
    ("storm", wakes::a_storm_of_signals_changes_nothing),
];

const OF_QUEUES: &[Experiment] = &[
    ("each label of a queue", queue_labels::of_a_member),
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
    (
        "a producer of a queue killed at random",
        queues::of_a_producer,
    ),
    (
        "a consumer of a queue killed at random",
        queues::of_a_consumer,
    ),
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
];
