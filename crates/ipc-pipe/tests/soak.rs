//! The soak of ipc-pipe: two processes for long, and pipes made and dropped.

use ipc_core::Framed;
use ipc_pipe::Options;
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Role, Stage};
use std::process::ExitCode;

fn main() -> ExitCode {
    soak::run(
        &[("bytes", send_bytes), ("frames", send_frames)],
        &[
            ("bytes", bytes_of_another_process),
            ("frames", frames_of_another_process),
            ("churn", pipes_made_and_dropped),
        ],
    )
}

fn count(lab: &Lab) -> u64 {
    lab.count(300_000, 100_000_000, 1_000_000_000)
}

fn send_bytes(mut stage: Stage) {
    let count: u64 = stage.argument(0).parse().expect("a number");
    let tx = Options::new()
        .adopt_sender(stage.descriptor())
        .expect("a pipe");
    for sequence in 0..count {
        tx.send(&soak::stamp(sequence)).expect("somebody reads");
    }
}

fn bytes_of_another_process(lab: &mut Lab) {
    let count = count(lab);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let sender = Role::new("bytes").argument(count).descriptor(&tx).spawn();
    drop(tx);
    soak::receive(
        lab,
        "S2",
        "pipe: bytes of another process",
        count,
        sender,
        |buffer| {
            let mut filled = 0;
            while filled < MESSAGE_BYTES {
                match rx.recv(&mut buffer[filled..])? {
                    0 => break,
                    length => filled += length,
                }
            }
            Ok::<_, ipc_pipe::Error>(filled)
        },
    );
}

fn send_frames(mut stage: Stage) {
    let count: u64 = stage.argument(0).parse().expect("a number");
    let tx = Options::new()
        .adopt_sender(stage.descriptor())
        .expect("a pipe");
    let tx = Framed::new(tx);
    for sequence in 0..count {
        tx.send(&soak::stamp(sequence)).expect("somebody reads");
    }
}

fn frames_of_another_process(lab: &mut Lab) {
    let count = count(lab);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let sender = Role::new("frames").argument(count).descriptor(&tx).spawn();
    drop(tx);
    let rx = Framed::new(rx);
    let what = "pipe: frames of another process";
    soak::receive(lab, "S2", what, count, sender, |buffer| rx.recv(buffer));
}

fn pipes_made_and_dropped(lab: &mut Lab) {
    let count = lab.count(2_000, 10_000, 100_000);
    soak::repeat(lab, "S4", "pipe: made, used and dropped", count, |number| {
        let check = || {
            let (tx, rx) = ipc_pipe::pair()?;
            tx.send(&soak::stamp(number))?;
            let mut buffer = [0; MESSAGE_BYTES];
            let length = rx.recv(&mut buffer)?;
            Ok::<_, ipc_pipe::Error>(soak::check(number, &buffer[..length]))
        };
        check().map_err(|error| error.to_string())?
    });
}
