//! Tests that cannot run on this host say so, with the cause, and are counted.

use std::io::Write;

/// Ends the test that calls it as skipped, for a reason.
///
/// ```no_run
/// # fn main() {
/// ipc_testkit::skip!("needs root to make a device");
/// # }
/// ```
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        fn here() {}
        $crate::report_skip(std::any::type_name_of_val(&here), &format!($($reason)+));
        return;
    }};
}

/// Notes that the test around `here` was skipped: on standard error, and as a line in the file
/// that `IPC_TESTKIT_SKIPS` names, by which the runner counts.
pub fn report_skip(here: &str, reason: &str) {
    let test = here.strip_suffix("::here").unwrap_or(here);
    let line = format!("SKIPPED {test}: {reason}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("IPC_TESTKIT_SKIPS") {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        // One write a line: appends of several processes do not mingle.
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            eprintln!("cannot note the skip: {error}");
        }
    }
}
