//! `cargo xtask models --spin`: protocols with a death at any step, every state of them.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::Outcome;
use crate::printed::say;
use crate::scratch::Scratch;
use crate::workspace::{Workspace, shell};

/// What the search may use, in MiB, and how deep it may go.
const MEMORY: &str = "-DMEMLIM=12000";
const DEPTH: &str = "-m1000000";

/// Searches every `models/*.pml` of the crates that have some, in each of its variants; and sees
/// that each of the mistakes that it says are planted in it is found.
pub(super) fn run(workspace: &Workspace, packages: &[String]) -> Outcome {
    let sh = shell()?;
    for tool in ["spin", "gcc"] {
        if cmd!(sh, "which {tool}")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_err()
        {
            say!("skipped: `{tool}` is not installed (Debian: apt-get install {tool})");
            return Ok(());
        }
    }
    let scratch = Scratch::outside("spin")?;
    sh.change_dir(scratch.dir());
    let mut failed = Vec::new();
    for package in &workspace.packages {
        let wanted = packages.is_empty() || packages.contains(&package.name);
        let Ok(entries) = std::fs::read_dir(package.dir.join("models")) else {
            continue;
        };
        let models = entries.flatten().map(|entry| entry.path());
        let models = models.filter(|path| path.extension().is_some_and(|end| end == "pml"));
        let mut models: Vec<_> = models.filter(|_| wanted).collect();
        models.sort();
        for model in models {
            say!("\n{}: {}", package.name, name(&model));
            search(&sh, &model, &mut failed)?;
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("failures in {}", failed.join(", ")).into()),
    }
}

fn name(model: &Path) -> String {
    let name = model.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn search(sh: &Shell, model: &Path, failed: &mut Vec<String>) -> Outcome {
    let text = std::fs::read_to_string(model)?;
    for (heading, is_planted) in [("// variants: ", false), ("// planted: ", true)] {
        let line = text.lines().find_map(|line| line.strip_prefix(heading));
        let line = line.ok_or_else(|| format!("{}: no line `{heading}`", model.display()))?;
        for variant in line.split("; ") {
            let found = states(sh, model, variant)?;
            // It stops at the first error.
            let right = match is_planted {
                true => found.errors > 0,
                false => found.errors == 0 && !found.is_cut,
            };
            let verdict = match (right, is_planted) {
                (true, false) => "0 errors",
                (true, true) => "planted, and found",
                (false, false) => "ERRORS",
                (false, true) => "PLANTED, AND NOT FOUND",
            };
            let cut = if found.is_cut && !is_planted {
                " (NOT ALL OF THEM)"
            } else {
                ""
            };
            say!(
                "C4   {variant:<44} {:>10} states{cut}  {verdict}",
                found.states
            );
            if !right {
                failed.push(format!("{} {variant}", name(model)));
            }
        }
    }
    Ok(())
}

struct Found {
    states: u64,
    errors: u64,
    is_cut: bool,
}

fn states(sh: &Shell, model: &Path, variant: &str) -> Outcome<Found> {
    let defines = variant.split(' ');
    cmd!(sh, "spin -a {defines...} {model}")
        .quiet()
        .ignore_stdout()
        .run()?;
    cmd!(sh, "gcc -O2 -w -DSAFETY -DCOLLAPSE {MEMORY} -o pan pan.c")
        .quiet()
        .run()?;
    // It ends well also where it has found an error.
    let said = cmd!(sh, "./pan {DEPTH}").quiet().ignore_status().read()?;
    let before = |mark: &str| {
        let line = said.lines().find(|line| line.contains(mark))?;
        line.split(mark)
            .next()?
            .split_whitespace()
            .last()?
            .parse()
            .ok()
    };
    let after = |mark: &str| {
        let rest = said.split(mark).nth(1)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Ok(Found {
        states: before(" states, stored").ok_or("spin's search has not said how many states")?,
        errors: after("errors: ").ok_or("spin's search has not said how many errors")?,
        is_cut: said.contains("Search not completed")
            || said.contains("max search depth too small"),
    })
}
