//! `cargo xtask build`: every crate checked alone, with each set of features a user may choose.

use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;
use xshell::cmd;

use crate::Outcome;
use crate::printed::say;
use crate::scratch::Scratch;
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
    /// Build the facade as its users do, with nothing built before, on two CPUs, and say how long
    /// it took; more than 40 s is a failure.
    #[arg(long, conflicts_with_all = ["powerset", "packages"])]
    cold: bool,
}

impl Args {
    /// What `ci` runs.
    pub(crate) fn all() -> Self {
        Self {
            powerset: false,
            packages: Vec::new(),
            cold: false,
        }
    }
}

/// Runs `cargo check` over the matrix and names each cell; stops at the first that fails.
pub(crate) fn run(args: &Args) -> Outcome {
    if args.cold {
        return cold();
    }
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
            say!(
                "{name:<14} {label:<40} {:>6.1} s",
                started.elapsed().as_secs_f64()
            );
            checks += 1;
        }
    }
    say!("{checks} checks passed");
    Ok(())
}

/// What a default build of the facade may take on two CPUs of a developer's machine.
const COLD_SECONDS: f64 = 40.0;

/// `cargo build -p ipc-facade` into an empty directory, by two jobs on two CPUs.
fn cold() -> Outcome {
    let sh = shell()?;
    // Packages are fetched before the clock starts: the network is not what is measured.
    cmd!(sh, "cargo fetch --quiet --locked").run()?;
    let target = Scratch::outside("cold")?;
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let mut two = CpuSet::new();
    let cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    for cpu in cpus.take(2) {
        two.set(cpu)?;
    }
    // What this starts inherits it.
    sched_setaffinity(Pid::from_raw(0), &two)?;
    let (started, before) = (Instant::now(), of_children()?);
    let dir = target.dir();
    let build = cmd!(
        sh,
        "cargo build --locked --jobs 2 -p ipc-facade --target-dir {dir}"
    );
    let built = build.quiet().env("CARGO_INCREMENTAL", "1").run();
    let took = started.elapsed().as_secs_f64();
    sched_setaffinity(Pid::from_raw(0), &allowed)?;
    built?;
    say!("{:.1} s of processor time", of_children()? - before);
    say!(
        "ipc-facade     cold, default features, two CPUs {took:>21.1} s (at most {COLD_SECONDS} s)"
    );
    if took <= COLD_SECONDS {
        Ok(())
    } else {
        Err(format!("a cold build took {took:.1} s, which is above {COLD_SECONDS} s").into())
    }
}

/// The processor seconds of all children that have ended: what a busy machine does not change.
fn of_children() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |of: TimeVal| of.tv_sec() as f64 + of.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
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
