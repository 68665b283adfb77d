//! What the bench prints: a reader that has gone is no reason to fail, a full disk is one.

use std::{
    fmt,
    io::{self, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

/// The first failure of standard output that matters.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output; what goes wrong is told at the end, by [`failure`].
pub fn say(text: &str) {
    note(io::stdout().write_all(text.as_bytes()));
}

/// Writes a line to standard error. Where that fails there is nowhere to say so.
pub(crate) fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Shows what clap has to say, help or an error, where it belongs; the exit code for it.
pub(crate) fn clap(said: &clap::Error) -> u8 {
    let text = said.render();
    if said.use_stderr() {
        let _ = match io::stderr().is_terminal() {
            true => write!(io::stderr(), "{}", text.ansi()),
            false => write!(io::stderr(), "{text}"),
        };
    } else {
        note(match io::stdout().is_terminal() {
            true => write!(io::stdout(), "{}", text.ansi()),
            false => write!(io::stdout(), "{text}"),
        });
    }
    u8::try_from(said.exit_code()).unwrap_or(1)
}

/// Why something that was printed has not arrived, if that is anything but a reader who has read
/// enough.
pub fn failure() -> Option<&'static io::Error> {
    note(io::stdout().flush());
    FAILED.get()
}

fn note(printed: io::Result<()>) {
    if let Err(error) = printed
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = FAILED.set(error);
    }
}
