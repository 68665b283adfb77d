//! Bytes that the kernel moves between a pipe and any other descriptor, or copies to a second pipe.

use ipc_pipe::{Capacity, ErrorKind, Options, Receiver, Sender};
use ipc_testkit::{Role, Snapshot, Stage, Storm, TempDir, isolated, set_sigpipe_default, watchdog};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(2);
const ALL: usize = 1 << 20;

fn small_pipe() -> (Sender, Receiver) {
    let mut options = Options::new();
    options.capacity(Capacity::Default).pair().expect("a pipe")
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let left = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    (left, listener.accept().expect("connected").0)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// Each of the four forms once, by number.
fn splice_to(rx: &Receiver, target: BorrowedFd<'_>, form: usize) -> ipc_pipe::Result<usize> {
    match form % 4 {
        0 => rx.splice_to(target, ALL),
        1 => rx.try_splice_to(target, ALL),
        2 => rx.splice_to_timeout(target, ALL, PATIENCE),
        _ => rx.splice_to_deadline(target, ALL, Instant::now() + PATIENCE),
    }
}

fn splice_from(tx: &Sender, source: BorrowedFd<'_>, form: usize) -> ipc_pipe::Result<usize> {
    match form % 4 {
        0 => tx.splice_from(source, ALL),
        1 => tx.try_splice_from(source, ALL),
        2 => tx.splice_from_timeout(source, ALL, PATIENCE),
        _ => tx.splice_from_deadline(source, ALL, Instant::now() + PATIENCE),
    }
}

fn tee(rx: &Receiver, target: &Sender, form: usize) -> ipc_pipe::Result<usize> {
    match form % 4 {
        0 => rx.tee_to(target, ALL),
        1 => rx.try_tee_to(target, ALL),
        2 => rx.tee_to_timeout(target, ALL, PATIENCE),
        _ => rx.tee_to_deadline(target, ALL, Instant::now() + PATIENCE),
    }
}

#[test]
fn a_file_goes_through_a_pipe_into_another_in_all_forms() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let bytes = pattern(300_000);
    std::fs::write(dir.join("from"), &bytes).expect("a file");
    for form in 0..4 {
        let (tx, rx) = small_pipe();
        let from = File::open(dir.join("from")).expect("there");
        let mut to = File::create_new(dir.join(format!("to {form}"))).expect("new");
        let mut total = 0;
        loop {
            let moved = splice_from(&tx, from.as_fd(), form).expect("moved");
            if moved == 0 {
                break;
            }
            total += moved;
            let mut left = moved;
            while left > 0 {
                left -= splice_to(&rx, to.as_fd(), form).expect("moved on");
            }
        }
        assert_eq!(total, bytes.len());
        assert_eq!(to.stream_position().expect("a file"), bytes.len() as u64);
        to.rewind().expect("a file");
        let mut copy = Vec::new();
        to.read_to_end(&mut copy).expect("a file");
        assert!(copy == bytes, "form {form}");
        drop(tx);
        let ended = splice_to(&rx, to.as_fd(), form).expect_err("the end");
        assert_eq!(ended.kind(), ErrorKind::Closed);
    }
}

#[test]
fn no_more_is_moved_than_was_asked_for_and_the_rest_stays() {
    let (tx, rx) = small_pipe();
    let (to, at_end) = small_pipe();
    tx.send(b"pear").expect("room");
    assert_eq!(rx.splice_to(to.as_fd(), 0).expect("nothing"), 0);
    assert_eq!(rx.splice_to(to.as_fd(), 3).expect("there"), 3);
    let mut bytes = [0; 8];
    assert_eq!(rx.recv(&mut bytes).expect("the rest"), 1);
    assert_eq!(at_end.recv(&mut bytes).expect("moved"), 3);
    assert_eq!(&bytes[..3], b"pea");
}

