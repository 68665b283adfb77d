//! `cargo xtask fuzz`: the targets in `fuzz/src/bin`, under libFuzzer where it can be built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::printed::say;
use crate::supervise::{self, Ended};
use crate::workspace::{Workspace, root};

/// Feeds mutated input to everything that reads bytes which a stranger wrote.
///
/// A target is one file in `fuzz/src/bin`. It runs under libFuzzer with the address sanitizer, led
/// by coverage, from the inputs in `fuzz/corpus/TARGET` and those that earlier runs have found
/// (under target/fuzz). Where libFuzzer cannot be built, a plain mutator runs instead, and the
/// table says so. Each line says how many inputs there were, and what bound on the failure rate
/// so many without a failure allow (3/N, 95 %).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// End each target after so many inputs, if its time is not over before
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// Only this target; may be given several times
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Repeats the random choices of an earlier run
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u32,
    /// Runs one target on one input, which an earlier run has written
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
    /// Takes the plain mutator although libFuzzer could be built
    #[arg(long)]
    plain: bool,
    /// Adds to `fuzz/corpus` those inputs of earlier runs that reach what no other there does
    #[arg(long, requires = "target")]
    keep: bool,
    /// Lists the targets
    #[arg(long)]
    list: bool,
}

/// The flags that `cargo fuzz` sets: coverage that libFuzzer reads, and the address sanitizer.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-sanitizer-coverage-stack-depth -Zsanitizer=address -Cdebug-assertions \
    -Ccodegen-units=1 --cfg fuzzing";

/// With a triple, flags apply to the targets alone and not to build scripts.
const TRIPLE: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-gnu"
} else {
    "x86_64-unknown-linux-gnu"
};

/// No input may take longer than a second, or 64 MiB at once.
const LIMITS: &[&str] = &["-timeout=1", "-malloc_limit_mb=64", "-max_len=4096"];

/// What a run may take beyond its time, to start, to shrink what it found and to end.
const GRACE: Duration = Duration::from_secs(120);

/// The programs that have been built.
struct Built {
    dir: PathBuf,
    guided: bool,
}

/// Builds the targets and runs them one after the other; all, even where one fails.
pub(crate) fn run(args: &Args) -> Outcome {
    let targets = chosen(args)?;
    if args.list {
        targets.iter().for_each(|target| say!("{target}"));
        return Ok(());
    }
    supervise::adopt_orphans()?;
    let scratch = Workspace::load()?.target.join("fuzz");
    let built = build(&scratch, args.plain)?;
    if let Some(input) = &args.input {
        return replay(&built, &targets, input);
    }
    if args.keep {
        return keep(&built, &targets, &scratch);
    }
    let how = if built.guided {
        "libFuzzer"
    } else {
        "plain mutator"
    };
    say!("seed {}, {} s a target, {how}", args.seed, args.seconds);
    let mut failed = Vec::new();
    for target in &targets {
        if !fuzz(target, &built, &scratch, args)? {
            failed.push(target.as_str());
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("failures in {}", failed.join(", ")).into()),
    }
}

fn chosen(args: &Args) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/src/bin"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap_or_default();
            all.push(name.to_string_lossy().into_owned());
        }
    }
    all.sort();
    for name in &args.target {
        if !all.contains(name) {
            let all = all.join(", ");
            return Err(format!("no target is called {name:?}; there are {all}").into());
        }
    }
    all.retain(|name| args.target.is_empty() || args.target.contains(name));
    Ok(all)
}

/// Builds under libFuzzer, or, where that fails, says so and builds the plain programs.
fn build(scratch: &Path, plain: bool) -> Outcome<Built> {
    if !plain {
        say!("building the targets under libFuzzer");
        let mut cargo = cargo(scratch);
        cargo.args(["--features", "libfuzzer", "--target", TRIPLE]);
        // The flags are not stable; a compiler that is does as it would if they were.
        let guided = cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
        let log = guided.output()?;
        if log.status.success() {
            let dir = scratch.join(TRIPLE).join("release");
            return Ok(Built { dir, guided: true });
        }
        let log = String::from_utf8_lossy(&log.stderr);
        let why: Vec<&str> = log.lines().filter(|line| line.contains("error")).collect();
        say!(
            "libFuzzer cannot be built here ({}): the plain mutator runs, which sees no coverage",
            why.first().unwrap_or(&"no reason given")
        );
    }
    let status = cargo(scratch).status()?;
    if !status.success() {
        return Err("the fuzz targets do not compile".into());
    }
    let dir = scratch.join("release");
    Ok(Built { dir, guided: false })
}

fn cargo(scratch: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--release", "--bins", "--manifest-path"])
        .arg(root().join("fuzz/Cargo.toml"))
        .env("CARGO_TARGET_DIR", scratch);
    cargo
}

/// What the runs of one target add up to.
#[derive(Default)]
struct Sums {
    inputs: u64,
    edges: Option<String>,
    took: Duration,
    /// Inputs that took too long once, and not when they were repeated alone.
    stalls: u32,
    failure: Option<String>,
}

