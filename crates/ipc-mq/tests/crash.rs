//! The crash laboratory of queues: who dies where, what stays in the queue, and what of the names.

#[path = "crash/calls.rs"]
mod calls;
#[path = "crash/labels.rs"]
mod labels;
#[path = "crash/makers.rs"]
mod makers;
#[path = "crash/messages.rs"]
mod messages;

use ipc_testkit::crash::{Lab, Tally, laboratory};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(labels::PART) {
        labels::live(&part);
        return ExitCode::SUCCESS;
    }
    // Queues of others come and go: where it may, the laboratory has a host's worth of its own.
    let _ = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWIPC);
    laboratory(&[
        ("calls", calls::of_each_form),
        ("killed senders", messages::of_a_killed_sender),
        ("killed receivers", messages::of_a_killed_receiver),
        ("killed makers", makers::killed_at_random),
        ("each call", makers::killed_at_each_call),
        ("killed recoverers", makers::recoverers_killed),
        ("labels", labels::of_makers),
        ("leftovers", leftovers),
    ])
}

/// R12: the last of all, after every death above.
fn leftovers(lab: &mut Lab) {
    let mut tally = Tally::new("R12", "no queue, name or file is left");
    let left = makers::left_behind();
    tally.trial(if left.is_empty() {
        Ok(())
    } else {
        Err(left.join(", "))
    });
    lab.enter(tally);
}
