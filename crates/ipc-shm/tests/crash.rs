//! The crash laboratory of shared memory: who dies where, and what whoever comes next finds.

#[path = "crash/headers.rs"]
mod headers;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/labels.rs"]
mod labels;
#[path = "crash/life.rs"]
mod life;
#[path = "crash/object.rs"]
mod object;
#[path = "crash/signals.rs"]
mod signals;
#[path = "crash/steps.rs"]
mod steps;

use ipc_testkit::crash::{Lab, Tally, laboratory};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(labels::PART) {
        labels::live(&part);
        return ExitCode::SUCCESS;
    }
    // Segments of others come and go: where it may, the laboratory has a host's worth of its own.
    let _ = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWIPC);
    laboratory(&[
        ("each instruction", steps::after_each_instruction),
        ("shared region", steps::on_a_shared_region),
        ("committed writes", steps::committed_writes),
        ("each call", steps::after_each_call),
        ("some instructions", steps::at_some_instructions),
        ("without a name", steps::without_a_name),
        ("random kills", kills::of_makers_and_attachers),
        ("labels", labels::of_a_life),
        ("killed recoverers", kills::of_recoverers),
        ("labelled recoverers", labels::of_recoverers),
        ("many starts", kills::before_many_starts),
        ("zombies", life::of_a_zombie_is_over),
        ("stopped owner", life::of_a_stopped_owner_goes_on),
        ("stopped maker", life::of_a_stopped_maker_makes_one),
        ("used number", life::of_another_with_the_same_number),
        ("makers number", life::of_a_copy_with_the_makers_number),
        ("storm", signals::change_nothing),
        ("headers", headers::from_a_generator),
        ("leftovers", leftovers),
    ])
}

/// R12: the last of all, after every death above.
fn leftovers(lab: &mut Lab) {
    let mut tally = Tally::new("R12", "no object, segment or directory is left");
    let names = object::left_behind();
    let left = object::segments();
    tally.trial(match (names.as_slice(), left) {
        ([], 0) => Ok(()),
        _ => Err(format!("{names:?}, {left} segments")),
    });
    lab.enter(tally);
}
