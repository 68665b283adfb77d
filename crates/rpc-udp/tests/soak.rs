//! The soak of rpc-udp: calls through a way that loses, repeats and holds back, to a server that is
//! killed and started again.

#[path = "it/chaos.rs"]
mod chaos;
#[path = "soak/deadlines.rs"]
mod deadlines;
#[path = "it/ledger.rs"]
mod ledger;
#[path = "it/remote.rs"]
mod remote;
#[path = "soak/restarts.rs"]
mod restarts;

use ipc_testkit::soak;
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[("server", remote::serve)],
        &[
            ("chaos", restarts::none),
            ("deadlines", deadlines::overshoot),
            ("restarts", restarts::now_and_then),
        ],
    )
}
