//! An example as a program: found beside this test, run in a directory of its own, and looked
//! after.

use ipc_testkit::{TempDir, watchdog};
use rustix::process::Pid;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A guard against hanging, never a claim about speed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What an example has printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) text: String,
    pub(crate) errors: String,
    pub(crate) success: bool,
}

impl Ran {
    /// Whether a line has all of these words in it.
    pub(crate) fn has_line(&self, words: &[&str]) -> bool {
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        self.text.lines().any(has_all)
    }

    #[track_caller]
    pub(crate) fn assert_line(&self, words: &[&str]) {
        assert!(
            self.has_line(words),
            "no line with {words:?}:\n{}",
            self.text
        );
    }

    /// The number after `word`, where it first stands.
    #[track_caller]
    pub(crate) fn number_after(&self, word: &str) -> i64 {
        let after = self
            .text
            .split_once(word)
            .map(|(_, after)| after.trim_start());
        let digits = |c: char| !c.is_ascii_digit() && c != '-';
        let number = after.and_then(|after| after.split(digits).next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no number after {word:?}:\n{}", self.text))
    }
}

/// Runs an example to its end, which must be a good one, with nothing left behind.
#[track_caller]
pub(crate) fn run(example: &str, arguments: &[&str]) -> Ran {
    let ran = outcome(example, arguments);
    let (text, errors) = (&ran.text, &ran.errors);
    assert!(ran.success, "{example} failed:\n{text}\n{errors}");
    ran
}

/// Runs an example to its end, which must be a bad one, with nothing left behind.
#[track_caller]
pub(crate) fn run_to_failure(example: &str, arguments: &[&str]) -> Ran {
    let ran = outcome(example, arguments);
    assert!(!ran.success, "{example} should have failed:\n{}", ran.text);
    ran
}

/// Every example says what it does, and refuses what it does not know.
#[track_caller]
pub(crate) fn explains_itself(example: &str) {
    let help = run(example, &["--help"]);
    help.assert_line(&["usage:", example]);
    let refused = run_to_failure(example, &["no-such-thing"]);
    assert!(refused.errors.contains("usage:"), "{}", refused.errors);
    let strange = Command::new(program(example))
        .arg(OsStr::from_bytes(b"\xff"))
        .output()
        .expect("the example starts");
    let errors = String::from_utf8_lossy(&strange.stderr);
    assert_eq!(strange.status.code(), Some(1), "{example}: {errors}");
    assert!(errors.contains("not UTF-8"), "{example}: {errors}");
}

#[track_caller]
fn outcome(example: &str, arguments: &[&str]) -> Ran {
    let _watchdog = watchdog(PATIENCE);
    let home = TempDir::new();
    let mut command = Command::new(program(example));
    command
        .args(arguments)
        .env("TMPDIR", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        // A group of its own, by which its children are known.
        .process_group(0);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the example starts");
    let group = Pid::from_child(&child);
    // Also until each of its children has closed what they share with it.
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("it is our child");
    let nobody_left = nobody_left_in(group);
    let left: Vec<PathBuf> = std::fs::read_dir(home.path())
        .expect("the directory is ours")
        .map(|entry| entry.expect("it is read").path())
        .collect();
    let ran = Ran {
        text: String::from_utf8(stdout).expect("it prints text"),
        errors: String::from_utf8_lossy(&stderr).into_owned(),
        success: status.success(),
    };
    let said = format!("{}\n{}", ran.text, ran.errors);
    assert!(left.is_empty(), "{example} left {left:?}:\n{said}");
    assert!(nobody_left, "{example} left a process:\n{said}");
    ran
}

/// Whether all of a group end, which who sees its peer's end may do a moment later.
fn nobody_left_in(group: Pid) -> bool {
    let patience = Instant::now() + PATIENCE / 4;
    while rustix::process::test_kill_process_group(group).is_ok() {
        if Instant::now() > patience {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// Where cargo puts examples; or beside this test, where it was moved together with them.
pub(crate) fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test runs from a file");
    let beside = test.parent().expect("a file stands in a directory");
    let built = beside.parent().map(|target| target.join("examples"));
    let found = [Some(beside.to_owned()), built]
        .into_iter()
        .flatten()
        .map(|directory| directory.join(example))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{example} is not built: `cargo test` builds examples too"))
}
