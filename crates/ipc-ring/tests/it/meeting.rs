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

#[test]
fn a_deadline_holds_for_a_peer_that_came_and_is_silent_too() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let mut options = Options::new();
    // Nobody does his part, so that the caller's deadline alone can end the wait.
    let options = options.meet_timeout(Duration::MAX);
    let _idle = options.bind(&path).expect("bind");
    let soon = Duration::from_millis(5);
    let late = [
        options.connect_timeout(&path, soon).map(drop),
        options.subscribe_timeout(&path, soon).map(drop),
        options.produce_timeout(&path, soon).map(drop),
        options.consume_timeout(&path, soon).map(drop),
    ];
    for outcome in late {
        assert_eq!(outcome.expect_err("nobody").kind(), ErrorKind::TimedOut);
    }
    let path = dir.join("other");
    let listener = options.bind(&path).expect("bind");
    let socket = ipc_uds::Options::new();
    let silent: Vec<_> = (0..3)
        .map(|_| socket.connect_seqpacket(&path).expect("it listens"))
        .collect();
    let late = [
        listener.accept_timeout(soon).map(drop),
        options
            .broadcast()
            .expect("memory")
            .accept_timeout(&listener, soon),
        options
            .queue()
            .expect("memory")
            .accept_timeout(&listener, soon),
    ];
    for outcome in late {
        assert_eq!(outcome.expect_err("silent").kind(), ErrorKind::TimedOut);
    }
    drop(silent);
}
