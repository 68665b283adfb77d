//! What `crash` and `soak` share: a test target without a harness in each crate that has one, run
//! at the counts of a tier; each prints its own table.

use clap::{Args, ValueEnum};
use xshell::cmd;

use crate::Outcome;
use crate::printed::say;
use crate::workspace::{Workspace, shell};

/// Which experiments run, and how often.
#[derive(Args)]
pub(crate) struct Choice {
    /// How many trials: push (seconds, part of `test`), nightly (minutes), weekly (hours)
    #[arg(long, value_enum, default_value = "push")]
    tier: Tier,
    /// Repeats the random choices of an earlier run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only this crate; may be given several times
    #[arg(short, long, value_name = "CRATE")]
    package: Vec<String>,
    /// Only experiments whose name contains one of these words
    words: Vec<String>,
}

/// How much is asked for.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Tier {
    /// With each change.
    Push,
    /// By night.
    Nightly,
    /// Before a release.
    Weekly,
}

/// Runs the test target `target` of each crate that has one, in release code, one after the other;
/// all of them, even where one has failures.
pub(crate) fn run(target: &str, choice: &Choice) -> Outcome {
    let workspace = Workspace::load()?;
    for name in &choice.package {
        workspace.package(name)?;
    }
    let laboratories: Vec<_> = (workspace.packages.iter())
        .filter(|package| package.dir.join(format!("tests/{target}.rs")).is_file())
        .filter(|package| choice.package.is_empty() || choice.package.contains(&package.name))
        .collect();
    if laboratories.is_empty() {
        return Err(format!("none of these crates has a tests/{target}.rs").into());
    }
    let tier = choice.tier.to_possible_value().expect("no tier is hidden");
    let tier = tier.get_name();
    let sh = shell()?;
    // Lazy binding would add hundreds of instructions of the loader to the first call.
    let _bound = sh.push_env("LD_BIND_NOW", "1");
    let mut failed = Vec::new();
    for package in laboratories {
        let name = &package.name;
        let seed = (choice.seed.iter()).flat_map(|seed| ["--seed".to_owned(), seed.to_string()]);
        let seed: Vec<String> = seed.collect();
        // All of them: an experiment may need any.
        let selection = Workspace::selection(&[package]);
        let words = &choice.words;
        say!("\n{name}");
        let ran = cmd!(
            sh,
            "cargo test --quiet --release {selection...} --test {target} -- --tier {tier} {seed...} {words...}"
        );
        if ran.quiet().run().is_err() {
            failed.push(name.as_str());
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("failures in {}", failed.join(", ")).into()),
    }
}
