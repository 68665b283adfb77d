//! `cargo xtask contract`: what a change does to the callers of the services in this workspace.

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, shell};

/// How the example is called by which a crate tells of its services.
const EXAMPLE: &str = "_contracts";
/// Where its lock files are.
const FOLDER: &str = "contracts";

/// Records the contracts of all services in lock files, or checks them.
///
/// Each crate with services has an example called `…_contracts`, which tells of them, and in
/// its folder `contracts` the lock files: one for each service, one line for each method and
/// field. Clients out there were built from what they say. A change is *identical*,
/// *compatible* or *incompatible, because* of the method or field that is named, by the rules
/// by which a server decides whether to let in a client with another contract.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only compare: fail where the lock files say anything else than the source
    #[arg(long)]
    check: bool,
    /// Record also what breaks the clients out there
    #[arg(long, conflicts_with = "check")]
    allow_incompatible: bool,
    /// Only this crate
    #[arg(long, short, value_name = "CRATE")]
    package: Option<String>,
}

impl Args {
    /// The comparison, of all crates.
    pub(crate) const fn check() -> Self {
        Self {
            check: true,
            allow_incompatible: false,
            package: None,
        }
    }
}

/// Runs the example of each crate that has one.
pub(crate) fn run(args: &Args) -> Outcome {
    let workspace = Workspace::load()?;
    let packages: Vec<&Package> = match &args.package {
        Some(name) => vec![workspace.package(name)?],
        None => workspace.packages.iter().collect(),
    };
    let sh = shell()?;
    let (mut found, mut failed) = (false, Vec::new());
    for package in packages {
        let (name, folder) = (&package.name, package.dir.join(FOLDER));
        let Some(example) = package.examples.iter().find(|one| one.ends_with(EXAMPLE)) else {
            continue;
        };
        found = true;
        let mode = if args.check { "--check" } else { "--write" };
        let more = args.allow_incompatible.then_some("--allow-incompatible");
        let cargo = ["run", "--quiet", "-p", name, "--example", example, "--"];
        let call = cmd!(sh, "cargo {cargo...} {mode} {folder} {more...}");
        if call.quiet().run().is_err() {
            failed.push(name.as_str());
        }
    }
    if !found {
        return Err(format!("no example `…{EXAMPLE}` there, and so no services").into());
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("the contracts of {} are not as recorded", failed.join(", ")).into()),
    }
}
