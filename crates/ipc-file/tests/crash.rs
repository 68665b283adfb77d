//! The crash laboratory of files: killed anywhere, the power lost, bits turned, calls that fail.

#[path = "crash/bits.rs"]
mod bits;
#[path = "crash/faults.rs"]
mod faults;
#[path = "crash/image.rs"]
mod image;
#[path = "crash/imitation.rs"]
mod imitation;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/labels.rs"]
mod labels;
#[path = "crash/power.rs"]
mod power;

use ipc_testkit::crash::laboratory;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(labels::PART) {
        labels::play(&part);
        return ExitCode::SUCCESS;
    }
    if let Some(code) = in_memory() {
        return code;
    }
    laboratory(&[
        ("power logs", power::of_logs),
        ("power documents", power::of_documents),
        ("power spools", power::of_spools),
        ("bits", bits::of_a_small_log),
        ("bits large", bits::of_a_large_log),
        ("cut", bits::cut_at_each_byte),
        ("faults logs", faults::of_logs),
        ("faults documents", faults::of_documents),
        ("faults spools", faults::of_spools),
        ("faults strace", faults::by_strace),
        ("kills appenders", kills::of_appenders),
        ("kills spoolers", kills::of_spoolers),
        ("kills labels", labels::at_each_label),
        ("kills copies", kills::of_forked_copies),
        ("replace", kills::of_a_document),
        ("replace calls", kills::of_a_replacer),
    ])
}

/// Starts itself again with its files in memory, where the host has a place for that: a kill
/// takes nothing from a disk, which would only make each trial slow.
fn in_memory() -> Option<ExitCode> {
    const MEMORY: &str = "/dev/shm";
    if std::env::var_os("TMPDIR").is_some()
        || rustix::fs::access(MEMORY, rustix::fs::Access::WRITE_OK).is_err()
    {
        return None;
    }
    let again = Command::new(std::env::current_exe().ok()?)
        .args(std::env::args_os().skip(1))
        .env("TMPDIR", MEMORY)
        .status();
    let code = again.ok()?.code().unwrap_or(101);
    Some(ExitCode::from(u8::try_from(code).unwrap_or(101)))
}
