//! What a command must refuse, and how it says so.

use std::process::{Command, Output};

fn xtask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .output()
        .expect("xtask starts")
}

/// Checks that the command fails and that its errors contain `words`.
fn refuses(args: &[&str], words: &str) {
    let output = xtask(args);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?} succeeded");
    assert!(
        errors.contains(words),
        "{args:?}: expected {words:?} in {errors}"
    );
}

#[test]
fn publishing_is_left_to_a_person() {
    refuses(&["release"], "publishing is done by a person");
}

#[test]
fn an_unknown_crate_is_named_beside_those_that_exist() {
    refuses(&["test", "-p", "ipc-nothing"], "ipc-core");
    refuses(&["build", "-p", "ipc-nothing"], "ipc-core");
    refuses(&["models", "-p", "ipc-nothing"], "ipc-core");
    refuses(&["models", "--spin", "-p", "ipc-nothing"], "ipc-core");
}

#[test]
fn a_crate_without_models_is_not_taken_for_one_that_passed() {
    refuses(&["models", "-p", "ipc-testkit"], "tests/models");
}

#[test]
fn a_run_that_cannot_be_read_is_refused_before_anything_is_built() {
    refuses(
        &["docs", "--figures", "/no/run.json"],
        "cannot read /no/run.json: No such file",
    );
}

#[test]
fn no_hidden_command_is_proposed_for_a_misspelt_one() {
    let output = xtask(&["bnch"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("'bench'"), "{errors}");
    assert!(!errors.contains("launch"), "{errors}");
}

#[test]
fn an_unknown_commit_is_refused_before_anything_is_built() {
    refuses(
        &["bench", "--compare", "no/such/commit"],
        "git knows no commit",
    );
    refuses(&["bench", "--compare", "--help"], "git knows no commit");
}

#[test]
fn zero_rounds_of_stress_are_refused() {
    refuses(&["test", "--stress", "0"], "--stress");
}

#[test]
fn every_command_explains_itself() {
    for command in ["build", "ci", "deny", "docs", "release", "test", "tidy"] {
        let output = xtask(&[command, "--help"]);
        assert!(output.status.success(), "{command}");
        assert!(output.stdout.len() > 80, "{command}");
    }
}
