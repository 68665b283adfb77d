//! The soak of rpc-native: sequences of calls from the contract, resets, replays, storms and spam.

#[path = "soak/counted.rs"]
mod counted;
#[path = "soak/plans.rs"]
mod plans;
#[path = "soak/replay.rs"]
mod replay;
#[path = "soak/resets.rs"]
mod resets;
#[path = "soak/sequences.rs"]
mod sequences;
#[path = "soak/storms.rs"]
mod storms;

use ipc_testkit::soak;
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[],
        &[
            ("sequences", sequences::of_the_contract),
            ("replay", replay::of_captured_calls),
            ("resets", resets::run_nothing_twice),
            ("storm", storms::of_deadlines),
            ("spam", storms::of_oneway_calls),
        ],
    )
}
