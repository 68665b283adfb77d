//! What the commands print.

// xtask builds where no crate of the workspace does.
#[allow(unreachable_pub)]
#[path = "../../crates/ipc-testkit/src/printed.rs"]
mod plain;

pub(crate) use plain::{complain as complain_line, failure, say as say_words};

/// Prints a line, as `println!` does.
macro_rules! say {
    () => {
        $crate::printed::say_words(format_args!("\n"))
    };
    ($($words:tt)*) => {
        $crate::printed::say_words(format_args!("{}\n", format_args!($($words)*)))
    };
}

/// Prints a line to standard error.
macro_rules! complain {
    ($($words:tt)*) => {
        $crate::printed::complain_line(format_args!($($words)*))
    };
}

pub(crate) use {complain, say};

/// Shows what clap has to say, help or an error, where it belongs; the exit code for it.
pub(crate) fn clap(said: &clap::Error) -> u8 {
    let shown = said.print();
    if !said.use_stderr() {
        plain::note(shown);
    }
    u8::try_from(said.exit_code()).unwrap_or(1)
}
