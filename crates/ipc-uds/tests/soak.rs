//! The soak of ipc-uds: messages, connections and descriptors of another process.

use ipc_core::Framed;
use ipc_testkit::crash::Lab;
use ipc_testkit::soak::{self, MESSAGE_BYTES};
use ipc_testkit::{Role, Stage, TempDir};
use ipc_uds::{Ancillary, SeqPacket, Stream};
use rustix::fs::{MemfdFlags, memfd_create};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;

/// How many different memory files are passed, in turn, and how many in one message.
const FILES: u64 = 7;
const A_MESSAGE: u64 = 4;

fn main() -> ExitCode {
    soak::run(
        &[
            ("packets", send_packets),
            ("frames", send_frames),
            ("client", connect_often),
            ("files", send_files),
        ],
        &[
            ("packets", packets_of_another_process),
            ("frames", frames_of_another_process),
            ("connections", connections_of_another_process),
            ("descriptors", descriptors_of_another_process),
        ],
    )
}

fn count(lab: &Lab) -> u64 {
    lab.count(100_000, 100_000_000, 1_000_000_000)
}

fn argument(stage: &Stage) -> u64 {
    stage.argument(0).parse().expect("a number")
}

fn send_packets(mut stage: Stage) {
    let tx = SeqPacket::from(stage.descriptor());
    for sequence in 0..argument(&stage) {
        tx.send(&soak::stamp(sequence)).expect("somebody reads");
    }
}

fn packets_of_another_process(lab: &mut Lab) {
    let count = count(lab);
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("sockets");
    let sender = Role::new("packets")
        .argument(count)
        .descriptor(&theirs)
        .spawn();
    drop(theirs);
    let what = "uds: packets of another process";
    soak::receive(lab, "S2", what, count, sender, |buffer| ours.recv(buffer));
}

fn send_frames(mut stage: Stage) {
    let tx = Framed::new(Stream::from(stage.descriptor()));
    for sequence in 0..argument(&stage) {
        tx.send(&soak::stamp(sequence)).expect("somebody reads");
    }
}

fn frames_of_another_process(lab: &mut Lab) {
    let count = count(lab);
    let (ours, theirs) = ipc_uds::pair().expect("sockets");
    let sender = Role::new("frames")
        .argument(count)
        .descriptor(&theirs)
        .spawn();
    drop(theirs);
    let ours = ours.framed();
    let what = "uds: frames of another process";
    soak::receive(lab, "S2", what, count, sender, |buffer| ours.recv(buffer));
}

fn connect_often(stage: Stage) {
    for number in 0..argument(&stage) {
        let server = ipc_uds::connect(stage.argument(1)).expect("it listens");
        server.send(&soak::stamp(number)).expect("it reads");
        let mut answer = [0; 1];
        assert_eq!(server.recv(&mut answer).expect("it answers"), 1);
    }
}

fn connections_of_another_process(lab: &mut Lab) {
    let count = lab.count(3_000, 100_000, 1_000_000);
    let dir = TempDir::new();
    let path = dir.join("soak");
    let listener = ipc_uds::bind(&path).expect("a listener");
    let role = Role::new("client").argument(count);
    let client = role.argument(path.display()).spawn();
    soak::repeat(
        lab,
        "S4",
        "uds: connections of another process",
        count,
        |number| {
            let serve = || {
                let client = listener.accept()?;
                let mut buffer = [0; MESSAGE_BYTES];
                let length = client.recv(&mut buffer)?;
                client.send(b"k")?;
                Ok::<_, ipc_uds::Error>(soak::check(number, &buffer[..length]))
            };
            serve().map_err(|error| error.to_string())?
        },
    );
    client.done();
}

/// Passes memory files whose first byte is their number, in turn.
fn send_files(mut stage: Stage) {
    let tx = SeqPacket::from(stage.descriptor());
    let files: Vec<OwnedFd> = (0..FILES)
        .map(|number| {
            let fd = memfd_create("soak", MemfdFlags::CLOEXEC).expect("memory");
            rustix::io::write(&fd, &[number as u8]).expect("memory");
            fd
        })
        .collect();
    for message in 0..argument(&stage) {
        let gifts: Vec<BorrowedFd<'_>> = (0..A_MESSAGE)
            .map(|at| files[((message * A_MESSAGE + at) % FILES) as usize].as_fd())
            .collect();
        tx.send_with_fds(&soak::stamp(message), &gifts)
            .expect("somebody reads");
    }
}

fn descriptors_of_another_process(lab: &mut Lab) {
    let descriptors = lab.count(40_000, 1_000_000, 100_000_000);
    let messages = descriptors / A_MESSAGE;
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("sockets");
    let sender = Role::new("files")
        .argument(messages)
        .descriptor(&theirs)
        .spawn();
    drop(theirs);
    let mut gifts = Ancillary::new();
    let what = format!("uds: {descriptors} descriptors, {A_MESSAGE} a message");
    soak::repeat(lab, "S5", &what, messages, |message| {
        let mut buffer = [0; MESSAGE_BYTES];
        let length = ours.recv_with_fds(&mut buffer, &mut gifts);
        let length = length.map_err(|error| error.to_string())?;
        soak::check(message, &buffer[..length])?;
        if gifts.fds().len() as u64 != A_MESSAGE {
            return Err(format!("{} descriptors", gifts.fds().len()));
        }
        for (at, fd) in (0..).zip(gifts.fds()) {
            let mut number = [0];
            rustix::io::pread(fd, &mut number, 0).map_err(|errno| errno.to_string())?;
            let due = (message * A_MESSAGE + at) % FILES;
            if u64::from(number[0]) != due {
                return Err(format!("file {} instead of {due}", number[0]));
            }
            let flags = rustix::io::fcntl_getfd(fd).map_err(|errno| errno.to_string())?;
            if !flags.contains(rustix::io::FdFlags::CLOEXEC) {
                return Err("a descriptor that passes exec".into());
            }
        }
        gifts.clear();
        Ok(())
    });
    sender.done();
}
