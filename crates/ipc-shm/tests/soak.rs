//! The soak of ipc-shm: regions made, handed over by descriptor, and dropped.

use ipc_shm::Region;
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(&[], &[("churn", regions_made_and_dropped)])
}

fn regions_made_and_dropped(lab: &mut Lab) {
    let count = lab.count(2_000, 10_000, 100_000);
    let what = "shm: made, handed over and dropped";
    soak::repeat(lab, "S4", what, count, |number| {
        let share = || {
            let region = ipc_shm::anonymous(4096)?;
            region.write_at(0, &soak::stamp(number))?;
            let other = Region::from_fd(region.to_fd()?)?;
            let mut buffer = [0; MESSAGE_BYTES];
            other.read_at(0, &mut buffer)?;
            Ok::<_, ipc_shm::Error>(soak::check(number, &buffer))
        };
        share().map_err(|error| error.to_string())?
    });
}
