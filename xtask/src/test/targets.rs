//! What cargo builds for a test run: the test binaries, the examples and the programs they start.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::printed::say;
use crate::workspace::{Package, Workspace, root};

/// Everything one build produced that a test run needs.
pub(crate) struct Built {
    /// Test binaries first, then examples, in the order of the packages.
    pub(crate) tests: Vec<Target>,
    /// Programs of the packages, by name: what `CARGO_BIN_EXE_<name>` points at.
    pub(crate) programs: Vec<(String, PathBuf)>,
}

/// One test binary or example.
pub(crate) struct Target {
    /// How reports call it: `ipc-pipe tests/it`.
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) executable: PathBuf,
    /// Where cargo would start it: the package's directory.
    pub(crate) dir: PathBuf,
}

/// How a target says whether it passed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the result line of the standard test harness.
    Harness,
    /// By its exit code.
    Example,
}

impl Target {
    pub(crate) fn is_example(&self) -> bool {
        self.kind == Kind::Example
    }
}

/// Builds tests, examples and programs of `packages` without running them.
pub(crate) fn build(packages: &[&Package]) -> Outcome<Built> {
    let mut command = Command::new("cargo");
    command.args([
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    command
        .args(Workspace::selection(packages))
        .current_dir(root());
    say!("building: cargo test --no-run, {} packages", packages.len());
    let mut cargo = command.stdout(Stdio::piped()).spawn()?;
    let messages = BufReader::new(cargo.stdout.take().expect("stdout is piped above"));

    let mut built = Built {
        tests: Vec::new(),
        programs: Vec::new(),
    };
    for line in messages.lines() {
        let message: Value = serde_json::from_str(&line?)?;
        if message["reason"] == "compiler-artifact" {
            built.add(&message, packages);
        }
    }
    let status = cargo.wait()?;
    if !status.success() {
        return Err(format!("{command:?} failed: {status}").into());
    }
    built
        .tests
        .sort_by(|a, b| (a.is_example(), &a.label).cmp(&(b.is_example(), &b.label)));
    refuse_shared_names(&built.tests)?;
    Ok(built)
}

impl Built {
    fn add(&mut self, message: &Value, packages: &[&Package]) {
        let Some(executable) = message["executable"].as_str().map(PathBuf::from) else {
            return;
        };
        let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
        let Some(package) = packages.iter().find(|p| manifest.parent() == Some(&p.dir)) else {
            return;
        };
        let target = &message["target"];
        let name = target["name"].as_str().unwrap_or_default();
        let kind = target["kind"][0].as_str().unwrap_or_default();
        let for_harness = message["profile"]["test"] == true;
        let (place, kind) = match (kind, for_harness) {
            ("test", _) => (format!("tests/{name}"), Kind::Harness),
            ("example", false) => (format!("examples/{name}"), Kind::Example),
            ("bin", false) => {
                self.programs.push((name.to_owned(), executable));
                return;
            }
            (_, true) => (format!("src ({kind})"), Kind::Harness),
            (_, false) => return,
        };
        let label = format!("{} {place}", package.name);
        self.tests.push(Target {
            label,
            kind,
            executable,
            dir: package.dir.clone(),
        });
    }
}

/// Cargo writes every example to one directory, so that of two with one name only the last stays.
fn refuse_shared_names(targets: &[Target]) -> Outcome {
    let mut seen: HashMap<&Path, &str> = HashMap::new();
    for target in targets {
        if let Some(other) = seen.insert(&target.executable, &target.label) {
            return Err(format!(
                "{other} and {} are built to one file: rename one",
                target.label
            )
            .into());
        }
    }
    Ok(())
}
