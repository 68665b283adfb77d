//! `cargo xtask ci`: everything a change must pass, in order, timed.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::unistd::Uid;
use xshell::cmd;

use crate::printed::{complain, say};
use crate::workspace::shell;
use crate::{Outcome, build_matrix, contract, docs, interop, models, test, tidy};

/// Runs what a change must pass: build, fmt, clippy, tidy, contract, test, confined, models, docs,
/// interop.
///
/// The step `confined` runs the tests as a user without rights. It needs root, to give it up: for
/// anybody else it is left out, and the table at the end says so. The step `interop` meets other
/// implementations of gRPC, and says which of them cannot be installed here, and why.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave this step out; may be repeated.
    #[arg(long, value_name = "STEP")]
    skip: Vec<Step>,
    /// Run the later steps even when one fails.
    #[arg(long)]
    keep_going: bool,
}

/// The steps, in the order in which they run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    Build,
    Fmt,
    Clippy,
    Tidy,
    Contract,
    Test,
    Confined,
    Models,
    Docs,
    Interop,
}

/// Runs the steps and ends with a table of what each took.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut rows: Vec<(String, &'static str, Duration)> = Vec::new();
    let mut failed = Vec::new();
    for step in Step::value_variants() {
        let name = step.name();
        if args.skip.contains(step) {
            rows.push((name, "left out", Duration::ZERO));
            continue;
        }
        if !failed.is_empty() && !args.keep_going {
            rows.push((name, "not reached", Duration::ZERO));
            continue;
        }
        if let Some(why) = step.cannot_run() {
            say!("\n=== {name}\nSKIPPED {name}: {why}");
            rows.push((name, "SKIPPED", Duration::ZERO));
            continue;
        }
        say!("\n=== {name}");
        let started = Instant::now();
        let outcome = step.run();
        if let Err(error) = &outcome {
            complain!("error: {error}");
            failed.push(name.clone());
        }
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        rows.push((name, word, started.elapsed()));
    }
    say!();
    for (name, word, took) in &rows {
        say!("{name:<8} {word:<12} {:>7.1} s", took.as_secs_f64());
    }
    let total: Duration = rows.iter().map(|(_, _, took)| *took).sum();
    say!("{:<21} {:>7.1} s", "total", total.as_secs_f64());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value()
            .expect("no step is hidden")
            .get_name()
            .to_owned()
    }

    /// Why this host cannot run it.
    fn cannot_run(self) -> Option<&'static str> {
        let needs_root = self == Self::Confined && !Uid::effective().is_root();
        needs_root.then_some(
            "needs root, to take it away from the tests: `sudo cargo xtask test --confined`",
        )
    }

    fn run(self) -> Outcome {
        let sh = shell()?;
        match self {
            Self::Build => build_matrix::run(&build_matrix::Args::all()),
            Self::Fmt => Ok(cmd!(sh, "cargo fmt --all --check").run()?),
            Self::Clippy => {
                let scope = ["--workspace", "--all-targets", "--all-features"];
                Ok(cmd!(sh, "cargo clippy --quiet {scope...} -- -D warnings").run()?)
            }
            Self::Tidy => tidy::run(),
            Self::Contract => contract::run(&contract::Args::check()),
            Self::Test => test::run(&test::Args::all()),
            Self::Confined => test::run(&test::Args::all_confined()),
            Self::Models => models::run(&models::Args::all()),
            Self::Docs => docs::run(&docs::Args::default()),
            Self::Interop => interop::run(&interop::Args::what_is_here()),
        }
    }
}
