//! The contracts of the services of this crate: printed, or compared with lock files.

use rpc_grpc::health::HEALTH_SERVICE;
use rpc_testkit::lockfile;
use std::process::ExitCode;

fn main() -> ExitCode {
    lockfile::main(&[&HEALTH_SERVICE])
}
