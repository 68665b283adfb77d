//! The soak of ipc-async: cancelled waits that lose nothing and leave nothing, and how late waits
//! with a deadline end.

#[path = "soak/cancels.rs"]
mod cancels;
#[path = "soak/deadlines.rs"]
mod deadlines;
#[path = "soak/kinds.rs"]
mod kinds;

use ipc_testkit::soak;
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[],
        &[
            ("cancels", cancels::on_tokio),
            ("smol", cancels::on_smol),
            ("sets", cancels::members_of_a_set),
            ("deadlines", deadlines::overshoot),
        ],
    )
}
