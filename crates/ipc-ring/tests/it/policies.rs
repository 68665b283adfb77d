//! What a send does where there is no room.

use crate::broadcast::{options, with_readers};
use ipc_ring::{ErrorKind, Options, Received, WhenFull};
use ipc_testkit::watchdog;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn small(when_full: WhenFull) -> Options {
    let mut options = Options::new();
    options.capacity_messages(2).capacity_bytes(128);
    options.when_full(when_full);
    options
}

#[test]
fn a_full_channel_fails_where_it_is_to_fail() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = small(WhenFull::Fail).pair().expect("a pair");
    sender.send(b"one").expect("room");
    sender.send(b"two").expect("room");
    for full in [
        sender.send(b"three"),
        sender.try_send(b"three"),
        sender.send_timeout(b"three", PATIENCE),
        sender.loan(5).map(drop),
    ] {
        assert_eq!(full.expect_err("full").kind(), ErrorKind::Full);
    }
    assert_eq!(receiver.recv(&mut [0; 8]).expect("a message"), 3);
    assert_eq!(receiver.recv(&mut [0; 8]).expect("a message"), 3);
    sender.send(&[1; 125]).expect("room");
    let full = sender.send(&[1; 125]).expect_err("no bytes are left");
    assert_eq!(full.kind(), ErrorKind::Full);
    drop(receiver);
    let gone = sender.send(b"four").expect_err("nobody");
    assert_eq!(gone.kind(), ErrorKind::Closed);
}

#[test]
fn the_newest_are_dropped_and_counted() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = small(WhenFull::DropNewest).pair().expect("a pair");
    for number in 0..10_u8 {
        sender.send(&[number]).expect("sent or dropped");
    }
    assert_eq!(sender.dropped(), 8);
    let loan = sender.loan(1).expect_err("a loan is not dropped unseen");
    assert_eq!(loan.kind(), ErrorKind::Full);
    let mut buffer = [0; 8];
    for number in 0..2 {
        assert_eq!(receiver.recv(&mut buffer).expect("a message"), 1);
        assert_eq!(buffer[0], number);
    }
    let none = receiver.try_recv(&mut buffer).expect_err("dropped");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    let large = sender.send(&[0; 500]).expect_err("never room");
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    drop(receiver);
    let gone = sender.send(b"four").expect_err("nobody");
    assert_eq!(gone.kind(), ErrorKind::Closed);
}

#[test]
fn only_a_broadcaster_drops_the_oldest() {
    let error = small(WhenFull::DropOldest).pair().expect_err("one to one");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_broadcaster_fails_or_drops_the_newest_too() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, readers) = with_readers(&options(WhenFull::Fail), 2);
    for _ in 0..16 {
        writer.send(b"message").expect("room");
    }
    let full = writer.send(b"message").expect_err("full");
    assert_eq!(full.kind(), ErrorKind::Full);
    assert_eq!(writer.readers().expect("counted"), readers.len());

    let (writer, readers) = with_readers(&options(WhenFull::DropNewest), 2);
    for number in 0..20_u8 {
        writer.send(&[number]).expect("sent or dropped");
    }
    assert_eq!(writer.dropped(), 4);
    drop(writer);
    for reader in readers {
        let mut buffer = [0; 8];
        for number in 0..16 {
            let received = reader.recv(&mut buffer).expect("a message");
            assert_eq!((received, buffer[0]), (Received::Message(1), number));
        }
        let end = reader.recv(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    }
}
