//! Ends that are given to other processes, in quiet, under traffic, and with deaths in between.

use ipc_ring::{ErrorKind, Options, Receiver, Sender};
use ipc_testkit::{Role, Stage, watchdog};
use ipc_uds::SeqPacket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Messages of each owner of an end.
const EACH: u64 = 5_000;
/// Owners of an end, one after the other.
const OWNERS: u64 = 20;

/// Message `number`: in a slot or beside, and each byte of it known.
fn message(number: u64) -> Vec<u8> {
    let mut bytes = vec![number as u8; 8 + (number % 150) as usize];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn options() -> Options {
    let mut options = Options::new();
    options.capacity_messages(32).capacity_bytes(4096);
    options.movable(true);
    options
}

fn receive(receiver: &Receiver, numbers: std::ops::Range<u64>) {
    let mut buffer = Vec::new();
    for number in numbers {
        receiver.recv_vec(&mut buffer).expect("it comes");
        assert_eq!(buffer, message(number), "message {number}");
    }
}

fn send(sender: &Sender, numbers: std::ops::Range<u64>) {
    for number in numbers {
        sender.send(&message(number)).expect("it is taken");
    }
}

/// Takes an end, sends or receives its part, gives the end back; over and over.
pub(crate) fn relay(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    for owner in (1..OWNERS).step_by(2) {
        let part = owner * EACH..(owner + 1) * EACH;
        if stage.argument(0) == "sender" {
            let sender = options().take_sender(&socket).expect("given");
            send(&sender, part);
            sender.give(&socket).expect("taken");
        } else {
            let receiver = options().take_receiver(&socket).expect("given");
            receive(&receiver, part);
            receiver.give(&socket).expect("taken");
        }
    }
}

/// The other side, of another process, sends or receives all.
pub(crate) fn other_side(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let channel = options().over(socket).expect("met");
    match stage.argument(0) {
        "sender" => {
            receive(channel.receiver(), 0..OWNERS * EACH);
            let end = channel.receiver().recv(&mut [0; 8]);
            assert_eq!(end.expect_err("closed").kind(), ErrorKind::Closed);
        }
        _ => {
            send(channel.sender(), 0..OWNERS * EACH);
            // Gone behind the last message, and not before.
            while channel.sender().send(b"").is_ok() {}
        }
    }
}

/// Another process that plays `role`, and a socket to it.
fn start(role: &'static str, argument: &str) -> (SeqPacket, ipc_testkit::Child) {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let child = Role::new(role)
        .argument(argument)
        .descriptor(&theirs)
        .spawn();
    (ours, child)
}

#[test]
fn a_sender_goes_to_and_fro_and_no_message_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    let (other, other_child) = start("other side", "sender");
    let (relay, relay_child) = start("relay", "sender");
    let (mut sender, _receiver) = options().over(other).expect("met").split();
    for owner in (0..OWNERS).step_by(2) {
        send(&sender, owner * EACH..(owner + 1) * EACH);
        sender.give(&relay).expect("taken");
        sender = options().take_sender(&relay).expect("given back");
    }
    drop(sender);
    other_child.done();
    relay_child.done();
}

#[test]
fn a_receiver_goes_to_and_fro_and_no_message_is_lost() {
    let _watchdog = watchdog(PATIENCE);
    let (other, other_child) = start("other side", "receiver");
    let (relay, relay_child) = start("relay", "receiver");
    let (_sender, mut receiver) = options().over(other).expect("met").split();
    for owner in (0..OWNERS).step_by(2) {
        receive(&receiver, owner * EACH..(owner + 1) * EACH);
        receiver.give(&relay).expect("taken");
        receiver = options().take_receiver(&relay).expect("given back");
    }
    drop(receiver);
    other_child.done();
    relay_child.done();
}

/// Takes the end that comes, says so by a message where it can, and waits to be killed.
pub(crate) fn holder(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let sender = options().take_sender(&socket).expect("given");
    sender.send(b"taken").expect("room");
    loop {
        std::thread::park();
    }
}

#[test]
fn an_end_of_a_pair_lives_and_dies_with_its_taker() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a channel");
    let (socket, child) = start("holder", "");
    sender.send(b"before").expect("room");
    sender.give(&socket).expect("taken");
    let mut buffer = [0; 8];
    assert_eq!(receiver.recv(&mut buffer).expect("sent here"), 6);
    assert_eq!(receiver.recv(&mut buffer).expect("sent there"), 5);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| receiver.recv(&mut [0; 8]).expect_err("it dies").kind());
        child.kill();
        assert_eq!(waiting.join().expect("no panic"), ErrorKind::PeerDied);
    });
    child.wait_dead();
}

#[test]
fn an_end_that_nobody_takes_dies_with_its_socket() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a channel");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    sender.send(b"last").expect("room");
    sender.give(&ours).expect("it fits");
    drop(ours);
    assert_eq!(receiver.recv(&mut [0; 8]).expect("sent before"), 4);
    let waits = receiver.recv_timeout(&mut [0; 8], Duration::from_millis(5));
    assert_eq!(
        waits.expect_err("it may be taken yet").kind(),
        ErrorKind::TimedOut
    );
    drop(theirs);
    let end = receiver.recv(&mut [0; 8]).expect_err("nobody can take it");
    assert_eq!(end.kind(), ErrorKind::PeerDied);
}

