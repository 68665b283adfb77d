//! `cargo xtask crash`: every crate's crash laboratory, at the counts of a tier.

use clap::{Args as ClapArgs, ValueEnum};
use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Workspace, shell};

/// Kills processes inside operations and looks at what they leave: single steps, labelled points,
/// random moments.
///
/// Runs the test target `crash` of each crate that has one, in release code. Every experiment
/// prints its claim, its trials, its failures, and the bound on the failure rate that so many
/// trials without a failure allow (3/N, 95 %).
#[derive(ClapArgs)]
pub(crate) struct Args {
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

/// Runs the laboratories one after the other; all of them, even where one has failures.
pub(crate) fn run(args: &Args) -> Outcome {
    let workspace = Workspace::load()?;
    for name in &args.package {
        workspace.package(name)?;
    }
    let laboratories: Vec<_> = (workspace.packages.iter())
        .filter(|package| package.dir.join("tests/crash.rs").is_file())
        .filter(|package| args.package.is_empty() || args.package.contains(&package.name))
        .collect();
    if laboratories.is_empty() {
        return Err("none of these crates has a crash laboratory (tests/crash.rs)".into());
    }
    let tier = match args.tier {
        Tier::Push => "push",
        Tier::Nightly => "nightly",
        Tier::Weekly => "weekly",
    };
    let sh = shell()?;
    // Lazy binding would add hundreds of instructions of the loader to the first call.
    let _bound = sh.push_env("LD_BIND_NOW", "1");
    let mut failed = Vec::new();
    for package in laboratories {
        let name = &package.name;
        let seed = (args.seed.iter()).flat_map(|seed| ["--seed".to_owned(), seed.to_string()]);
        let seed: Vec<String> = seed.collect();
        let features: Vec<&str> = match package.features.iter().any(|f| f == "failpoints") {
            true => vec!["--features", "failpoints"],
            false => Vec::new(),
        };
        let words = &args.words;
        println!("\n{name}");
        let ran = cmd!(
            sh,
            "cargo test --quiet --release -p {name} {features...} --test crash -- --tier {tier} {seed...} {words...}"
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
