//! Two processes that meet over a socket.

use ipc_ring::{ErrorKind, Options};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 20_000;

pub(crate) fn echo(stage: Stage) {
    let channel = Options::new()
        .connect(stage.argument(0))
        .expect("it listens");
    let mut message = Vec::new();
    loop {
        match channel.receiver().recv_vec(&mut message) {
            Ok(()) => channel.sender().send(&message).expect("sent"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed);
                return;
            }
        }
    }
}

#[test]
fn messages_of_every_size_come_back_from_another_process() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().bind(&path).expect("bind");
    let child = Role::new("echo").argument(path.display()).spawn();
    let channel = listener.accept().expect("it comes");
    let ids = channel.credentials().expect("the kernel says");
    assert_eq!(ids.pid, child.id());
    let mut back = Vec::new();
    for round in 0..ROUNDS {
        let size = match round % 100 {
            0 => round * 50,
            _ => round % 300,
        };
        let message: Vec<u8> = (0..size).map(|at| (at ^ round) as u8).collect();
        channel.sender().send(&message).expect("sent");
        channel.receiver().recv_vec(&mut back).expect("an answer");
        assert_eq!(back, message, "round {round}");
    }
    drop(channel);
    child.done();
}

pub(crate) fn silent(stage: Stage) {
    let channel = Options::new()
        .connect(stage.argument(0))
        .expect("it listens");
    channel.sender().send(b"here").expect("sent");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_peer_ends_both_directions() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().bind(&path).expect("bind");
    let child = Role::new("silent").argument(path.display()).spawn();
    let (sender, receiver) = listener.accept().expect("it comes").split();
    let mut buffer = [0; 16];
    assert_eq!(receiver.recv(&mut buffer).expect("a message"), 4);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || receiver.recv(&mut buffer).expect_err("it dies").kind());
        let full = scope.spawn(move || {
            loop {
                if let Err(error) = sender.send(&[0; 40]) {
                    return error.kind();
                }
            }
        });
        child.kill();
        assert_eq!(waiting.join().expect("no panic"), ErrorKind::PeerDied);
        assert_eq!(full.join().expect("no panic"), ErrorKind::PeerDied);
    });
    child.wait_dead();
}
