//! The contract of the registry: printed, or compared with its lock file.

use rpc_testkit::lockfile;
use std::process::ExitCode;

fn main() -> ExitCode {
    lockfile::main(&[rpc_registry::CONTRACT])
}
