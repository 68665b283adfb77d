//! Byte streams: what is owed, half close, drain, resets, and what others do to the description.

use crate::loopback::{PATIENCE, SHORT, pattern};
use ipc_core::Pollable;
use ipc_net::{ErrorKind, Options, Stream};
use ipc_testkit::{deny, isolated, watchdog};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// Ends the connection at once: its peer sees a reset.
pub(crate) fn reset(stream: Stream) {
    let linger = Some(std::time::Duration::ZERO);
    rustix::net::sockopt::set_socket_linger(&stream, linger).expect("a socket");
    drop(stream);
}

#[test]
fn a_send_that_is_begun_is_owed_and_goes_out_before_the_next() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    let large = pattern(16 << 20);
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
    let twice = left.close_write().expect_err("ended already");
    assert_eq!(twice.kind(), ErrorKind::Closed);
}

#[test]
fn what_is_owed_goes_out_while_waiting_for_the_answer() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    let large = pattern(16 << 20);
    left.try_send(&large).expect("begun");
    assert!(left.owes());
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
fn after_half_a_close_the_answer_still_comes() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    left.send(b"question").expect("send");
    left.close_write().expect("once");
    assert_eq!(
        left.send(b"x").expect_err("ended").kind(),
        ErrorKind::Closed
    );
    let mut question = Vec::new();
    (&right).read_to_end(&mut question).expect("to the end");
    right.send(&question).expect("the other direction is open");
    let mut bytes = [0; 16];
    assert_eq!(left.recv(&mut bytes).expect("an answer"), 8);
}

#[test]
fn a_drain_ends_with_the_peers_end_and_loses_nothing_that_was_sent() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    left.send(b"the last word").expect("send");
    let early = left.try_drain().expect_err("the peer has not ended");
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    let late = left.drain_timeout(SHORT).expect_err("not yet either");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    right.send(&pattern(70_000)).expect("nobody wants it");
    let mut word = Vec::new();
    (&right).read_to_end(&mut word).expect("to the end");
    assert_eq!(word, b"the last word");
    drop(right);
    assert_eq!(left.drain().expect("the peer has ended"), 70_000);
    assert_eq!(left.drain().expect("once more is nothing"), 0);
}

#[test]
fn a_drain_does_not_wait_beyond_its_deadline_for_a_peer_that_never_stops() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    std::thread::scope(|scope| {
        scope.spawn(|| while right.send(&[7; 4096]).is_ok() {});
        let start = Instant::now();
        let late = left.drain_timeout(4 * SHORT).expect_err("it never ends");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= 4 * SHORT);
        drop(left);
    });
}

#[test]
fn a_reset_is_no_ordinary_end() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    reset(right);
    let error = (&left).read(&mut [0; 4]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    // The kernel tells of it once.
    assert_eq!((&left).read(&mut [0; 4]).expect("the end"), 0);
    let error = left.send(b"x").expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Closed);
    let (left, right) = ipc_net::pair().expect("a pair");
    reset(right);
    assert_eq!(left.drain().expect_err("a reset").kind(), ErrorKind::Closed);
}

#[test]
fn no_form_changes_the_flags_that_others_share_and_theirs_break_none() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    let before = fcntl_getfl(&left).expect("flags");
    assert!(!before.contains(OFlags::NONBLOCK));
    let mut bytes = [0; 4];
    left.try_recv(&mut bytes).expect_err("nothing");
    left.recv_timeout(&mut bytes, SHORT).expect_err("nothing");
    left.try_send(b"x").expect("room");
    left.send_timeout(b"x", SHORT).expect("room");
    assert_eq!(fcntl_getfl(&left).expect("flags"), before);
    for end in [&left, &right] {
        let copy = end.as_fd().try_clone_to_owned().expect("a copy");
        fcntl_setfl(&copy, OFlags::NONBLOCK).expect("a child may");
    }
    let large = pattern(16 << 20);
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
        assert!(all[..2] == *b"xx" && all[2..] == large);
    });
}

#[test]
fn clones_share_one_stream_and_its_debt() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    let twin = left.try_clone().expect("a clone");
    left.try_send(&pattern(16 << 20)).expect("begun");
    assert!(twin.owes(), "what one owes is owed by both");
    std::thread::scope(|scope| {
        scope.spawn(|| twin.send(b"end").expect("after what is owed"));
        let mut all = vec![0; (16 << 20) + 3];
        (&right).read_exact(&mut all).expect("all of it");
        assert_eq!(all[16 << 20..], *b"end");
    });
    drop(left);
    right.send(b"still there").expect("the twin lives");
    assert_eq!(twin.recv(&mut [0; 64]).expect("received"), 11);
}

#[test]
fn empty_sends_and_receives_do_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_net::pair().expect("a pair");
    left.send(b"").expect("nothing to do");
    assert_eq!(right.recv(&mut []).expect("no room, no wait"), 0);
    assert_eq!((&right).read(&mut []).expect("no room, no wait"), 0);
    let none = right.try_recv(&mut [0; 1]).expect_err("nothing came");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_stream_from_elsewhere_is_adopted_and_given_away() {
    let _watchdog = watchdog(PATIENCE);
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let raw = TcpStream::connect(listener.local_addr().expect("an address")).expect("connect");
    let (mut other, _) = listener.accept().expect("accept");
    let stream = Stream::from(OwnedFd::from(raw));
    stream.send(b"hello").expect("send");
    (&stream).write_all(b" world").expect("write");
    let mut text = [0; 11];
    other.read_exact(&mut text).expect("text");
    assert_eq!(&text, b"hello world");
    let mut raw = TcpStream::from(OwnedFd::from(stream));
    raw.write_all(b"!").expect("write");
    other.read_exact(&mut text[..1]).expect("it blocks");
}

#[test]
fn a_plain_message_costs_one_system_call_each_way() {
    isolated!({
        let (left, right) = ipc_net::pair().expect("a pair");
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
        }
    });
}

#[test]
fn what_the_options_say_holds_for_both_ends() {
    use rustix::net::sockopt;
    let mut options = Options::new();
    options
        .nodelay(true)
        .keepalive(Some(std::time::Duration::from_secs(60)))
        .unacknowledged_timeout(std::time::Duration::from_secs(30))
        .send_buffer_bytes(10_000)
        .receive_buffer_bytes(20_000);
    let (left, right) = options.pair().expect("a pair");
    for end in [&left, &right] {
        assert!(sockopt::tcp_nodelay(end).expect("a socket"));
        assert!(sockopt::socket_keepalive(end).expect("a socket"));
        assert_eq!(sockopt::tcp_keepidle(end).expect("a socket").as_secs(), 60);
        assert_eq!(sockopt::tcp_keepintvl(end).expect("a socket").as_secs(), 20);
        assert_eq!(sockopt::tcp_user_timeout(end).expect("a socket"), 30_000);
        assert_eq!(sockopt::socket_send_buffer_size(end), Ok(20_000));
        assert_eq!(sockopt::socket_recv_buffer_size(end), Ok(40_000));
    }
    let (left, right) = Options::new().nodelay(false).pair().expect("a pair");
    for end in [&left, &right] {
        assert!(!sockopt::tcp_nodelay(end).expect("a socket"));
        assert!(!sockopt::socket_keepalive(end).expect("a socket"));
    }
    assert_eq!(left.address().ok(), right.peer_address().ok());
    assert_eq!(right.address().ok(), left.peer_address().ok());
}
