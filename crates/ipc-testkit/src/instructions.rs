//! Instructions counted by callgrind: exact, whatever else this host does.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Said to the process that is counted: what it does, and how many times.
const PART: &str = "IPC_TESTKIT_COUNTED";

/// A test that is started again, optimised and under callgrind, to count what its parts take.
///
/// A part that does something many times in one or more threads, and nothing else, is counted
/// twice, so that what comes before the first time is not in the difference.
#[derive(Debug)]
pub struct Instructions {
    program: PathBuf,
    test: String,
}

impl Instructions {
    /// Whether this process is one that is counted: what it is to do, and how many times.
    ///
    /// # Panics
    /// When somebody else has set the variable that says so.
    #[must_use]
    pub fn part() -> Option<(String, u32)> {
        let part = std::env::var(PART).ok()?;
        let (kind, times) = part.split_once(' ').expect("a part and a number");
        Some((kind.to_owned(), times.parse().expect("a number")))
    }

    /// The test of this name, in the package at `manifest_dir` (`env!("CARGO_MANIFEST_DIR")`).
    ///
    /// # Errors
    /// What this host lacks to count it.
    ///
    /// # Panics
    /// When the package cannot be built.
    pub fn of(manifest_dir: &str, test: &str) -> Result<Self, String> {
        if Command::new("valgrind").arg("--version").output().is_err() {
            return Err("no valgrind to count instructions with".to_owned());
        }
        Ok(Self {
            program: optimised(Path::new(manifest_dir))?,
            test: test.to_owned(),
        })
    }

    /// How many instructions each of two parts takes a time: `ours`, and what it is measured by.
    ///
    /// Whether a side finds bytes or must wait for them is chance, and each wait costs a few
    /// instructions more. The least that either number of times takes, of up to ten counts, is
    /// the path without it; the least difference would be that of a count that had many waits
    /// and one that had few.
    ///
    /// # Panics
    /// When a part fails.
    #[must_use]
    pub fn compare(&self, ours: &str, reference: &str, percent: u64) -> (u64, u64) {
        let mut least = [Least::NONE; 2];
        for _ in 0..10 {
            least[0].take(|times| self.count(ours, times));
            least[1].take(|times| self.count(reference, times));
            if least[0].a_time() * 100 <= least[1].a_time() * percent {
                break;
            }
        }
        (least[0].a_time(), least[1].a_time())
    }

    fn count(&self, kind: &str, times: u32) -> u64 {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(&self.program)
            .args(["--exact", "--nocapture", "--test-threads=1", &self.test])
            .env(PART, format!("{kind} {times}"))
            .output()
            .expect("valgrind runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let (_, count) = said.split_once("Collected :").expect("a count");
        let count = count.split_whitespace().next().expect("a number");
        count.parse().expect("a number")
    }
}

/// The least that a part has taken, done few times and many.
#[derive(Clone, Copy)]
struct Least {
    few: u64,
    many: u64,
}

impl Least {
    const FEW: u32 = 200;
    const MANY: u32 = 1_200;
    const NONE: Self = Self {
        few: u64::MAX,
        many: u64::MAX,
    };

    fn take(&mut self, count: impl Fn(u32) -> u64) {
        self.few = self.few.min(count(Self::FEW));
        self.many = self.many.min(count(Self::MANY));
    }

    fn a_time(self) -> u64 {
        self.many.saturating_sub(self.few) / u64::from(Self::MANY - Self::FEW)
    }
}

/// This test program as users build theirs: what is not optimised says nothing of what a call
/// costs.
fn optimised(package: &Path) -> Result<PathBuf, String> {
    let here = std::env::current_exe().expect("a program");
    if !cfg!(debug_assertions) {
        return Ok(here);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(&cargo).arg("--version").output();
    if !version.is_ok_and(|version| version.status.success()) {
        return Err("no cargo to build an optimised program with".to_owned());
    }
    // Of `target/debug/deps/NAME-…`.
    let target = here.ancestors().nth(3).expect("cargo made this program");
    let name = here.file_name().and_then(|name| name.to_str());
    let (name, _) = name.and_then(|name| name.rsplit_once('-')).expect("a hash");
    let built = Command::new(&cargo)
        .args(["test", "--no-run", "--release", "--offline", "--locked"])
        .args(["--message-format=json", "--test", name, "--target-dir"])
        .arg(target)
        .current_dir(package)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let messages = String::from_utf8_lossy(&built.stdout);
    let program = messages
        .lines()
        .filter(|message| message.contains(&format!(r#""name":"{name}""#)))
        .find_map(|message| message.split_once(r#""executable":""#)?.1.split('"').next())
        .expect("cargo names what it builds");
    Ok(PathBuf::from(program))
}
