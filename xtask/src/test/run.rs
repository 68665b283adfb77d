//! Runs one test binary or example: launched, logged, timed, and killed when it hangs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::confine::Confinement;
use super::report::Report;
use super::targets::{Kind, Target};
use crate::Outcome;
use crate::workspace::{Package, Workspace, root};

/// Names the file to which the test kit appends one line for each test that it skips.
const SKIPS_VARIABLE: &str = "IPC_TESTKIT_SKIPS";

/// How to run what was built.
pub(crate) struct Runner<'a> {
    confinement: Option<&'a Confinement>,
    timeout: Duration,
    filters: &'a [String],
    /// Both streams of the program that runs now. A file, not a pipe: a grandchild that keeps a
    /// pipe open would keep its reader waiting.
    log: PathBuf,
    skips: PathBuf,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(
        target_dir: &Path,
        confinement: Option<&'a Confinement>,
        timeout: Duration,
        filters: &'a [String],
    ) -> Outcome<Self> {
        let dir = target_dir.join("xtask");
        fs::create_dir_all(&dir)?;
        let unique = std::process::id();
        Ok(Self {
            confinement,
            timeout,
            filters,
            log: dir.join(format!("test-{unique}.log")),
            skips: confinement.map_or_else(
                || dir.join(format!("test-{unique}.skips")),
                |confinement| confinement.home().join("skips"),
            ),
        })
    }

    pub(crate) fn confined(&self) -> bool {
        self.confinement.is_some()
    }

    /// Runs one target and says what came of it.
    pub(crate) fn run(&self, target: &Target) -> Outcome<Report> {
        // Through /proc, since a build may have replaced this program's file meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg("launch").arg("--parent").arg(std::process::id().to_string());
        match self.confinement {
            Some(confinement) => confinement.apply(&mut command, target),
            None => {
                let dir = target.dir.as_os_str();
                command.current_dir(&target.dir).env("CARGO_MANIFEST_DIR", dir);
                command.arg("--").arg(&target.executable);
            }
        }
        if target.kind == Kind::Harness {
            command.args(self.filters);
        }
        let ended = self.watch(&mut command)?;
        let mut report = match target.kind {
            Kind::Harness => {
                let mut report = Report::from_harness(&target.label, ended.output, false);
                if report.ended_early {
                    let list = Command::new(&target.executable).arg("--list").output()?;
                    let all = String::from_utf8_lossy(&list.stdout);
                    report.blame_unfinished(&all, &ended.how);
                } else if !ended.succeeded && report.failed.is_empty() {
                    report.failed.push(format!("its tests passed, but {}", ended.how));
                }
                report
            }
            Kind::Example => Report {
                label: target.label.clone(),
                passed: usize::from(ended.succeeded),
                failed: if ended.succeeded { Vec::new() } else { vec![ended.how] },
                output: ended.output,
                ..Report::default()
            },
        };
        report.took = ended.took;
        report.add_skips(&ended.skips);
        Ok(report)
    }

    /// Runs the doctests of a library through cargo.
    pub(crate) fn run_doctests(&self, package: &Package) -> Outcome<Report> {
        let mut command = Command::new("cargo");
        command.args(["test", "--quiet", "--doc"]).args(Workspace::selection(&[package]));
        command.args(["--", "--format", "pretty"]).current_dir(root());
        let ended = self.watch(&mut command)?;
        let label = format!("{} doctests", package.name);
        let mut report = Report::from_harness(&label, ended.output, true);
        if !ended.succeeded && report.failed.is_empty() {
            report.failed.push(format!("{command:?}: {}", ended.how));
        }
        report.took = ended.took;
        report.add_skips(&ended.skips);
        Ok(report)
    }

    fn watch(&self, command: &mut Command) -> Outcome<Ended> {
        let log = File::create(&self.log)?;
        // In confinement the file is the unprivileged user's own: emptied, never replaced.
        File::create(&self.skips)?;
        command.env(SKIPS_VARIABLE, &self.skips).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let id = Pid::from_raw(child.id().cast_signed());

        // The child dies with the thread that started it, so that thread is this one, and only the
        // waiting is done by another.
        let (sender, ended) = mpsc::channel();
        let waiter = thread::spawn(move || {
            let status = child.wait();
            let _ = sender.send(());
            status
        });
        let hung = ended.recv_timeout(self.timeout).is_err();
        if hung {
            // Fails only when the child ended this very moment, which is what was wanted.
            let _ = kill(id, Signal::SIGKILL);
        }
        let status = waiter.join().expect("the waiting thread does not panic")?;
        Ok(Ended {
            succeeded: status.success() && !hung,
            how: describe(status, hung.then_some(self.timeout)),
            output: String::from_utf8_lossy(&fs::read(&self.log)?).into_owned(),
            skips: fs::read_to_string(&self.skips)?,
            took: started.elapsed(),
        })
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.log);
        let _ = fs::remove_file(&self.skips);
    }
}

/// How a program ended.
struct Ended {
    succeeded: bool,
    how: String,
    output: String,
    skips: String,
    took: Duration,
}

fn describe(status: ExitStatus, hung_for: Option<Duration>) -> String {
    match hung_for {
        Some(limit) => format!("it was killed after {} s", limit.as_secs()),
        None => format!("it ended with {status}"),
    }
}