#[test]
fn every_form_waits_or_says_that_it_would_have_to() {
    let _watchdog = watchdog(PATIENCE);
    let (near, rx) = small_pipe();
    let (tx, far) = small_pipe();
    let would = rx.try_splice_to(tx.as_fd(), 9).expect_err("empty");
    assert_eq!(would.kind(), ErrorKind::WouldBlock);
    let would = rx.try_tee_to(&tx, 9).expect_err("empty");
    assert_eq!(would.kind(), ErrorKind::WouldBlock);
    let late = rx
        .splice_to_timeout(tx.as_fd(), 9, SHORT)
        .expect_err("empty");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let late = rx.tee_to_timeout(&tx, 9, SHORT).expect_err("empty");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let late = tx.splice_from_timeout(rx.as_fd(), 9, SHORT);
    assert_eq!(late.expect_err("empty").kind(), ErrorKind::TimedOut);
    // Now there is something, but no room at the other side.
    near.send(b"pear").expect("room");
    while tx.try_send(&[0; 4096]).is_ok() {}
    tx.flush_timeout(SHORT).expect("nothing is owed");
    for kind in [
        rx.try_splice_to(tx.as_fd(), 9),
        rx.try_tee_to(&tx, 9),
        tx.try_splice_from(rx.as_fd(), 9),
    ] {
        assert_eq!(kind.expect_err("full").kind(), ErrorKind::WouldBlock);
    }
    let late = rx.tee_to_timeout(&tx, 9, SHORT).expect_err("full");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    std::thread::scope(|scope| {
        let draining = scope.spawn(|| {
            let (mut bytes, mut total) = (vec![0; 4096], 0);
            while total < 65_536 + 8 {
                total += far.recv(&mut bytes).expect("it comes");
            }
            total
        });
        assert_eq!(rx.tee_to(&tx, 9).expect("room comes"), 4);
        assert_eq!(rx.splice_to(tx.as_fd(), 9).expect("room comes"), 4);
        assert_eq!(draining.join().expect("no panic"), 65_536 + 8);
    });
}

#[test]
fn a_waiting_splice_goes_on_when_somebody_sends_even_in_a_storm() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (near, rx) = small_pipe();
        let (tx, far) = small_pipe();
        for form in [0, 2, 3] {
            let storm = Storm::here();
            std::thread::scope(|scope| {
                let sending = scope.spawn(|| {
                    while storm.sent() < 20 {
                        std::thread::yield_now();
                    }
                    near.send(b"late").expect("room");
                });
                let mut bytes = [0; 8];
                assert_eq!(tee(&rx, &tx, form).expect("it comes"), 4);
                assert_eq!(far.recv(&mut bytes).expect("copied"), 4);
                assert_eq!(splice_to(&rx, tx.as_fd(), form).expect("there"), 4);
                assert_eq!(far.recv(&mut bytes).expect("moved"), 4);
                sending.join().expect("no panic");
            });
        }
    });
}

#[test]
fn a_unix_stream_is_a_source_in_all_forms_though_it_blocks() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = small_pipe();
    let (mut left, right) = UnixStream::pair().expect("a pair");
    let would = tx.try_splice_from(right.as_fd(), 9).expect_err("empty");
    assert_eq!(would.kind(), ErrorKind::WouldBlock);
    let late = tx.splice_from_timeout(right.as_fd(), 9, SHORT);
    assert_eq!(late.expect_err("empty").kind(), ErrorKind::TimedOut);
    let mut bytes = [0; 8];
    for form in 0..4 {
        left.write_all(b"pear").expect("room");
        assert_eq!(splice_from(&tx, right.as_fd(), form).expect("there"), 4);
        assert_eq!(rx.recv(&mut bytes).expect("moved"), 4);
    }
    drop(left);
    for form in 0..4 {
        assert_eq!(splice_from(&tx, right.as_fd(), form).expect("the end"), 0);
    }
}

#[test]
fn a_socket_that_blocks_has_the_one_form_and_one_that_does_not_has_all() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = small_pipe();
    let (left, mut right) = tcp_pair();
    tx.send(b"pear").expect("room");
    for form in 1..4 {
        let to = splice_to(&rx, left.as_fd(), form).expect_err("blocks");
        let from = splice_from(&tx, left.as_fd(), form).expect_err("blocks");
        assert_eq!(to.kind(), ErrorKind::Unsupported);
        assert_eq!(from.kind(), ErrorKind::Unsupported);
        assert!(to.to_string().contains("O_NONBLOCK"), "{to}");
    }
    let mut bytes = [0; 8];
    assert_eq!(rx.splice_to(left.as_fd(), ALL).expect("there"), 4);
    right.read_exact(&mut bytes[..4]).expect("sent");
    right.write_all(b"plum").expect("room");
    assert_eq!(tx.splice_from(left.as_fd(), ALL).expect("there"), 4);
    assert_eq!(rx.recv(&mut bytes).expect("moved"), 4);
    left.set_nonblocking(true).expect("ours");
    let would = tx.try_splice_from(left.as_fd(), 9).expect_err("empty");
    assert_eq!(would.kind(), ErrorKind::WouldBlock);
    let late = tx.splice_from_timeout(left.as_fd(), 9, SHORT);
    assert_eq!(late.expect_err("empty").kind(), ErrorKind::TimedOut);
    for form in 0..4 {
        tx.send(b"pear").expect("room");
        assert_eq!(splice_to(&rx, left.as_fd(), form).expect("there"), 4);
        right.read_exact(&mut bytes[..4]).expect("sent");
    }
}

