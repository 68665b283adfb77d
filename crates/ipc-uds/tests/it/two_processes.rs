//! Two processes that talk, and hand over descriptors.

use ipc_testkit::{Role, Stage, TempDir, watchdog};
use ipc_uds::{Ancillary, ErrorKind, Framed, Stream};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn echo_frames(stage: Stage) {
    let stream = ipc_uds::connect(stage.argument(0)).expect("a server");
    let frames = stream.framed();
    let mut message = Vec::new();
    while frames.recv_vec(&mut message).is_ok() {
        frames.send(&message).expect("the other side listens");
    }
}

#[test]
fn messages_of_many_sizes_come_back_from_another_process() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = ipc_uds::bind(&path).expect("bind");
    let child = Role::new("frame echo").argument(path.display()).spawn();
    let frames: Framed<Stream> = listener.accept().expect("accept").framed();
    let mut echo = Vec::new();
    for length in [0, 1, 63, 64, 508, 509, 65_532, 70_000, 1 << 20, 4 << 20] {
        let message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        frames.send(&message).expect("send");
        frames.recv_vec(&mut echo).expect("an echo");
        assert!(echo == message, "{length} bytes");
    }
    drop(frames);
    child.done();
}

pub(crate) fn give_a_descriptor(stage: Stage) {
    let stream = ipc_uds::connect(stage.argument(0)).expect("a server");
    let (tell, told) = ipc_uds::pair().expect("a pair");
    stream.send_with_fds(b"!", &[told.as_fd()]).expect("send");
    drop(told);
    tell.send(b"through the descriptor").expect("send");
}

#[test]
fn a_descriptor_from_another_process_works_after_its_end() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = ipc_uds::bind(&path).expect("bind");
    let child = Role::new("descriptor giver")
        .argument(path.display())
        .spawn();
    let stream = listener.accept().expect("accept");
    let mut gifts = Ancillary::new();
    let length = stream.recv_with_fds(&mut [0; 8], &mut gifts).expect("recv");
    assert_eq!((length, gifts.fds().len()), (1, 1));
    child.done();
    let gift = gifts.take_fds().next().expect("one came");
    let mut text = String::new();
    Stream::from(gift).read_to_string(&mut text).expect("text");
    assert_eq!(text, "through the descriptor");
    let end = stream.recv(&mut [0; 8]).expect_err("it ended");
    assert_eq!(end.kind(), ErrorKind::Closed);
}

#[test]
fn a_child_is_spoken_to_in_both_directions() {
    let _watchdog = watchdog(PATIENCE);
    let (ours, theirs) = ipc_uds::pair().expect("a pair");
    let out = theirs.try_clone().expect("a clone");
    let mut tr = Command::new("tr");
    tr.args(["a-z", "A-Z"])
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::from(out));
    let mut child = tr.spawn().expect("tr is everywhere");
    drop(tr);
    (&ours).write_all(b"pear\n").expect("write");
    ours.close_write().expect("once");
    assert_eq!(
        ours.close_write().expect_err("twice").kind(),
        ErrorKind::Closed
    );
    assert_eq!(
        ours.send(b"x").expect_err("ended").kind(),
        ErrorKind::Closed
    );
    let mut answer = String::new();
    (&ours).read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "PEAR\n");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn an_open_file_crosses_with_its_offset() {
    let dir = TempDir::new();
    std::fs::write(dir.join("file"), "0123456789").expect("a file");
    let mut file = File::open(dir.join("file")).expect("there");
    file.read_exact(&mut [0; 4]).expect("four bytes");
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    left.send_with_fds(b"file", &[file.as_fd()]).expect("send");
    let mut gifts = Ancillary::new();
    right
        .recv_with_fds(&mut [0; 8], &mut gifts)
        .expect("received");
    let mut rest = String::new();
    let file = gifts.take_fds().next().expect("one came");
    File::from(file).read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "456789");
}