/// Runs one target, prints its line, and says whether it held.
fn fuzz(target: &str, built: &Built, scratch: &Path, args: &Args) -> Outcome<bool> {
    let (found, artifacts) = (scratch.join("corpus").join(target), scratch.join("found"));
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let log = scratch.join(format!("{target}.log"));
    let mut sums = Sums::default();
    loop {
        let left = args.seconds.saturating_sub(sums.took.as_secs()).max(1);
        let mut command = program(built, target);
        command
            .args(LIMITS)
            .arg(format!("-max_total_time={left}"))
            .arg(format!("-seed={}", args.seed.saturating_add(sums.stalls)))
            .arg(format!(
                "-artifact_prefix={}/{target}-",
                artifacts.display()
            ))
            .arg("-print_final_stats=1")
            .args(args.runs.map(|runs| format!("-runs={runs}")))
            // The first one is where libFuzzer writes.
            .arg(&found)
            .arg(root().join("fuzz/corpus").join(target));
        let ended = supervise::run(&mut command, &log, Duration::from_secs(left) + GRACE)?;
        sums.add(&ended);
        if ended.succeeded {
            break;
        }
        let written = (ended.output.lines().rev())
            .find_map(|line| Some(line.split_once("written to ")?.1.trim().to_owned()));
        match written {
            Some(input) if input.contains("-timeout-") && holds(built, target, &input, &log)? => {
                sums.stalls += 1;
                if sums.took.as_secs() + 1 >= args.seconds {
                    break;
                }
            }
            Some(input) => {
                let repeat = format!("cargo xtask fuzz --target {target} --input {input}");
                sums.failure = Some(format!("repeat it: {repeat}"));
                break;
            }
            None => {
                sums.failure = Some(format!("{}; see {}", ended.how, log.display()));
                break;
            }
        }
    }
    say!("{}", sums.line(target));
    Ok(sums.failure.is_none() && sums.inputs > 0)
}

/// Whether an input that took too long holds when it is repeated alone, three times, within the
/// same limits: then it was the host that stalled.
fn holds(built: &Built, target: &str, input: &str, log: &Path) -> Outcome<bool> {
    for _ in 0..3 {
        let mut command = program(built, target);
        command.args(LIMITS).arg(input);
        if !supervise::run(&mut command, log, GRACE)?.succeeded {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Sums {
    fn add(&mut self, ended: &Ended) {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let lines = || ended.output.lines().rev();
        let inputs =
            lines().find_map(|line| number(line.strip_prefix("stat::number_of_executed_units:")?));
        self.inputs += inputs.unwrap_or(0);
        self.took += ended.took;
        let edges = lines().find_map(|line| line.split_once(" cov: ")?.1.split(' ').next());
        self.edges = edges.map(str::to_owned).or(self.edges.take());
    }

    /// As the laboratories print theirs: claim, what, trials, failures, bound.
    fn line(&self, target: &str) -> String {
        let failures = u8::from(self.failure.is_some());
        let mut line = format!(
            "F1   {target:<20} {:>11} inputs {failures:>2} failures  ",
            self.inputs
        );
        line += &match (self.inputs, failures) {
            (0, _) => "NOTHING RAN".to_owned(),
            (_, 1) => "FAILED".to_owned(),
            (n, _) => format!("rate < {:.6} %", 100.0 * (3.0 / n as f64).min(1.0)),
        };
        let speed = self.inputs as f64 / self.took.as_secs_f64();
        line += &format!("  {speed:.0}/s  ");
        line += &match &self.edges {
            Some(edges) => format!("{edges} edges"),
            None => "no coverage seen".to_owned(),
        };
        if self.stalls > 0 {
            line += &format!("  {} stalls of the host, not repeatable", self.stalls);
        }
        if let Some(failure) = &self.failure {
            line += &format!("\n       {failure}");
        }
        line
    }
}

fn replay(built: &Built, targets: &[String], input: &Path) -> Outcome {
    for target in targets {
        let status = program(built, target).arg(input).status()?;
        if !status.success() {
            return Err(format!("{target} fails on {}: {status}", input.display()).into());
        }
        say!("{target} holds on {}", input.display());
    }
    Ok(())
}

fn keep(built: &Built, targets: &[String], scratch: &Path) -> Outcome {
    if !built.guided {
        return Err("only libFuzzer knows which inputs reach what no other does".into());
    }
    for target in targets {
        let status = program(built, target)
            .arg("-merge=1")
            .arg(root().join("fuzz/corpus").join(target))
            .arg(scratch.join("corpus").join(target))
            .status()?;
        if !status.success() {
            return Err(format!("{target}: the corpus cannot be merged: {status}").into());
        }
    }
    Ok(())
}

/// A target, which dies with this process.
fn program(built: &Built, target: &str) -> Command {
    let mut command = supervise::launcher();
    command.arg("--").arg(built.dir.join(target));
    command
}
