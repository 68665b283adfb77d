//! The crash laboratory of locks and permits: who dies where, and how the others go on.

#[path = "crash/alive.rs"]
mod alive;
#[path = "crash/deaths.rs"]
mod deaths;
#[path = "crash/disturbed.rs"]
mod disturbed;
#[path = "crash/judge.rs"]
mod judge;
#[path = "crash/labels.rs"]
mod labels;
#[path = "crash/operations.rs"]
mod operations;
#[path = "crash/permits.rs"]
mod permits;
#[path = "crash/scene.rs"]
mod scene;
#[path = "crash/steps.rs"]
mod steps;
#[path = "crash/survivors.rs"]
mod survivors;
#[path = "crash/system.rs"]
mod system;
#[path = "crash/unlockers.rs"]
mod unlockers;

use ipc_testkit::crash::laboratory;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(labels::PART) {
        return labels::play(&part);
    }
    // Sets of others come and go: where it may, the laboratory has a host's worth of its own.
    let _ = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWIPC);
    laboratory(&[
        ("each instruction", steps::after_each_instruction),
        ("POSIX in a region", system::in_a_region),
        ("POSIX by name", system::under_a_name),
        ("System V", system::sets),
        ("killed inside", steps::killed_inside),
        ("making", steps::killed_while_making),
        ("recovery", steps::killed_while_recovering),
        ("labels", labels::at_each_label),
        ("survivors", survivors::of_random_kills),
        ("unlockers", unlockers::killed_before_they_wake),
        ("crowd", deaths::of_owners_before_a_crowd),
        ("queue", deaths::of_owners_before_a_queue),
        ("permits", permits::are_conserved),
        ("starts", permits::are_returned_once_to_many_that_start),
        ("zombies", deaths::of_holders_that_nobody_reaps),
        ("stopped", alive::a_stopped_owner_keeps_its_lock),
        ("used number", alive::a_used_number_is_another_owner),
        ("wake-ups", disturbed::no_wake_up_is_lost),
        ("storm", disturbed::a_storm_of_signals_changes_nothing),
    ])
}
