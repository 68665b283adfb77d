//! `cargo xtask docs`: the documentation builds without a warning, and no link leads nowhere.

mod links;

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, root, shell};

/// Builds the documentation of every crate and checks the Markdown files.
pub(crate) fn run() -> Outcome {
    let workspace = Workspace::load()?;
    let sh = shell()?;
    let packages: Vec<&Package> = workspace.packages.iter().collect();
    let selection = Workspace::selection(&packages);
    sh.set_var("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --quiet --no-deps {selection...}").run()?;
    links::check(&root())
}
