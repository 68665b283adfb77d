//! `cargo xtask docs`: the documentation builds without a warning, and no link leads nowhere,
//! and the table of mechanisms is what the tests say.

mod links;
mod mechanisms;

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, root, shell};

/// Builds the documentation with warnings as errors, checks the links of every Markdown file, and
/// that docs/mechanisms.md is what the tests say.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Writes docs/mechanisms.md, and does nothing else
    #[arg(long)]
    write: bool,
    /// Checks the pages alone, and builds nothing
    #[arg(long)]
    check: bool,
}

/// Builds the documentation of every crate and checks the Markdown files.
pub(crate) fn run(args: &Args) -> Outcome {
    mechanisms::run(&root(), args.write)?;
    if args.write {
        return Ok(());
    }
    if args.check {
        return links::check(&root());
    }
    let workspace = Workspace::load()?;
    let sh = shell()?;
    let packages: Vec<&Package> = workspace.packages.iter().collect();
    let selection = Workspace::selection(&packages);
    sh.set_var("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc --quiet --no-deps {selection...}").run()?;
    links::check(&root())
}
