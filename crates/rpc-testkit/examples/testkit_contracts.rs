//! The contracts of the test services, printed or compared with their lock files.

use rpc_testkit::calculator::CALCULATOR_SERVICE;
use rpc_testkit::interop::TEST_SERVICE_SERVICE;
use rpc_testkit::inventory::STOCK_SERVICE;
use rpc_testkit::lockfile;
use std::process::ExitCode;

fn main() -> ExitCode {
    lockfile::main(&[&CALCULATOR_SERVICE, &STOCK_SERVICE, &TEST_SERVICE_SERVICE])
}
