//! A test in a process of its own: for what is process-wide, and for leak checks that no other
//! test disturbs.

use crate::Snapshot;
use crate::role::{DONE, die_with_parent, spawn_lock};
use std::process::{Command, ExitStatus, Stdio};

const VARIABLE: &str = "IPC_TESTKIT_ISOLATED";

/// Runs the rest of a `#[test]` in a process of its own, which must end as it began: no
/// descriptor, thread or child more.
///
/// ```no_run
/// # fn main() {
/// ipc_testkit::isolated!({
///     std::env::set_current_dir("/").expect("there is a root");
/// });
/// # }
/// ```
#[macro_export]
macro_rules! isolated {
    ($body:block) => {{
        fn here() {}
        $crate::run_isolated(std::any::type_name_of_val(&here), || $body)
    }};
}

/// What [`isolated!`](crate::isolated) calls.
///
/// # Panics
/// Where the body panics, hangs, leaks, or does not run at all.
#[track_caller]
pub fn run_isolated(here: &str, body: impl FnOnce()) {
    let test = test_name(here);
    if std::env::var(VARIABLE).is_ok_and(|isolated| isolated == test) {
        die_with_parent();
        let before = Snapshot::take();
        body();
        before.assert_unchanged();
        std::process::exit(DONE);
    }
    let (status, output) = run_alone(test);
    assert!(
        status.code() == Some(DONE),
        "{test}, in a process of its own, ended with {status}:\n{output}"
    );
}

/// Runs the `#[test]` around `here` in a process of its own and expects that `body` fails there:
/// for tests of the kit itself. Returns what the process printed.
///
/// # Panics
/// Where the body succeeds.
#[track_caller]
pub fn expect_failure(here: &str, body: impl FnOnce()) -> String {
    let test = test_name(here);
    if std::env::var(VARIABLE).is_ok_and(|isolated| isolated == test) {
        run_isolated(here, body);
    }
    let (status, output) = run_alone(test);
    assert!(
        status.code() != Some(DONE),
        "{test} should have failed:\n{output}"
    );
    output
}

/// From the path of the function inside the test to the name that the test runner knows.
fn test_name(here: &str) -> &str {
    let inside = here.strip_suffix("::here").unwrap_or(here);
    inside
        .split_once("::")
        .map_or(inside, |(_crate, test)| test)
}

fn run_alone(test: &str) -> (ExitStatus, String) {
    let program = std::env::current_exe().expect("this test runs from a file");
    let child = {
        let _one_at_a_time = spawn_lock();
        Command::new(program)
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, test)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the test binary can be started again")
    };
    let output = child.wait_with_output().expect("the child is ours");
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&text).into_owned())
}
