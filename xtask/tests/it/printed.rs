//! A command whose output nobody reads ends as usual; one whose output is lost says so.

use std::fs::OpenOptions;
use std::io;
use std::process::{Command, Stdio};

/// What prints without a build.
const COMMANDS: [&[&str]; 4] = [
    &["--help"],
    &["tidy", "--help"],
    &["fuzz", "--list"],
    &["docs", "--check"],
];

/// The exit code with this output, and what went to standard error.
fn ended(args: &[&str], stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .output()
        .expect("xtask starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), errors)
}

#[test]
fn a_reader_who_has_gone_changes_no_exit_code() {
    for args in COMMANDS {
        let (read, write) = io::pipe().expect("a pipe");
        drop(read);
        let (code, errors) = ended(args, write);
        assert_eq!(code, Some(0), "{args:?}: {errors}");
        assert!(!errors.contains("roken pipe"), "{args:?}: {errors}");
    }
}

#[test]
fn output_that_is_lost_is_an_error() {
    for args in COMMANDS {
        let full = OpenOptions::new().write(true).open("/dev/full");
        let (code, errors) = ended(args, full.expect("/dev/full is there"));
        assert_eq!(code, Some(1), "{args:?}: {errors}");
        let lines = errors
            .matches("error: standard output: No space left")
            .count();
        assert_eq!(lines, 1, "{args:?}: {errors}");
    }
}

/// As `cargo xtask … 2>&1 | head -0` does.
#[test]
fn errors_that_nobody_reads_are_no_panic() {
    let (read, write) = io::pipe().expect("a pipe");
    drop(read);
    let ended = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("release")
        .stderr(write)
        .status();
    assert_eq!(ended.expect("xtask starts").code(), Some(1));
}
