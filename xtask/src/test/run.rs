//! Runs one test binary, example or set of doctests, and reads what it said.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::confine::Confinement;
use super::report::Report;
use super::targets::{Kind, Target};
use crate::Outcome;
use crate::printed::say;
use crate::supervise::{self, Ended};
use crate::workspace::{Package, Workspace, root};

/// Names the file to which the test kit appends one line for each test that it skips.
const SKIPS_VARIABLE: &str = "IPC_TESTKIT_SKIPS";

/// How to run what was built.
pub(crate) struct Runner<'a> {
    confinement: Option<&'a Confinement>,
    timeout: Duration,
    filters: &'a [String],
    /// Both streams of the program that runs now.
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
        let mut command = supervise::launcher();
        match self.confinement {
            Some(confinement) => confinement.apply(&mut command, target),
            None => {
                let dir = target.dir.as_os_str();
                command
                    .current_dir(&target.dir)
                    .env("CARGO_MANIFEST_DIR", dir);
                command.arg("--").arg(&target.executable);
            }
        }
        if target.kind == Kind::Harness {
            command.args(self.filters);
        }
        let (ended, skips) = self.watch(&mut command)?;
        let mut report = match target.kind {
            Kind::Harness => {
                let mut report = Report::from_harness(&target.label, ended.output, false);
                if report.ended_early {
                    let list = Command::new(&target.executable).arg("--list").output()?;
                    let all = String::from_utf8_lossy(&list.stdout);
                    report.blame_unfinished(&all, &ended.how);
                } else if !ended.succeeded && report.failed.is_empty() {
                    report
                        .failed
                        .push(format!("its tests passed, but {}", ended.how));
                }
                report
            }
            Kind::Example => Report {
                label: target.label.clone(),
                passed: usize::from(ended.succeeded),
                failed: if ended.succeeded {
                    Vec::new()
                } else {
                    vec![ended.how]
                },
                output: ended.output,
                ..Report::default()
            },
        };
        report.took = ended.took;
        report.add_skips(&skips);
        Ok(report)
    }

    /// Runs the doctests of these packages through cargo, in one call with the same features as the
    /// test build, so that nothing is built anew.
    pub(crate) fn run_doctests(&self, packages: &[&Package]) -> Outcome<Vec<Report>> {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--doc", "--no-fail-fast"])
            .args(Workspace::selection(packages));
        let (ended, skips) = self.watch(command.current_dir(root()))?;
        let mut reports = Vec::new();
        for section in ended.output.split("   Doc-tests ").skip(1) {
            let name = section.lines().next().unwrap_or_default().replace('_', "-");
            let label = format!("{name} doctests");
            let mut report = Report::from_harness(&label, section.to_owned(), true);
            if report.ended_early {
                report
                    .failed
                    .push("no result: its doctests did not build or were killed".into());
            }
            report.took = doctests_took(section);
            reports.push(report);
        }
        let explained = reports.iter().any(|report| !report.failed.is_empty());
        if !ended.succeeded && !explained {
            let failed = vec![format!("{command:?}: {}", ended.how)];
            let label = "doctests".to_owned();
            reports.push(Report {
                label,
                failed,
                output: ended.output,
                ..Report::default()
            });
        }
        if let Some(last) = reports.last_mut() {
            last.add_skips(&skips);
        }
        Ok(reports)
    }

    /// Runs the command; returns how it ended and the skips that its tests wrote down.
    fn watch(&self, command: &mut Command) -> Outcome<(Ended, String)> {
        // In confinement the file is the unprivileged user's own: emptied, never replaced.
        File::create(&self.skips)?;
        command.env(SKIPS_VARIABLE, &self.skips);
        let ended = supervise::run(command, &self.log, self.timeout)?;
        if ended.strays > 0 {
            say!(
                "note: killed {} processes that the next one left behind",
                ended.strays
            );
        }
        Ok((ended, fs::read_to_string(&self.skips)?))
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.log);
        let _ = fs::remove_file(&self.skips);
    }
}

/// What rustdoc says at the end: `all doctests ran in 0.78s; merged …`.
fn doctests_took(output: &str) -> Duration {
    let seconds = output.lines().find_map(|line| {
        line.strip_prefix("all doctests ran in ")?
            .split_once('s')?
            .0
            .parse()
            .ok()
    });
    seconds
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .unwrap_or_default()
}
