//! `cargo xtask docs`: the documentation builds without a warning, no link leads nowhere, and the
//! map of the code is whole.

mod links;
mod map;

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, root, shell};

/// Builds the documentation of every crate and checks the Markdown files and the map of the code.
pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let sh = shell()?;
    let packages: Vec<&Package> = workspace.packages.iter().collect();
    let selection = Workspace::selection(&packages);
    sh.set_var("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --quiet --no-deps {selection...}").run()?;
    let outcomes = [links::check(&root()), map::check(&root(), &workspace)];
    outcomes.into_iter().collect()
}
