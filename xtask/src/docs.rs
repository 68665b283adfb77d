//! `cargo xtask docs`: the documentation builds without a warning, no link leads nowhere, the table
//! of mechanisms is what the tests say, and the map of the code is whole.

mod links;
mod map;
mod mechanisms;

use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, root, shell};

/// Builds the documentation with warnings as errors, checks the links of every Markdown file, that
/// docs/mechanisms.md is what the tests say, and that ARCHITECTURE.md has every package.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Writes docs/mechanisms.md, and does nothing else
    #[arg(long)]
    write: bool,
    /// Checks the pages alone, and builds nothing
    #[arg(long)]
    check: bool,
    /// Puts the picture and the tables of this run of the bench (its run.json) into the documents,
    /// and does nothing else; may be repeated, since a narrow run has only some of them
    #[arg(long, value_name = "RUN.json", conflicts_with_all = ["write", "check"])]
    figures: Vec<PathBuf>,
}

/// Builds the documentation of every crate and checks the Markdown files.
pub(crate) fn run(args: &Args) -> Outcome {
    if !args.figures.is_empty() {
        return args.figures.iter().try_for_each(|run| refresh(run));
    }
    mechanisms::run(&root(), args.write)?;
    if args.write {
        return Ok(());
    }
    let workspace = Workspace::load()?;
    if !args.check {
        let sh = shell()?;
        let packages: Vec<&Package> = workspace.packages.iter().collect();
        let selection = Workspace::selection(&packages);
        sh.set_var("RUSTDOCFLAGS", "-D warnings");
        cmd!(sh, "cargo doc --quiet --no-deps {selection...}").run()?;
    }
    let outcomes = [links::check(&root()), map::check(&root(), &workspace)];
    outcomes.into_iter().collect()
}

/// The bench reads its own runs.
fn refresh(run: &Path) -> Outcome {
    // The caller's directory is not the shell's.
    let (run, root) = (std::path::absolute(run)?, root());
    // Asked before the build, which takes a while.
    std::fs::File::open(&run).map_err(|error| format!("cannot read {}: {error}", run.display()))?;
    let program = [
        "--quiet",
        "-p",
        "ipc-bench",
        "--example",
        "report_from_json",
    ];
    let sh = shell()?;
    let documents = cmd!(sh, "cargo run {program...} -- --documents {root} {run}");
    Ok(documents.quiet().run()?)
}
