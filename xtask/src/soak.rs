//! `cargo xtask soak`: every crate's long runs, at the counts of a tier.

use crate::Outcome;
use crate::laboratory::{self, Choice};

/// Lets real processes talk for long, checks every message, and looks for what grows.
///
/// Runs the test target `soak` of each crate that has one, in release code. Every line says its
/// claim, its messages, its failures (lost, doubled, reordered or damaged ones, and leaks), the
/// bound on the failure rate that so many without a failure allow (3/N, 95 %), and how memory and
/// descriptors have changed.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
}

/// Runs them one after the other; all of them, even where one has failures.
pub(crate) fn run(args: &Args) -> Outcome {
    laboratory::run("soak", &args.choice)
}
