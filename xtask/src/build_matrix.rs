//! `cargo xtask build`: every crate checked alone, with each set of features a user may choose.

use std::time::Instant;

use xshell::cmd;

use crate::Outcome;
use crate::workspace::{Package, Workspace, shell};

/// Checks every crate alone with its default features, none and all.
///
/// A crate is checked by itself (`-p`), so that it cannot lean on features which a neighbour
/// switched on. A crate without features is checked once, since the three sets are the same.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check each feature alone too (`--no-default-features --features F`).
    #[arg(long)]
    powerset: bool,
    /// Only this crate; may be repeated.
    #[arg(short, long = "package", value_name = "CRATE")]
    packages: Vec<String>,
}

impl Args {
    /// What `ci` runs.
    pub(crate) fn all() -> Self {
        Self {
            powerset: false,
            packages: Vec::new(),
        }
    }
}

/// Runs `cargo check` over the matrix and names each cell; stops at the first that fails.
pub(crate) fn run(args: &Args) -> Outcome {
    let workspace = Workspace::load()?;
    for name in &args.packages {
        workspace.package(name)?;
    }
    let sh = shell()?;
    let mut checks = 0;
    for package in &workspace.packages {
        if !args.packages.is_empty() && !args.packages.contains(&package.name) {
            continue;
        }
        let name = &package.name;
        for set in feature_sets(package, args.powerset) {
            let started = Instant::now();
            let arguments = &set;
            cmd!(sh, "cargo check --quiet -p {name} {arguments...}")
                .quiet()
                .run()?;
            let label = if set.is_empty() {
                "default".to_owned()
            } else {
                set.join(" ")
            };
            println!(
                "{name:<14} {label:<40} {:>6.1} s",
                started.elapsed().as_secs_f64()
            );
            checks += 1;
        }
    }
    println!("{checks} checks passed");
    Ok(())
}

/// The cargo arguments of each set of features to check.
fn feature_sets(package: &Package, powerset: bool) -> Vec<Vec<String>> {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let mut sets = vec![Vec::new()];
    if package.features.is_empty() {
        return sets;
    }
    sets.push(words(&["--no-default-features"]));
    sets.push(words(&["--all-features"]));
    if powerset {
        for feature in &package.features {
            sets.push(words(&["--no-default-features", "--features", feature]));
        }
    }
    sets
}
