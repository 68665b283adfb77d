//! `cargo xtask crash`: every crate's crash laboratory, at the counts of a tier.

use crate::Outcome;
use crate::laboratory::{self, Choice};

/// Kills processes inside operations and looks at what they leave: single steps, labelled points,
/// random moments.
///
/// Runs the test target `crash` of each crate that has one, in release code. Every experiment
/// prints its claim, its trials, its failures, and the bound on the failure rate that so many
/// trials without a failure allow (3/N, 95 %).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
}

/// Runs the laboratories one after the other; all of them, even where one has failures.
pub(crate) fn run(args: &Args) -> Outcome {
    laboratory::run("crash", &args.choice)
}
