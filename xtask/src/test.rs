//! `cargo xtask test`: unit tests, integration tests, examples and doctests, counted honestly.

pub(crate) mod confine;
pub(crate) mod launch;
mod report;
mod run;
mod stress;
mod targets;

use std::time::Duration;

use self::confine::Confinement;
use self::report::{Report, Tally};
use self::run::Runner;
use crate::Outcome;
use crate::printed::say;
use crate::supervise;
use crate::workspace::{Package, Workspace};

/// Runs unit tests, integration tests, every example and the doctests.
///
/// An example passes when it ends by itself with exit code 0. A test that cannot run on this host
/// names its reason, and is listed and counted as skipped. The last line of the output is
/// `N passed, N failed, N skipped`.
#[derive(clap::Args)]
#[command(after_help = "\
--confined needs root to take away: it runs the same binaries as user --uid without groups and \
without new privileges, in a mount namespace with a 64 MiB /dev/shm and no /dev/mqueue, and with \
ptrace, process_vm_* and perf_event_open denied by a seccomp filter. Doctests and macro crates \
(which need the toolchain's files) and xtask's own tests (which need the source tree) are left \
out then.

A test that hangs is killed after --timeout seconds, and counts as failed. Interrupting the \
command kills what it started.")]
pub(crate) struct Args {
    /// Run everything but the doctests N times and report each test that did not pass every time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    stress: Option<u32>,
    /// Only this crate; may be repeated.
    #[arg(short, long = "package", value_name = "CRATE")]
    packages: Vec<String>,
    /// Run as an unprivileged user with small /dev/shm, no /dev/mqueue, ptrace and perf denied.
    #[arg(long)]
    confined: bool,
    /// The user and group of --confined. The kernel shows 65534 (nobody) also for users that it
    /// cannot name, so code that asks who a peer is meets its hardest case there.
    #[arg(
        long,
        value_name = "UID",
        default_value_t = 65534,
        requires = "confined"
    )]
    uid: u32,
    /// Seconds after which one test binary or example is killed.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Only tests whose name contains one of these; examples and doctests are left out then.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

impl Args {
    /// What `ci` runs.
    pub(crate) fn all() -> Self {
        Self {
            stress: None,
            packages: Vec::new(),
            confined: false,
            uid: 65534,
            timeout: 600,
            filters: Vec::new(),
        }
    }

    /// What `ci` runs as root: the same without its rights.
    pub(crate) fn all_confined() -> Self {
        Self {
            confined: true,
            ..Self::all()
        }
    }
}

/// Builds once, runs what was built, then the doctests, and prints the sums.
pub(crate) fn run(args: &Args) -> Outcome {
    supervise::adopt_orphans()?;
    let workspace = Workspace::load()?;
    let mut packages: Vec<&Package> = match args.packages.as_slice() {
        [] => workspace.packages.iter().collect(),
        names => names
            .iter()
            .map(|name| workspace.package(name))
            .collect::<Outcome<_>>()?,
    };
    if args.confined {
        leave_out_what_needs_a_developer(&mut packages);
    }
    if packages.is_empty() {
        return Err("nothing is left to test".into());
    }
    let built = targets::build(&packages)?;
    let confinement = args
        .confined
        .then(|| Confinement::prepare(&built, args.uid))
        .transpose()?;
    let mut targets = built.tests;
    if !args.filters.is_empty() {
        targets.retain(|target| !target.is_example());
    }
    let runner = Runner::new(
        &workspace.target,
        confinement.as_ref(),
        Duration::from_secs(args.timeout),
        &args.filters,
    )?;

    if let Some(rounds) = args.stress {
        return stress::run(&runner, &targets, rounds);
    }
    let mut tally = Tally::default();
    for target in &targets {
        tally.add(runner.run(target)?);
    }
    if args.filters.is_empty() {
        for report in doctests(&runner, &packages)? {
            tally.add(report);
        }
    }
    tally.finish()
}

/// Confinement hides the toolchain and the source tree; says what cannot be tested without them.
fn leave_out_what_needs_a_developer(packages: &mut Vec<&Package>) {
    packages.retain(|package| {
        let need = match package {
            package if package.name == "xtask" => "the source tree",
            package if package.is_macro => "the compiler",
            _ => return true,
        };
        say!("{}: left out, since its tests need {need}", package.name);
        false
    });
}

/// The doctests of every library; none in confinement, where rustdoc cannot work.
fn doctests(runner: &Runner<'_>, packages: &[&Package]) -> Outcome<Vec<Report>> {
    if runner.confined() {
        say!("doctests: left out, since rustdoc needs the toolchain's files");
        return Ok(Vec::new());
    }
    if !packages.iter().any(|package| package.has_library) {
        return Ok(Vec::new());
    }
    runner.run_doctests(packages)
}
