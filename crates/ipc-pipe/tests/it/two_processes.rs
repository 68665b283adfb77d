//! Two processes that talk, and one that is killed while it does.

use ipc_core::Framed;
use ipc_pipe::{ErrorKind, Receiver, Sender};
use ipc_testkit::{Role, Stage, watchdog};
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn echo_frames(mut stage: Stage) {
    let rx = Framed::new(Receiver::from(stage.descriptor()));
    let tx = Framed::new(Sender::from(stage.descriptor()));
    let mut message = Vec::new();
    while rx.recv_vec(&mut message).is_ok() {
        tx.send(&message).expect("the other side listens");
    }
}

#[test]
fn messages_of_many_sizes_come_back_from_another_process() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, theirs_in) = ipc_pipe::pair().expect("a pipe");
    let (theirs_out, rx) = ipc_pipe::pair().expect("a pipe");
    let child = Role::new("frame echo")
        .descriptor(&theirs_in)
        .descriptor(&theirs_out)
        .spawn();
    drop((theirs_in, theirs_out));
    let (tx, rx) = (tx.framed(), rx.framed());
    let mut echo = Vec::new();
    for length in [
        0,
        1,
        63,
        64,
        508,
        509,
        4092,
        4093,
        65_532,
        70_000,
        1 << 20,
        4 << 20,
    ] {
        let message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        tx.send(&message).expect("send");
        rx.recv_vec(&mut echo).expect("an echo");
        assert!(echo == message, "{length} bytes");
    }
    drop(tx);
    child.done();
    assert_eq!(
        rx.recv_vec(&mut echo).expect_err("it ended").kind(),
        ErrorKind::Closed
    );
}

pub(crate) fn read_until_killed(mut stage: Stage) {
    let rx = Receiver::from(stage.descriptor());
    let mut bytes = [0; 4096];
    while rx.recv(&mut bytes).is_ok() {}
}

#[test]
fn a_reader_killed_at_any_time_closes_the_pipe() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..20u64 {
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let child = Role::new("reader").descriptor(&rx).spawn();
        drop(rx);
        let mut sent = 0;
        let error = loop {
            if sent == round * 50 {
                child.kill();
            }
            match tx.send(&[7; 1000]) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Closed, "after {sent} messages");
    }
}

#[test]
fn a_child_filters_what_it_is_sent() {
    let _watchdog = watchdog(PATIENCE);
    let (words, stdin) = ipc_pipe::pair().expect("a pipe");
    let mut sort = Command::new("sort");
    let sort = sort.env("LC_ALL", "C").stdin(stdin).stdout(Stdio::piped());
    let child = sort.spawn().expect("sort is everywhere");
    words.send(b"pear\napple\n").expect("send");
    drop(words);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.stdout, b"apple\npear\n");
}
