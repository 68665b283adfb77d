//! `cargo xtask docs`: the documentation builds without a warning, no link leads nowhere, and the
//! map of the code is whole.

mod links;
mod map;

use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, root, shell};

/// Builds the documentation of every crate with warnings as errors, checks the links of every
/// Markdown file, and that the map of the code has every package.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Put the picture and the tables of this run of the bench (its run.json) into the documents,
    /// and check nothing; may be repeated, since a run of few mechanisms has only some of them
    #[arg(long, value_name = "RUN.json")]
    figures: Vec<PathBuf>,
}

impl Args {
    /// The checks alone.
    pub(crate) fn check() -> Self {
        Self {
            figures: Vec::new(),
        }
    }
}

/// Makes the documents' figures anew, or else checks all documents.
pub(crate) fn run(args: &Args) -> Outcome {
    if !args.figures.is_empty() {
        return args.figures.iter().try_for_each(|run| refresh(run));
    }
    let workspace = Workspace::load()?;
    let sh = shell()?;
    let packages: Vec<&Package> = workspace.packages.iter().collect();
    let selection = Workspace::selection(&packages);
    sh.set_var("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --quiet --no-deps {selection...}").run()?;
    let outcomes = [links::check(&root()), map::check(&root(), &workspace)];
    outcomes.into_iter().collect()
}

/// The bench reads its own runs.
fn refresh(run: &Path) -> Outcome {
    // The caller's directory is not the shell's.
    let (run, root) = (std::path::absolute(run)?, root());
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
