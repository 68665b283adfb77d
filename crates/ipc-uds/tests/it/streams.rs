//! Byte streams: what is owed, what is shared, and what others do to the description.

use ipc_core::Pollable;
use ipc_testkit::{deny, isolated, watchdog};
use ipc_uds::{ErrorKind, Options, Stream};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_send_that_is_begun_is_owed_and_goes_out_before_the_next() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    let large = pattern(4 << 20);
    left.try_send(&large).expect("begun");
    assert!(left.owes());
    let full = left.try_send(b"next").expect_err("full");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let late = left.send_timeout(b"next", SHORT).expect_err("full");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let owing = left.close_write().expect_err("something is owed");
    assert_eq!(owing.kind(), ErrorKind::WouldBlock);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            left.send(b"next").expect("after what is owed");
            left.flush().expect("nothing is owed");
            left.close_write().expect("the end");
        });
        let mut all = Vec::new();
        (&right).read_to_end(&mut all).expect("to the end");
        assert!(all[..large.len()] == large && all[large.len()..] == *b"next");
    });
}

#[test]
fn what_is_owed_goes_out_while_waiting_for_the_answer() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    let large = pattern(1 << 20);
    left.try_send(&large).expect("begun");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut all = vec![0; large.len()];
            (&right).read_exact(&mut all).expect("all of it");
            assert!(all == large);
            right.send(b"thanks").expect("an answer");
        });
        let mut answer = [0; 16];
        assert_eq!(left.recv(&mut answer).expect("an answer"), 6);
    });
    assert!(!left.owes());
}

#[test]
fn descriptors_with_a_large_send_come_with_its_beginning() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    let large = pattern(2 << 20);
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    left.try_send_with_fds(&large, &[write.as_fd()])
        .expect("begun");
    drop(write);
    assert!(left.owes());
    std::thread::scope(|scope| {
        scope.spawn(|| left.flush().expect("all goes out"));
        let mut gifts = ipc_uds::Ancillary::new();
        let mut all = vec![0; large.len()];
        let begun = right
            .recv_with_fds(&mut all, &mut gifts)
            .expect("the beginning");
        assert_eq!(gifts.fds().len(), 1);
        (&right).read_exact(&mut all[begun..]).expect("the rest");
        assert!(all == large);
        gifts.clear();
    });
    assert_eq!(rustix::io::read(&read, &mut [0u8; 1]), Ok(0));
}

#[test]
fn a_flag_that_others_set_does_not_break_the_blocking_forms() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    // A child that has a copy of the descriptor may do this.
    for end in [&left, &right] {
        let copy = end.as_fd().try_clone_to_owned().expect("a copy");
        fcntl_setfl(&copy, OFlags::NONBLOCK).expect("it may");
    }
    let large = pattern(3 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            left.send(&large).expect("it waits");
            left.close_write().expect("the end");
        });
        let mut all = Vec::new();
        let mut bytes = [0; 10_000];
        while let Ok(length) = right.recv(&mut bytes) {
            all.extend_from_slice(&bytes[..length]);
        }
        assert!(all == large);
    });
}

#[test]
fn no_form_changes_the_flags_that_others_share() {
    let (left, right) = ipc_uds::pair().expect("a pair");
    let before = fcntl_getfl(&left).expect("flags");
    let mut bytes = [0; 4];
    left.try_recv(&mut bytes).expect_err("nothing");
    left.recv_timeout(&mut bytes, SHORT).expect_err("nothing");
    left.try_send(b"x").expect("room");
    left.send_timeout(b"x", SHORT).expect("room");
    right.try_recv(&mut bytes).expect("two bytes");
    assert_eq!(fcntl_getfl(&left).expect("flags"), before);
    assert!(!before.contains(OFlags::NONBLOCK));
}

#[test]
fn a_message_that_dribbles_in_byte_by_byte_is_received_whole() {
    let _watchdog = watchdog(PATIENCE);
    let (raw, ours) = ipc_uds::pair().expect("a pair");
    let frames = ours.framed();
    let message = pattern(300);
    let mut wire = 300u32.to_le_bytes().to_vec();
    wire.extend_from_slice(&message);
    let mut buffer = [0; 512];
    for (at, byte) in wire.iter().enumerate() {
        let missing = frames.try_recv(&mut buffer).expect_err("not whole");
        assert_eq!(missing.kind(), ErrorKind::WouldBlock, "after {at}");
        raw.send(&[*byte]).expect("send");
    }
    assert_eq!(frames.recv(&mut buffer).expect("whole"), 300);
    assert_eq!(buffer[..300], message);
    raw.send(&wire[..100]).expect("a part");
    drop(raw);
    let torn = frames.recv(&mut buffer).expect_err("cut short");
    assert_eq!(torn.kind(), ErrorKind::Truncated);
}

