//! `cargo xtask bench`: builds the bench in release mode and runs it.

mod compare;
mod self_test;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::printed::say;
use crate::workspace::{Workspace, root};

/// Measures every mechanism on this machine, beside its floor.
///
/// Arguments that are not listed here go to the bench itself (`cargo xtask bench --help` shows
/// both).
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<OsString>,
}

const HELP: &str = "\
Measures every mechanism on this machine, beside its floor.

Usage: cargo xtask bench [ARGS]...

Builds the bench in release mode and runs it with ARGS. Of these, xtask itself reads:
  --peers            Also build and measure other crates that do the same
  --compare GIT-REF  Build the bench of that commit too, interleave both on this machine and fail
                     when this tree is slower; narrow it with --mechanism, --scenario and --size,
                     and write a Markdown summary with --summary FILE
  --self-test        Show that --compare can be believed: ten comparisons of this tree with itself
                     must pass, and so must one whose base is slowed down by 10 %; one that is
                     slowed down itself must fail; narrow it with --mechanism pipe --size 64
  --list             Say what can be measured: `ring-scaling`, say, is 1 to 4 senders and 1 to 4
                     receivers of a queue, and broadcasts to 1, 4 and 16 readers
  --help             Print this, then the bench's own help

The exit code is the bench's own (1 where --compare found a regression, 2 where a run broke down);
a build that fails is 2, with an `error:` line.
";

/// The part of the arguments that xtask reads.
#[derive(Debug, Default, PartialEq)]
struct Request {
    peers: bool,
    compare: Option<String>,
    self_test: bool,
    help: bool,
    /// The rest, in order, for the bench.
    passed_on: Vec<OsString>,
}

/// A bench that has been built.
struct Bench {
    executable: PathBuf,
    /// How long the build took, which the bench reports beside the time of measuring.
    build: Duration,
    /// Where builds and worktrees of comparisons go.
    scratch: PathBuf,
}

/// Builds and runs the bench as the arguments ask.
pub(crate) fn run(args: Args) -> Outcome {
    let request = Request::read(args.args)?;
    if request.help {
        say!("{HELP}\nThe bench itself:\n");
    }
    // Checked before the build, which takes a while.
    let base = request
        .compare
        .as_deref()
        .map(compare::Base::find)
        .transpose()?;
    let workspace = Workspace::load()?;
    workspace.package("ipc-bench")?;
    let started = Instant::now();
    let executable = build(&root(), &workspace.target, request.peers)?;
    let bench = Bench {
        executable,
        build: started.elapsed(),
        scratch: workspace.target.join("compare"),
    };
    match base {
        Some(base) => compare::run(&bench, &base, &request),
        None if request.self_test => self_test::run(&bench, &request.passed_on),
        None => bench.become_it(&request.passed_on),
    }
}

impl Request {
    fn read(args: Vec<OsString>) -> Outcome<Self> {
        let mut request = Self::default();
        let mut args = args.into_iter();
        while let Some(argument) = args.next() {
            let text = argument.to_string_lossy();
            if let Some(reference) = text.strip_prefix("--compare=") {
                request.compare = Some(reference.to_owned());
            } else {
                match &*text {
                    "--compare" => {
                        let reference = args.next().ok_or("--compare needs a git reference")?;
                        request.compare = Some(reference.to_string_lossy().into_owned());
                    }
                    "--self-test" => request.self_test = true,
                    "--help" | "-h" => {
                        request.help = true;
                        request.passed_on.push(argument);
                    }
                    "--peers" => {
                        request.peers = true;
                        request.passed_on.push(argument);
                    }
                    _ => request.passed_on.push(argument),
                }
            }
        }
        if request.self_test && request.compare.is_some() {
            return Err("--self-test compares this tree with itself: leave --compare out".into());
        }
        Ok(request)
    }
}

impl Bench {
    /// Becomes the bench, which has its own answer to an interrupt and cleans up after itself. It
    /// stays in the caller's directory, so that file names mean what the caller thinks.
    fn become_it(&self, args: &[OsString]) -> Outcome {
        let error = Command::new(&self.executable)
            .args(args)
            .env(
                "IPC_BENCH_BUILD_SECONDS",
                format!("{:.1}", self.build.as_secs_f64()),
            )
            .exec();
        Err(format!("cannot start {}: {error}", self.executable.display()).into())
    }
}

/// Builds the bench of the workspace at `root` and returns its path.
fn build(root: &Path, target: &Path, peers: bool) -> Outcome<PathBuf> {
    let mut command = Command::new("cargo");
    command.args([
        "build",
        "--release",
        "--package",
        "ipc-bench",
        "--bin",
        "ipc-bench",
    ]);
    if peers {
        command.args(["--features", "peers"]);
    }
    command.current_dir(root).env("CARGO_TARGET_DIR", target);
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{command:?} in {}: {status}", root.display()).into());
    }
    Ok(target.join("release/ipc-bench"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Outcome<Request> {
        Request::read(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn what_xtask_does_not_read_goes_to_the_bench_in_order() -> Outcome {
        let found = request("--size 64 --compare main --mechanism pipe --peers --json x")?;
        assert_eq!(found.compare.as_deref(), Some("main"));
        assert!(found.peers && !found.self_test);
        let rest = [
            "--size",
            "64",
            "--mechanism",
            "pipe",
            "--peers",
            "--json",
            "x",
        ];
        assert_eq!(found.passed_on, rest.map(OsString::from));
        Ok(())
    }

    #[test]
    fn a_comparison_without_a_reference_is_refused() {
        assert!(request("--compare").is_err());
        assert!(request("--self-test --compare=main").is_err());
    }
}
