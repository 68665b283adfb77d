//! Sends larger than the pipe: a message begun is a message owed.

use ipc_pipe::{Capacity, ErrorKind, Options, Receiver, Sender};
use ipc_testkit::{isolated, watchdog};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

fn small_pipe() -> (Sender, Receiver) {
    Options::new()
        .capacity(Capacity::Default)
        .pair()
        .expect("a pipe")
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_try_that_has_begun_is_accepted_and_the_rest_goes_first() {
    let (tx, rx) = small_pipe();
    let large = pattern(300_000);
    tx.try_send(&large).expect("begun");
    assert_eq!(
        tx.try_send(b"after").expect_err("it owes").kind(),
        ErrorKind::WouldBlock
    );
    let error = tx
        .flush_timeout(Duration::from_millis(2))
        .expect_err("nobody reads");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let mut received = Vec::new();
    let mut bytes = vec![0; 10_000];
    while received.len() < large.len() {
        match rx.try_recv(&mut bytes) {
            Ok(length) => received.extend_from_slice(&bytes[..length]),
            Err(_) => drop(tx.try_flush()),
        }
    }
    assert_eq!(received, large);
    tx.try_send(b"after").expect("nothing is owed any more");
    assert_eq!(rx.recv(&mut bytes).expect("it is there"), 5);
}

#[test]
fn a_deadline_inside_a_send_means_accepted_and_one_before_it_means_nothing_sent() {
    let (tx, rx) = small_pipe();
    let large = pattern(200_000);
    tx.send_timeout(&large, Duration::from_millis(5))
        .expect("its first byte went out");
    let late = tx
        .send_timeout(b"late", Duration::from_millis(5))
        .expect_err("it owes");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    // The reader gets all of the one, and nothing of the other.
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        (&rx).read_to_end(&mut all).map(|_| all)
    });
    tx.flush().expect("a reader is there");
    drop(tx);
    assert_eq!(reader.join().expect("no panic").expect("read"), large);
}

#[test]
fn blocking_sends_of_any_size_arrive_whole_through_a_small_pipe() {
    let _watchdog = watchdog(PATIENCE);
    for length in [
        1,
        4095,
        4096,
        4097,
        65_535,
        65_536,
        65_537,
        1 << 20,
        (16 << 20) + 3,
    ] {
        let (tx, rx) = small_pipe();
        let sent = pattern(length);
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            (&rx).read_to_end(&mut all).map(|_| all)
        });
        tx.send(&sent).expect("a reader is there");
        drop(tx);
        assert!(
            reader.join().expect("no panic").expect("read") == sent,
            "{length} bytes"
        );
    }
}

#[test]
fn a_dropped_sender_writes_what_it_owes_as_far_as_there_is_room() {
    let (tx, rx) = small_pipe();
    let large = pattern(100_000);
    tx.try_send(&large).expect("begun");
    let mut all = vec![0; 65_536];
    let first = rx.recv(&mut all).expect("it is there");
    drop(tx);
    let mut rest = Vec::new();
    (&rx).read_to_end(&mut rest).expect("the end");
    all.truncate(first);
    all.extend_from_slice(&rest);
    assert_eq!(all, large);
}

#[test]
fn a_receiver_that_goes_while_a_tail_is_owed_closes_the_channel() {
    isolated!({
        ipc_testkit::set_sigpipe_default();
        let (tx, rx) = small_pipe();
        tx.try_send(&pattern(100_000)).expect("begun");
        drop(rx);
        assert_eq!(
            tx.flush().expect_err("nobody reads").kind(),
            ErrorKind::Closed
        );
        assert_eq!(
            tx.send(b"x").expect_err("nobody reads").kind(),
            ErrorKind::Closed
        );
    });
}

#[test]
fn a_stream_pays_what_it_owes_while_it_waits_for_the_answer() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = Options::new();
    options.capacity(Capacity::Default);
    let (left, right) = options.duplex().expect("two pipes");
    let (left, right) = (left.framed(), right.framed());
    let question = pattern(500_000);
    left.try_send(&question).expect("begun");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut asked = Vec::new();
            right.recv_vec(&mut asked).expect("the whole question");
            right.send(&asked[..10]).expect("answer");
        });
        let mut answer = [0; 10];
        assert_eq!(
            left.recv_timeout(&mut answer, PATIENCE).expect("an answer"),
            10
        );
        assert_eq!(answer, question[..10]);
    });
}

#[test]
fn io_write_and_read_are_the_same_stream() {
    let (mut tx, mut rx) = ipc_pipe::pair().expect("a pipe");
    tx.write_all(b"one ").expect("write");
    tx.send(b"two").expect("send");
    Write::flush(&mut tx).expect("flush");
    drop(tx);
    let mut text = String::new();
    rx.read_to_string(&mut text).expect("read");
    assert_eq!(text, "one two");
}

#[test]
fn a_flag_that_somebody_else_sets_does_not_break_the_blocking_forms() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = small_pipe();
    // As a child does with the standard input that it shares with us.
    rustix::fs::fcntl_setfl(&rx, rustix::fs::OFlags::NONBLOCK).expect("our own pipe");
    rustix::fs::fcntl_setfl(&tx, rustix::fs::OFlags::NONBLOCK).expect("our own pipe");
    let sent = pattern(300_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut all = vec![0; sent.len()];
            (&rx).read_exact(&mut all).expect("all of it");
            assert_eq!(all, sent);
        });
        tx.send(&sent).expect("it waits all the same");
    });
}

#[test]
fn no_end_that_we_make_or_take_gets_o_nonblock() {
    let (tx, rx) = small_pipe();
    let _ = rx.try_recv(&mut [0; 1]);
    tx.send_deadline(b"x", Instant::now()).expect("room");
    for fd in [std::os::fd::AsFd::as_fd(&tx), std::os::fd::AsFd::as_fd(&rx)] {
        let flags = rustix::fs::fcntl_getfl(fd).expect("flags");
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    }
}

#[test]
fn of_a_split_stream_one_direction_ends_and_the_other_lives() {
    isolated!({
        let (left, right) = ipc_pipe::duplex().expect("two pipes");
        let (to_right, from_right) = left.split();
        to_right.send(b"last words").expect("send");
        drop(to_right);
        let mut bytes = [0; 16];
        assert_eq!(right.recv(&mut bytes).expect("what was sent"), 10);
        assert_eq!(
            right.recv(&mut bytes).expect_err("the end").kind(),
            ErrorKind::Closed
        );
        right.send(b"answer").expect("the other direction lives");
        assert_eq!(from_right.recv(&mut bytes).expect("an answer"), 6);
    });
}