/// Whether a thread waits for something, as its state says.
fn sleeps(stat: &str) -> bool {
    let stat = std::fs::read_to_string(stat).expect("/proc");
    let state = stat.rsplit(") ").next().expect("a state");
    state.starts_with(['S', 'D'])
}

#[test]
fn a_waiting_splice_keeps_nobody_from_the_pipe() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = small_pipe();
    let (left, mut right) = tcp_pair();
    std::thread::scope(|scope| {
        let (told, tell) = std::sync::mpsc::channel();
        let (tx, left) = (&tx, &left);
        let moving = scope.spawn(move || {
            told.send(rustix::thread::gettid()).expect("it listens");
            tx.splice_from(left.as_fd(), ALL)
        });
        let task = tell.recv().expect("it runs").as_raw_nonzero();
        while !sleeps(&format!("/proc/self/task/{task}/stat")) {
            std::thread::yield_now();
        }
        // The kernel would hold the pipe's lock while it waits for the socket.
        for _ in 0..200 {
            tx.send(b"pear").expect("room");
            assert_eq!(rx.recv(&mut [0; 4]).expect("there"), 4);
        }
        right.write_all(b"plum").expect("room");
        assert_eq!(moving.join().expect("no panic").expect("it came"), 4);
    });
}

#[test]
fn what_cannot_be_spliced_is_refused_by_its_kind() {
    let dir = TempDir::new();
    let (tx, rx) = small_pipe();
    tx.send(b"pear").expect("room");
    let mut append = OpenOptions::new();
    let append = append.create(true).append(true).open(dir.join("log"));
    let append = append.expect("a file");
    let kind = |error: ipc_pipe::Error| error.kind();
    let to = |fd: BorrowedFd<'_>| rx.splice_to(fd, 9).map_err(kind);
    assert_eq!(to(append.as_fd()), Err(ErrorKind::WrongType));
    assert_eq!(to(tx.as_fd()), Err(ErrorKind::WrongType));
    let same = rx.tee_to(&tx, 9).expect_err("the same pipe");
    assert_eq!(same.kind(), ErrorKind::WrongType);
    let written = File::create(dir.join("written")).expect("a file");
    let from = tx.splice_from(written.as_fd(), 9).map_err(kind);
    assert_eq!(from, Err(ErrorKind::InvalidInput));
    let readable = File::open(dir.join("written")).expect("a file");
    assert_eq!(to(readable.as_fd()), Err(ErrorKind::InvalidInput));
    let mut options = Options::new();
    let (records, record) = options.record(true).pair().expect("a pipe");
    records.send(b"one").expect("room");
    for outcome in [
        record.splice_to(tx.as_fd(), 9),
        record.tee_to(&tx, 9),
        rx.tee_to(&records, 9),
        records.splice_from(rx.as_fd(), 9),
    ] {
        assert_eq!(outcome.map_err(kind), Err(ErrorKind::InvalidInput));
    }
    // Nothing was lost by any of it.
    let mut bytes = [0; 8];
    assert_eq!(rx.recv(&mut bytes).expect("still there"), 4);
    assert_eq!(record.recv(&mut [0; 4096]).expect("still there"), 3);
}

