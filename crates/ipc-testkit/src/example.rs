//! Examples as programs whose output is lost, as by `| head -1` or on a full disk.

use crate::{TempDir, watchdog};
use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A guard against hanging, never a claim about speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs an example of the crate under test, whose standard output is full, until it and each of
/// its children has ended. It must fail, and leave nothing in the place for temporary files.
///
/// # Panics
/// Where it does not, or where it is not built.
#[track_caller]
pub fn loses_its_output(example: &str) {
    let _watchdog = watchdog(PATIENCE);
    let home = TempDir::new();
    let full = File::options().write(true).open("/dev/full");
    let child = Command::new(built(example))
        .env("TMPDIR", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .stdin(Stdio::null())
        .stdout(full.expect("every Linux has it"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example starts");
    // Until its children have ended, too: they share this pipe.
    let output = child.wait_with_output().expect("it is our child");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{example} succeeded: {said}");
    let left: Vec<_> = fs::read_dir(home.path())
        .expect("the directory is ours")
        .map(|entry| entry.expect("it is read").path())
        .collect();
    assert!(left.is_empty(), "{example} left {left:?}: {said}");
}

/// Where cargo puts examples; or beside the test, where it was moved together with them.
fn built(example: &str) -> PathBuf {
    let test = env::current_exe().expect("this test runs from a file");
    let beside = test.parent().expect("a file stands in a directory");
    let built = beside.parent().map(|target| target.join("examples"));
    let mut places = [Some(beside.to_owned()), built].into_iter().flatten();
    places
        .find_map(|place| Some(place.join(example)).filter(|program| program.is_file()))
        .unwrap_or_else(|| panic!("{example} is not built: `cargo test` builds examples too"))
}