#[test]
fn an_end_that_cannot_be_given_stays() {
    let _watchdog = watchdog(PATIENCE);
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let (sender, receiver) = ipc_ring::pair().expect("a channel");
    drop(theirs);
    let not = sender.give(&ours).expect_err("nobody is there");
    assert_eq!(not.error.kind(), ErrorKind::Closed);
    not.end.send(b"still here").expect("room");
    assert_eq!(receiver.recv(&mut [0; 16]).expect("it came"), 10);

    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let other = std::thread::spawn(|| Options::new().over(right).expect("met"));
    let channel = Options::new().over(left).expect("met");
    let other = other.join().expect("no panic");
    let (sender, _) = channel.split();
    let (ours, _theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let not = sender
        .give(&ours)
        .expect_err("its memory is closed to all others");
    assert_eq!(not.error.kind(), ErrorKind::Unsupported);
    not.end.send(b"still here").expect("room");
    assert_eq!(other.receiver().recv(&mut [0; 16]).expect("it came"), 10);
}

#[test]
fn what_is_no_end_or_lies_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let refused = |hello: &[u8], fds: &[BorrowedFd<'_>]| {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        ours.send_with_fds(hello, fds).expect("sent");
        let sender = Options::new().take_sender(&theirs);
        sender.expect_err("no sender").kind()
    };
    let (mut hello, fds) = heard_sender();
    let all: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    // As it was, it is one.
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    ours.send_with_fds(&hello, &all).expect("sent");
    drop(Options::new().try_take_sender(&theirs).expect("honest"));
    // It is closed now, and so are further ones of it.
    assert_eq!(refused(&hello, &all), ErrorKind::Corrupt);
    let (fresh, fds) = heard_sender();
    hello = fresh;
    let all: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    assert_eq!(refused(&hello, &all[..3]), ErrorKind::Corrupt);
    assert_eq!(refused(&hello[..20], &all), ErrorKind::Corrupt);
    assert_eq!(refused(b"ipc-recv\x01\0\0\0", &all), ErrorKind::Corrupt);
    let swapped = [all[0], all[1], all[2], all[0]];
    assert_eq!(refused(&hello, &swapped), ErrorKind::Corrupt);
    let swapped = [all[0], all[1], all[1], all[3]];
    assert_eq!(refused(&hello, &swapped), ErrorKind::Corrupt);
    let swapped = [all[1], all[0], all[2], all[3]];
    assert_ne!(refused(&hello, &swapped), ErrorKind::WouldBlock);
    // Each of the counters but that of what was dropped.
    for word in [0, 1, 2, 3, 5] {
        for value in [0, 1, 2, 7, 1 << 40, 1 << 63, u64::MAX] {
            let mut lie = hello.clone();
            let at = 12 + word * 8;
            if lie[at..at + 8] == u64::to_le_bytes(value) {
                continue;
            }
            lie[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
            ours.send_with_fds(&lie, &all).expect("sent");
            let taken = Options::new().take_sender(&theirs);
            let kind = taken.expect_err("a lie").kind();
            assert_eq!(kind, ErrorKind::Corrupt, "{value} as word {word}");
        }
    }
}

/// Is sent the sockets of two ends that have not met yet, and becomes both.
pub(crate) fn newcomer(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let mut ancillary = ipc_uds::Ancillary::new();
    let sent = socket.recv_with_fds(&mut [0; 8], &mut ancillary);
    sent.expect("two sockets");
    let mut sockets = ancillary.take_fds().map(SeqPacket::from);
    let mut next = || sockets.next().expect("it was sent");
    let producer = options().produce_over(next()).expect("taken in");
    let reader = options().subscribe_over(next()).expect("taken in");
    let mut buffer = Vec::new();
    for number in 0..EACH {
        let received = reader.recv_vec(&mut buffer).expect("a message");
        assert!(matches!(received, ipc_ring::Received::Message(_)));
        assert_eq!(buffer, message(number));
        producer.send(&buffer).expect("taken");
    }
}

/// A seat at a queue and one at a broadcast are sent before they are taken: by the socket over
/// which one meets.
#[test]
fn a_seat_is_sent_through_a_socket_to_who_takes_it() {
    let _watchdog = watchdog(PATIENCE);
    let (queue, writer) = (options().queue(), options().broadcast());
    let (queue, writer) = (queue.expect("memory"), writer.expect("memory"));
    let consumer = queue.consumer().expect("a seat");
    let (at_the_queue, first) = ipc_uds::pair_seqpacket().expect("a pair");
    let (at_the_writer, second) = ipc_uds::pair_seqpacket().expect("a pair");
    let (socket, child) = start("newcomer", "");
    let sent = socket.send_with_fds(b"seats", &[first.as_fd(), second.as_fd()]);
    sent.expect("it fits");
    drop((first, second));
    queue.add(at_the_queue).expect("it comes");
    writer.add(at_the_writer).expect("it comes");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..EACH).for_each(|number| writer.send(&message(number)).expect("sent"));
        });
        let mut buffer = Vec::new();
        for number in 0..EACH {
            consumer.recv_vec(&mut buffer).expect("it comes back");
            assert_eq!(buffer, message(number));
        }
    });
    child.done();
}

/// What a sender is given by, with messages under way.
fn heard_sender() -> (Vec<u8>, Vec<OwnedFd>) {
    let (sender, receiver) = options().pair().expect("a channel");
    send(&sender, 60..80);
    receive(&receiver, 60..77);
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    sender.give(&ours).expect("it fits");
    crate::liar::hear(&theirs)
}
