//! Two processes that talk, and one that dies.

use crate::loopback::{PATIENCE, pattern};
use ipc_net::{ErrorKind, Framed, Stream};
use ipc_testkit::{Role, Stage, watchdog};

pub(crate) fn echo_frames(stage: Stage) {
    let frames = ipc_net::connect(stage.argument(0))
        .expect("a server")
        .framed();
    let mut message = Vec::new();
    while frames.recv_vec(&mut message).is_ok() {
        frames.send(&message).expect("the other side listens");
    }
}

#[test]
fn messages_of_many_sizes_come_back_from_another_process() {
    let _watchdog = watchdog(PATIENCE);
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let address = listener.address().expect("bound");
    let child = Role::new("frame echo").argument(address).spawn();
    let frames: Framed<Stream> = listener.accept().expect("accept").framed();
    let mut echo = Vec::new();
    for length in [0, 1, 63, 64, 508, 509, 65_532, 70_000, 1 << 20, 4 << 20] {
        let message = pattern(length);
        frames.send(&message).expect("send");
        frames.recv_vec(&mut echo).expect("an echo");
        assert!(echo == message, "{length} bytes");
    }
    drop(frames);
    child.done();
}

/// Connects to argument 0, sends the beginning of a message, and waits.
pub(crate) fn connect_and_wait_to_be_killed(stage: Stage) {
    let stream = ipc_net::connect(stage.argument(0)).expect("a server");
    stream.send(&1000u32.to_le_bytes()).expect("send");
    stream.send(b"a part").expect("send");
    let _ = stream.recv(&mut [0; 1]);
}

#[test]
fn a_peer_that_is_killed_in_the_middle_of_a_message_leaves_it_truncated() {
    let _watchdog = watchdog(PATIENCE);
    let listener = ipc_net::bind("127.0.0.1:0").expect("bind");
    let address = listener.address().expect("bound");
    let child = Role::new("caller").argument(address).spawn();
    let stream = listener.accept().expect("accept");
    let mut bytes = [0; 10];
    std::io::Read::read_exact(&mut &stream, &mut bytes).expect("ten bytes");
    let child_again = Role::new("caller").argument(address).spawn();
    let frames = listener.accept().expect("accept").framed();
    child.kill();
    let error = stream.recv(&mut bytes).expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::Closed);
    // Not reaped, and seen all the same.
    let mut message = Vec::new();
    let waiting = frames.recv_vec_timeout(&mut message, std::time::Duration::ZERO);
    assert_eq!(waiting.expect_err("not whole").kind(), ErrorKind::TimedOut);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| frames.recv_vec(&mut Vec::new()));
        child_again.kill();
        let error = receiving.join().expect("no panic").expect_err("cut short");
        assert!(
            matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Closed),
            "{error}"
        );
    });
}
