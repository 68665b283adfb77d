//! Measures every IPC mechanism on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    ipc_bench::cli::main()
}
