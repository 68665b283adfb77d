//! `--self-test`: shows that a comparison passes when nothing changed and fails when something did.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Bench;
use crate::Outcome;
use crate::printed::say;

/// Comparisons of the bench with a copy of itself, all of which must pass.
const ROUNDS: usize = 10;

/// The mechanism that is slowed down, and by how many percent.
const PLANT: &str = "pipe:10";

/// What is compared, and what must come of it.
#[derive(Clone)]
struct Trial {
    name: &'static str,
    flag: Option<&'static str>,
    must_pass: bool,
}

const SAME: Trial = Trial {
    name: "this tree with itself",
    flag: None,
    must_pass: true,
};
const SLOWER: Trial = Trial {
    name: "this tree slowed by 10 %",
    flag: Some("--plant"),
    must_pass: false,
};
const FASTER: Trial = Trial {
    name: "the base slowed by 10 %",
    flag: Some("--plant-base"),
    must_pass: true,
};

/// Runs the comparisons and prints a table of what each should have done and did.
pub(super) fn run(bench: &Bench, args: &[OsString]) -> Outcome {
    fs::create_dir_all(&bench.scratch)?;
    // Another file, so that nothing which depends on a path or an inode is shared.
    let copy = bench.scratch.join("ipc-bench-copy");
    fs::copy(&bench.executable, &copy)?;
    let summary = bench.scratch.join("self-test.md");
    let trials = std::iter::repeat_n(SAME, ROUNDS).chain([SLOWER, FASTER]);
    let (mut number, mut wrong) = (0, 0);
    for trial in trials {
        number += 1;
        let started = Instant::now();
        let passed = trial.passes(bench, &copy, &summary, args)?;
        wrong += usize::from(passed != trial.must_pass);
        say!(
            "{number:>2}  {:<26} {:<10} {:<7} {:<10} {:>4.0} s",
            trial.name,
            if trial.must_pass {
                "must pass"
            } else {
                "must fail"
            },
            if passed { "passed" } else { "failed" },
            if passed == trial.must_pass {
                "as it must"
            } else {
                "WRONG"
            },
            started.elapsed().as_secs_f64(),
        );
    }
    fs::remove_file(&copy)?;
    fs::remove_file(&summary)?;
    match wrong {
        0 => Ok(()),
        _ => Err(format!("{wrong} of {number} comparisons came out wrong").into()),
    }
}

impl Trial {
    /// Whether the bench lets the comparison pass. Only a run that wrote its summary has compared
    /// anything; one that broke down has an exit code of its own.
    fn passes(
        &self,
        bench: &Bench,
        copy: &PathBuf,
        summary: &PathBuf,
        args: &[OsString],
    ) -> Outcome<bool> {
        let _ = fs::remove_file(summary);
        let mut command = Command::new(&bench.executable);
        command
            .args(args)
            .arg("--against")
            .arg(copy)
            .arg("--summary")
            .arg(summary);
        if let Some(flag) = self.flag {
            command.args([flag, PLANT]);
        }
        let code = command.stdout(Stdio::null()).status()?.code();
        match (code, summary.exists()) {
            (Some(0), true) => Ok(true),
            (Some(1), true) => Ok(false),
            _ => Err(format!("{command:?} gave no verdict (exit code {code:?})").into()),
        }
    }
}
