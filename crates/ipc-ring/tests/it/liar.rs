//! Peers that speak the protocol themselves, over memory that they may write as they like.

use ipc_ring::{Channel, ErrorKind, Options, Result, Subscriber, WhenFull};
use ipc_shm::{Protection, Region};
use ipc_uds::{Ancillary, SeqPacket};
use std::os::fd::{AsFd, OwnedFd};

const HELLO: &[u8; 12] = b"ipc-ring\x01\0\0\0";
pub(crate) const HELLO_OF_A_READER: &[u8; 12] = b"ipc-cast\x01\0\0\0";

pub(crate) fn hear(socket: &SeqPacket) -> (Vec<u8>, Vec<OwnedFd>) {
    let (mut hello, mut ancillary) = ([0; 64], Ancillary::new());
    let len = socket.recv_with_fds(&mut hello, &mut ancillary);
    let hello = hello[..len.expect("it is said")].to_vec();
    (hello, ancillary.take_fds().collect())
}

/// Memory like that at `fd`, which we may write.
pub(crate) fn like(fd: &OwnedFd) -> Region {
    let real = ipc_shm::Options::new()
        .read_only(true)
        .any_word(true)
        .attach(fd.try_clone().expect("a copy"))
        .expect("its memory");
    let mut own = ipc_shm::Options::new()
        .size_bytes(real.len_bytes())
        .layout(real.layout())
        .narrowable(true)
        .anonymous()
        .expect("memory");
    let mut bytes = vec![0; real.len_bytes()];
    real.read_at(0, &mut bytes).expect("read");
    own.write_at(0, &bytes).expect("written");
    own.protect(Protection::ReadOnly).expect("sealed");
    own
}

/// What a real reader begins with.
pub(crate) fn real_reader() -> (Vec<u8>, Vec<OwnedFd>) {
    let (theirs, socket) = ipc_uds::pair_seqpacket().expect("a pair");
    let reader = std::thread::spawn(|| Options::new().subscribe_over(theirs));
    let heard = hear(&socket);
    drop(socket);
    let error = reader.join().expect("no panic").expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Closed);
    heard
}

/// A channel, the memory by which its peer, who is us, talks to it, and what it wakes us by.
pub(crate) fn with_liar() -> (Channel, [Region; 2], OwnedFd) {
    let (channel, memory, bell, _ropes) = with_ringing_liar();
    (channel, memory, bell)
}

/// As [`with_liar`], and what we ring its receiver and its sender by.
pub(crate) fn with_ringing_liar() -> (Channel, [Region; 2], OwnedFd, [OwnedFd; 2]) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut options = Options::new();
    options.capacity_messages(4).capacity_bytes(256);
    let real = std::thread::spawn(move || options.over(ours));
    let (_, fds) = hear(&theirs);
    let [sends, takes, ropes @ ..]: [OwnedFd; 4] = fds.try_into().expect("four");
    let (sends, takes) = (like(&sends), like(&takes));
    let memory = [&sends, &takes].map(|region| region.to_read_only_fd().expect("a descriptor"));
    let (bell, rope) = rustix::pipe::pipe().expect("a pipe");
    let fds = [
        memory[0].as_fd(),
        memory[1].as_fd(),
        rope.as_fd(),
        rope.as_fd(),
    ];
    theirs.send_with_fds(HELLO, &fds).expect("sent");
    let channel = real.join().expect("no panic").expect("it believes us");
    (channel, [sends, takes], bell, ropes)
}

/// A reader whose writer, who is us, lies; and the writer's memory.
pub(crate) fn with_lying_writer(start: u64) -> (Result<Subscriber>, Region) {
    let (honest, _) = with_readers_fds();
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let reader = std::thread::spawn(|| Options::new().subscribe_over(ours));
    hear(&theirs);
    let sends = like(&honest[0]);
    let memory = sends.to_read_only_fd().expect("a descriptor");
    let hello = [&HELLO_OF_A_READER[..], &start.to_le_bytes()].concat();
    theirs
        .send_with_fds(&hello, &[memory.as_fd(), honest[1].as_fd()])
        .expect("sent");
    (reader.join().expect("no panic"), sends)
}

/// What a real writer answers.
fn with_readers_fds() -> (Vec<OwnedFd>, ipc_ring::Broadcaster) {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(2048);
    options.when_full(WhenFull::DropOldest);
    let writer = options.broadcast().expect("memory");
    let (_, fds) = real_reader();
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    theirs
        .send_with_fds(HELLO_OF_A_READER, &[fds[0].as_fd(), fds[1].as_fd()])
        .expect("sent");
    writer.add(ours).expect("taken in");
    (hear(&theirs).1, writer)
}