#[test]
fn whoever_is_gone_is_an_answer_and_no_signal() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        set_sigpipe_default();
        let before = Snapshot::take();
        for form in 0..4 {
            let (near, rx) = small_pipe();
            let (tx, far) = small_pipe();
            let (left, right) = UnixStream::pair().expect("a pair");
            left.set_nonblocking(true).expect("ours");
            near.send(b"pear").expect("room");
            drop((far, right));
            for outcome in [
                splice_to(&rx, tx.as_fd(), form),
                splice_to(&rx, left.as_fd(), form),
                tee(&rx, &tx, form),
                splice_from(&tx, rx.as_fd(), form),
            ] {
                assert_eq!(outcome.expect_err("gone").kind(), ErrorKind::Closed);
            }
            drop(near);
            let (tx, _far) = small_pipe();
            assert_eq!(tee(&rx, &tx, form).expect("the last"), 4);
            assert_eq!(splice_to(&rx, tx.as_fd(), form).expect("the last"), 4);
            let ended = splice_to(&rx, tx.as_fd(), form).expect_err("the end");
            assert_eq!(ended.kind(), ErrorKind::Closed);
            let ended = tee(&rx, &tx, form).expect_err("the end");
            assert_eq!(ended.kind(), ErrorKind::Closed);
        }
        before.assert_unchanged();
    });
}

#[test]
fn a_reader_who_leaves_ends_a_splice_that_waits_for_its_source() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = small_pipe();
    let (_quiet, source) = small_pipe();
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| tx.splice_from(source.as_fd(), 9));
        drop(rx);
        let gone = moving.join().expect("no panic").expect_err("gone");
        assert_eq!(gone.kind(), ErrorKind::Closed);
    });
}

#[test]
fn what_is_owed_goes_out_before_what_is_spliced() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = small_pipe();
    let (near, source) = small_pipe();
    near.send(b"pear").expect("room");
    for teed in [true, false] {
        tx.try_send(&vec![7; 100_000]).expect("begun");
        let would = match teed {
            true => source.try_tee_to(&tx, 9),
            false => tx.try_splice_from(source.as_fd(), 9),
        };
        assert_eq!(would.expect_err("owed").kind(), ErrorKind::WouldBlock);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let mut all = vec![0; 100_004];
                let mut at = 0;
                while at < all.len() {
                    at += rx.recv(&mut all[at..]).expect("it comes");
                }
                all
            });
            let copied = match teed {
                true => source.tee_to(&tx, 9),
                false => tx.splice_from(source.as_fd(), 9),
            };
            assert_eq!(copied.expect("after the rest"), 4);
            let all = reading.join().expect("no panic");
            assert!(all[..100_000].iter().all(|byte| *byte == 7));
            assert_eq!(&all[100_000..], b"pear");
        });
    }
}

#[test]
fn a_fifo_without_a_sender_yet_is_not_at_its_end() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let fifo = ipc_pipe::create(dir.join("fifo")).expect("a FIFO");
    let rx = fifo.receiver().expect("at once");
    let (to, at_end) = small_pipe();
    let would = rx.try_splice_to(to.as_fd(), 9).expect_err("nobody yet");
    assert_eq!(would.kind(), ErrorKind::WouldBlock);
    std::thread::scope(|scope| {
        let moving = scope.spawn(|| rx.splice_to(to.as_fd(), 9));
        let tx = fifo.sender().expect("a receiver is there");
        tx.send(b"pear").expect("room");
        assert_eq!(moving.join().expect("no panic").expect("it came"), 4);
    });
    assert_eq!(at_end.recv(&mut [0; 8]).expect("moved"), 4);
    let ended = rx.splice_to(to.as_fd(), 9).expect_err("it left");
    assert_eq!(ended.kind(), ErrorKind::Closed);
}

pub(crate) fn splice_until_killed(mut stage: Stage) {
    let tx = Sender::from(stage.descriptor());
    let zero = File::open("/dev/zero").expect("a device");
    while tx.splice_from(zero.as_fd(), 8192).is_ok() {}
}

#[test]
fn a_process_killed_while_it_splices_leaves_what_is_in_the_pipe_and_the_end() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..10_usize {
        let (tx, rx) = small_pipe();
        let (to, at_end) = small_pipe();
        let child = Role::new("splicer").descriptor(&tx).spawn();
        drop(tx);
        let mut total = 0;
        let mut bytes = vec![1; ALL];
        let error = loop {
            if total >= round * 50_000 {
                child.kill();
            }
            match rx.splice_to(to.as_fd(), ALL) {
                Ok(moved) => {
                    total += moved;
                    let mut left = moved;
                    while left > 0 {
                        let received = at_end.recv(&mut bytes).expect("moved");
                        assert!(bytes[..received].iter().all(|byte| *byte == 0));
                        left -= received;
                    }
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Closed, "after {total} bytes");
    }
}
