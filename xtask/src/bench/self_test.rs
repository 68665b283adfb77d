//! `--self-test`: shows that a comparison passes when nothing changed and fails when something did.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Bench;
use crate::Outcome;

/// Comparisons of the bench with a copy of itself, all of which must pass.
const ROUNDS: usize = 10;

/// The mechanism that is slowed down, and by how many percent.
const PLANT: &str = "pipe:10";

/// Runs the comparisons and prints a table of what each should have done and did.
pub(super) fn run(bench: &Bench, args: &[OsString]) -> Outcome {
    fs::create_dir_all(&bench.scratch)?;
    // Another file, so that nothing which depends on a path or an inode is shared.
    let copy = bench.scratch.join("ipc-bench-copy");
    fs::copy(&bench.executable, &copy)?;
    let mut wrong = 0;
    for round in 1..=ROUNDS + 1 {
        let planted = round > ROUNDS;
        let started = Instant::now();
        let passed = compare(bench, &copy, args, planted)?;
        let ok = passed != planted;
        wrong += usize::from(!ok);
        println!(
            "{round:>2}  {:<24} {:<14} {:<6} {} ({:.0} s)",
            if planted { "this tree slowed by 10 %" } else { "this tree with itself" },
            if planted { "must fail" } else { "must pass" },
            if passed { "passed" } else { "failed" },
            if ok { "as it must" } else { "WRONG" },
            started.elapsed().as_secs_f64(),
        );
    }
    fs::remove_file(&copy)?;
    match wrong {
        0 => Ok(()),
        _ => Err(format!("{wrong} of {} comparisons came out wrong", ROUNDS + 1).into()),
    }
}

/// Whether the bench lets the comparison pass. Only exit codes 0 and 1 are verdicts.
fn compare(bench: &Bench, copy: &Path, args: &[OsString], planted: bool) -> Outcome<bool> {
    let mut command = Command::new(&bench.executable);
    command.args(args).arg("--against").arg(copy).stdout(Stdio::null());
    if planted {
        command.args(["--plant", PLANT]);
    }
    match command.status()?.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        code => Err(format!("{command:?} gave no verdict (exit code {code:?})").into()),
    }
}
