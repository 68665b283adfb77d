//! The soak of rpc-native: sequences of calls from the contract, resets, replays, storms, spam, and
//! attacks in which somebody else's calls are timed.

#[path = "soak/counted.rs"]
mod counted;
#[path = "soak/dawdlers.rs"]
mod dawdlers;
#[path = "soak/deadlines.rs"]
mod deadlines;
#[path = "soak/descriptors.rs"]
mod descriptors;
#[path = "soak/dropped.rs"]
mod dropped;
#[path = "soak/nesting.rs"]
mod nesting;
#[path = "soak/plans.rs"]
mod plans;
#[path = "soak/replay.rs"]
mod replay;
#[path = "soak/resets.rs"]
mod resets;
#[path = "soak/sequences.rs"]
mod sequences;
#[path = "soak/spam.rs"]
mod spam;
#[path = "soak/storms.rs"]
mod storms;
#[path = "soak/target.rs"]
mod target;
#[path = "soak/victim.rs"]
mod victim;

use ipc_testkit::soak;
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[
            ("target", target::serve),
            ("blocking-target", target::serve_blocking),
            ("dawdlers", dawdlers::dawdle),
            ("spam", spam::spam),
        ],
        &[
            ("sequences", sequences::of_the_contract),
            ("replay", replay::of_captured_calls),
            ("resets", resets::run_nothing_twice),
            ("storm", storms::of_deadlines),
            ("deadlines", deadlines::overshoot),
            ("spam", storms::of_oneway_calls),
            ("spam-others", spam::delays_nobody),
            ("dawdlers", dawdlers::hinder_nobody),
            ("descriptors", descriptors::run_out_and_come_back),
            ("nesting", nesting::ends_early),
            ("dropped", dropped::calls_reach_their_handlers),
        ],
    )
}
