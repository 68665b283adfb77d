//! What the commands print: a reader that has gone is no reason to fail, a full disk is one.

use std::{
    fmt,
    io::{self, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

/// The first failure of standard output that matters.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// Prints a line, as `println!` does, but does not panic: what goes wrong is told at the end, by
/// [`failure`].
macro_rules! say {
    () => {
        $crate::printed::say_line(format_args!(""))
    };
    ($($words:tt)*) => {
        $crate::printed::say_line(format_args!($($words)*))
    };
}

/// Prints a line to standard error. Where that fails there is nowhere to say so.
macro_rules! complain {
    ($($words:tt)*) => {
        $crate::printed::complain_line(format_args!($($words)*))
    };
}

pub(crate) use {complain, say};

pub(crate) fn say_line(words: fmt::Arguments<'_>) {
    note(writeln!(io::stdout(), "{words}"));
}

pub(crate) fn complain_line(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{words}");
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
pub(crate) fn failure() -> Option<&'static io::Error> {
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
