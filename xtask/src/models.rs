//! `cargo xtask models`: the algorithms under a scheduler that chooses every interleaving.

mod spin;

use xshell::cmd;

use crate::Outcome;
use crate::laboratory::Tier;
use crate::printed::say;
use crate::workspace::{Workspace, shell};

/// Runs the algorithms that are more than one atomic operation under chosen schedules.
///
/// Runs the test targets `models` and `loom` of each crate that has one. They are built apart, with
/// the atomics of a model checker, and in release code. Each of `models` prints how many schedules
/// it ran; each of `loom` runs all executions with at most three preemptions, whatever the tier.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many schedules of each model: push 100,000, nightly 10 million, weekly 100 million
    #[arg(long, value_enum, default_value = "push")]
    tier: Tier,
    /// Searches the models of protocols with Spin instead: each `models/*.pml`, every state
    #[arg(long)]
    spin: bool,
    /// Only this crate; may be given several times
    #[arg(short, long, value_name = "CRATE")]
    package: Vec<String>,
    /// Only models whose name contains one of these words
    words: Vec<String>,
}

impl Args {
    /// What `ci` runs.
    pub(crate) fn all() -> Self {
        Self {
            tier: Tier::Push,
            spin: false,
            package: Vec::new(),
            words: Vec::new(),
        }
    }
}

/// Runs the models of every crate, all of them, even where one fails.
pub(crate) fn run(args: &Args) -> Outcome {
    let workspace = Workspace::load()?;
    for name in &args.package {
        workspace.package(name)?;
    }
    if args.spin {
        return spin::run(&workspace, &args.package);
    }
    // Half of them at random, half with few switches.
    let schedules: u64 = match args.tier {
        Tier::Push => 50_000,
        Tier::Nightly => 5_000_000,
        Tier::Weekly => 50_000_000,
    };
    let sh = shell()?;
    // A directory of its own: the flag would have every other build begin anew.
    let target = workspace.target.join("models");
    let _target = sh.push_env("CARGO_TARGET_DIR", target);
    let _flags = sh.push_env("RUSTFLAGS", "--cfg ipc_model");
    let _schedules = sh.push_env("IPC_MODEL_SCHEDULES", schedules.to_string());
    // A third of a long run's time, for half a minute of the compiler's.
    let thorough = !matches!(args.tier, Tier::Push);
    let _whole = thorough.then(|| sh.push_env("CARGO_PROFILE_RELEASE_LTO", "fat"));
    let _one = thorough.then(|| sh.push_env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"));
    let (mut failed, mut found) = (Vec::new(), false);
    for package in workspace
        .packages
        .iter()
        .filter(|package| args.package.is_empty() || args.package.contains(&package.name))
    {
        for target in ["models", "loom"] {
            if !package
                .dir
                .join(format!("tests/{target}/main.rs"))
                .is_file()
            {
                continue;
            }
            found = true;
            let (name, words) = (&package.name, &args.words);
            say!("\n{name}: {target}");
            let ran = cmd!(
                sh,
                "cargo test --quiet --release -p {name} --test {target} -- --nocapture {words...}"
            );
            if ran.quiet().run().is_err() {
                failed.push(format!("{name} ({target})"));
            }
        }
    }
    if !found {
        return Err("none of these crates has a tests/models or a tests/loom".into());
    }
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("failures in {}", failed.join(", ")).into()),
    }
}
