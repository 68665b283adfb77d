//! `cargo xtask test --stress N`: the same binaries over and over, to find tests that flake.

use std::collections::BTreeMap;
use std::time::Instant;

use super::report::Tally;
use super::run::Runner;
use super::targets::Target;
use crate::Outcome;
use crate::printed::say;

/// Runs every target `rounds` times; shows the output of a test's first failure only, and how
/// often each failed.
pub(crate) fn run(runner: &Runner<'_>, targets: &[Target], rounds: u32) -> Outcome {
    let mut tally = Tally::default();
    let mut failures: BTreeMap<String, u32> = BTreeMap::new();
    for round in 1..=rounds {
        let started = Instant::now();
        let mut failed = 0;
        for target in targets {
            let report = runner.run(target)?;
            let names: Vec<String> = report
                .failed
                .iter()
                .map(|name| format!("{}: {name}", report.label))
                .collect();
            if names.iter().any(|name| !failures.contains_key(name)) {
                report.print();
            }
            failed += names.len();
            for name in names {
                *failures.entry(name).or_default() += 1;
            }
            tally.add_silently(&report);
        }
        let took = started.elapsed().as_secs_f64();
        say!("round {round} of {rounds}: {failed} failed ({took:.1} s)");
    }
    say!();
    for (name, count) in &failures {
        let word = if *count == rounds { "fails" } else { "flakes" };
        say!("{word}: {count} of {rounds} rounds: {name}");
    }
    let flakes = failures.values().filter(|count| **count < rounds).count();
    say!("{rounds} rounds, {flakes} flaky tests");
    tally.finish()
}
