//! What a program prints: a reader that has gone is no reason to fail, a full disk is one.
//!
//! xtask, which builds without any crate of the workspace, includes this file.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

/// The first failure of standard output that matters.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints, as `print!` does, but does not panic: what goes wrong is told at the end, by
/// [`failure`].
pub fn say(words: fmt::Arguments<'_>) {
    note(io::stdout().write_fmt(words));
}

/// Prints a line to standard error. Where that fails there is nowhere to say so.
pub fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Remembers what came of printing, if that is a failure.
pub fn note(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = FAILED.set(error);
    }
}

/// Why something that was printed has not arrived, if that is anything but a reader who has read
/// enough.
pub fn failure() -> Option<&'static io::Error> {
    note(io::stdout().flush());
    FAILED.get()
}