#[test]
fn clones_share_one_stream_and_its_debt() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    let twin = left.try_clone().expect("a clone");
    left.try_send(&pattern(2 << 20)).expect("begun");
    assert!(twin.owes(), "what one owes is owed by both");
    std::thread::scope(|scope| {
        scope.spawn(|| twin.send(b"end").expect("after what is owed"));
        let mut all = vec![0; (2 << 20) + 3];
        (&right).read_exact(&mut all).expect("all of it");
        assert_eq!(all[2 << 20..], *b"end");
    });
    drop(left);
    right.send(b"still there").expect("the twin lives");
    assert_eq!(twin.recv(&mut [0; 64]).expect("received"), 11);
}

#[test]
fn a_reset_is_no_ordinary_end() {
    isolated!({
        let (left, right) = ipc_uds::pair().expect("a pair");
        left.send(b"never received").expect("send");
        drop(right);
        let error = (&left).read(&mut [0; 4]).expect_err("a reset");
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        // The kernel tells of it once.
        assert_eq!((&left).read(&mut [0; 4]).expect("the end"), 0);
        let error = left.recv(&mut [0; 4]).expect_err("the end");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
}

#[test]
fn empty_sends_and_receives_do_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    left.send(b"").expect("nothing to do");
    assert_eq!(right.recv(&mut []).expect("no room, no wait"), 0);
    assert_eq!((&right).read(&mut []).expect("no room, no wait"), 0);
    let none = right.try_recv(&mut [0; 1]).expect_err("nothing came");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_stream_from_elsewhere_is_adopted_and_given_away() {
    let (raw, other) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let stream = Stream::from(OwnedFd::from(raw));
    stream.send(b"hello").expect("send");
    (&stream).write_all(b" world").expect("write");
    let mut text = [0; 11];
    (&other).read_exact(&mut text).expect("text");
    assert_eq!(&text, b"hello world");
    let mut raw = std::os::unix::net::UnixStream::from(OwnedFd::from(stream));
    raw.write_all(b"!").expect("write");
}

#[test]
fn a_plain_message_costs_one_system_call_each_way() {
    isolated!({
        let (left, right) = ipc_uds::pair().expect("a pair");
        let (tx, rx) = ipc_uds::pair_seqpacket().expect("a pair");
        let (from, to) = ipc_uds::pair_datagram().expect("a pair");
        // Whatever else could be called for a message fails from here on.
        for call in [
            libc::SYS_ppoll,
            libc::SYS_poll,
            libc::SYS_fcntl,
            libc::SYS_getsockopt,
            libc::SYS_setsockopt,
            libc::SYS_sendmsg,
            libc::SYS_recvmsg,
            libc::SYS_ioctl,
        ] {
            deny(call, libc::EIO);
        }
        let mut bytes = [0; 64];
        for _ in 0..3 {
            left.send(b"x").expect("one call");
            assert_eq!(right.recv(&mut bytes).expect("one call"), 1);
            left.try_send(b"x").expect("one call");
            assert_eq!(right.try_recv(&mut bytes).expect("one call"), 1);
            let soon = Instant::now() + PATIENCE;
            left.send_deadline(b"x", soon).expect("one call");
            assert_eq!(right.recv_deadline(&mut bytes, soon).expect("one call"), 1);
            tx.send(b"x").expect("one call");
            assert_eq!(rx.recv(&mut bytes).expect("one call"), 1);
            from.send(b"x").expect("one call");
            assert_eq!(to.recv(&mut bytes).expect("one call"), 1);
            // A repeat of the one call that is left would have sent twice, or taken twice.
            for rest in [
                right.try_recv(&mut bytes),
                rx.try_recv(&mut bytes),
                to.try_recv(&mut bytes),
            ] {
                assert_eq!(rest.expect_err("no repeat").kind(), ErrorKind::WouldBlock);
            }
        }
    });
}

#[test]
fn a_seqpacket_or_buffer_limit_is_named() {
    let mut options = Options::new();
    options.send_buffer_bytes(8192).receive_buffer_bytes(8192);
    let (left, right) = options.pair_seqpacket().expect("a pair");
    let error = left.send(&[0; 1 << 20]).expect_err("above the buffer");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("send_buffer_bytes"), "{error}");
    left.send(&[7; 1000]).expect("it fits");
    left.send(&[8; 10]).expect("it fits");
    let error = right.recv(&mut [0; 999]).expect_err("one byte short");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let text = error.to_string();
    assert!(text.contains("1000") && text.contains("999"), "{text}");
    assert_eq!(right.recv(&mut [0; 10]).expect("the next is whole"), 10);
    left.send(&[9; 50]).expect("it fits");
    let error = right
        .recv_with_fds(&mut [0; 10], &mut ipc_uds::Ancillary::new())
        .expect_err("short");
    assert!(error.to_string().contains("50"), "{error}");
}
