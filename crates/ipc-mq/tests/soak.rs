//! The soak of ipc-mq: messages of another process, and queues made and removed without end.

use ipc_mq::sysv::{self, Select};
use ipc_mq::{Options, Queue};
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Role, Stage};
use std::os::fd::AsFd;
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[
            ("messages", send_messages),
            ("typed messages", send_typed_messages),
        ],
        &[
            ("posix", messages_of_another_process),
            ("sysv", typed_messages_of_another_process),
            ("churn", queues_made_and_removed),
        ],
    )
}

fn argument(stage: &Stage, number: usize) -> u64 {
    stage.argument(number).parse().expect("a number")
}

fn send_messages(mut stage: Stage) {
    let queue = Queue::from_descriptor(stage.descriptor()).expect("a queue");
    for sequence in 0..argument(&stage, 0) {
        queue
            .send(&soak::stamp(sequence), 0)
            .expect("somebody reads");
    }
}

fn messages_of_another_process(lab: &mut Lab) {
    let count = lab.count(100_000, 100_000_000, 1_000_000_000);
    let made = Options::new()
        .message_size_bytes(MESSAGE_BYTES)
        .create_unnamed();
    let queue = made.expect("a queue");
    let sender = Role::new("messages")
        .argument(count)
        .descriptor(queue.as_fd())
        .spawn();
    let what = "mq: POSIX messages of another process";
    soak::receive(lab, "S2", what, count, sender, |buffer| queue.recv(buffer));
}

fn send_typed_messages(stage: Stage) {
    let id = i32::try_from(argument(&stage, 1)).expect("an id");
    let queue = sysv::Queue::from_id(id).expect("a queue");
    for sequence in 0..argument(&stage, 0) {
        queue.send(&soak::stamp(sequence), 1).expect("it is there");
    }
}

fn typed_messages_of_another_process(lab: &mut Lab) {
    let count = lab.count(100_000, 100_000_000, 1_000_000_000);
    let queue = sysv::Options::new().create_unnamed().expect("a queue");
    let sender = Role::new("typed messages")
        .argument(count)
        .argument(queue.id())
        .spawn();
    let what = "mq: System V messages of another process";
    soak::receive(lab, "S2", what, count, sender, |buffer| {
        queue
            .recv(buffer, Select::First)
            .map(|received| received.length)
    });
    queue.remove().expect("it is there");
}

fn queues_made_and_removed(lab: &mut Lab) {
    let count = lab.count(1_000, 10_000, 100_000);
    let what = "mq: queues of both kinds made and removed";
    soak::repeat(lab, "S4", what, count, |number| {
        let turn = || {
            let mut buffer = [0; MESSAGE_BYTES];
            let posix = Options::new()
                .message_size_bytes(MESSAGE_BYTES)
                .create_unnamed()?;
            posix.send(&soak::stamp(number), 3)?;
            let length = posix.recv(&mut buffer)?;
            let system_v = sysv::Options::new().create_unnamed()?;
            system_v.send(&buffer[..length], 7)?;
            let received = system_v.recv(&mut buffer, Select::Exact(7));
            system_v.remove()?;
            let length = received?.length;
            Ok::<_, ipc_mq::Error>(soak::check(number, &buffer[..length]))
        };
        turn().map_err(|error| error.to_string())?
    });
}
