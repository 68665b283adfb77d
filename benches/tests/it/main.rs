//! The harness, tested from outside: real workers, real kernel objects, real command lines.

mod cells;
mod command_line;
mod families;
mod workers;

use std::path::Path;

/// The bench under test.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ipc-bench"))
}
