//! What the bench prints.

pub use ipc_testkit::printed::{complain, failure, say};

use ipc_testkit::printed::note;

/// Shows what clap has to say, help or an error, where it belongs; the exit code for it.
pub(crate) fn clap(said: &clap::Error) -> u8 {
    let shown = said.print();
    if !said.use_stderr() {
        note(shown);
    }
    u8::try_from(said.exit_code()).unwrap_or(1)
}
