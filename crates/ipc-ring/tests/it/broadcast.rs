//! One writer and many readers.

use ipc_core::{Interest, Pollable, Until};
use ipc_ring::{Broadcaster, ErrorKind, Options, Received, Subscriber, WhenFull};
use ipc_sys::{PollFd, PollFlags, wait_any};
use ipc_testkit::{Role, Snapshot, Stage, TempDir, isolated, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const MESSAGES: u64 = 4_000;

/// Message `number`: in a slot or beside, and each byte of it known.
pub(crate) fn message(number: u64) -> Vec<u8> {
    let mut bytes = vec![number as u8; 8 + (number % 150) as usize];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Small, so that each side has to wait for the other.
pub(crate) fn options(when_full: WhenFull) -> Options {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(2048);
    options.when_full(when_full);
    options
}

/// A writer, and readers in this process.
pub(crate) fn with_readers(options: &Options, count: usize) -> (Broadcaster, Vec<Subscriber>) {
    let writer = options.broadcast().expect("memory");
    let readers = (0..count).map(|_| {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let reader = std::thread::spawn(|| Options::new().subscribe_over(theirs));
        writer.add(ours).expect("it comes");
        reader.join().expect("no panic").expect("it is taken in")
    });
    let readers = readers.collect();
    (writer, readers)
}

/// Receives until the end; returns how many messages came and were missed, of which none came
/// twice, out of order or damaged.
pub(crate) fn read_all(reader: &Subscriber) -> (u64, u64, ErrorKind) {
    let (mut buffer, mut came, mut missed) = (Vec::new(), 0, 0);
    loop {
        match reader.recv_vec(&mut buffer) {
            Ok(Received::Message(len)) => {
                assert_eq!(len, buffer.len());
                assert_eq!(buffer, message(came + missed));
                came += 1;
            }
            Ok(Received::Missed(count)) => missed += count,
            Err(error) => return (came, missed, error.kind()),
        }
    }
}

pub(crate) fn reader(stage: Stage) {
    let reader = Options::new()
        .subscribe(stage.argument(0))
        .expect("it listens");
    let what = read_all(&reader);
    assert_eq!(what, (MESSAGES, 0, ErrorKind::Closed));
}

#[test]
fn readers_in_other_processes_receive_all_that_is_sent() {
    let _watchdog = watchdog(PATIENCE);
    for count in [1, 4, 16] {
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = Options::new().bind(&path).expect("bind");
        let writer = options(WhenFull::Block).broadcast().expect("memory");
        let readers: Vec<_> = (0..count)
            .map(|_| {
                let reader = Role::new("reader").argument(path.display()).spawn();
                writer.accept(&listener).expect("it comes");
                reader
            })
            .collect();
        assert_eq!(writer.readers().expect("counted"), count);
        for number in 0..MESSAGES {
            writer.send(&message(number)).expect("sent");
        }
        assert_eq!(writer.dropped(), 0);
        drop(writer);
        readers.into_iter().for_each(ipc_testkit::Child::done);
    }
}

#[test]
fn who_comes_later_receives_what_is_sent_from_then_on() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, readers) = with_readers(&options(WhenFull::Block), 1);
    for number in 0..16 {
        writer.send(&message(number)).expect("room");
    }
    assert_eq!(
        writer.try_send(b"no").expect_err("full").kind(),
        ErrorKind::WouldBlock
    );
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let late = std::thread::spawn(|| Options::new().subscribe_over(theirs));
    writer.add(ours).expect("it comes");
    let late = late.join().expect("no panic").expect("taken in");
    let error = late.try_recv(&mut [0; 8]).expect_err("nothing yet");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let (mut buffer, reader) = ([0; 256], &readers[0]);
    for number in 0..16 {
        let len = message(number).len();
        let received = reader.recv(&mut buffer).expect("a message");
        assert_eq!(received, Received::Message(len));
    }
    writer.send(b"to both").expect("room");
    for reader in [reader, &late] {
        let received = reader.recv(&mut buffer).expect("a message");
        assert_eq!(
            (received, &buffer[..7]),
            (Received::Message(7), &b"to both"[..])
        );
    }
}

#[test]
fn a_slow_reader_learns_exactly_how_many_it_missed() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, readers) = with_readers(&options(WhenFull::DropOldest), 2);
    for number in 0..1_000 {
        writer.send(&message(number)).expect("it never waits");
    }
    let dropped = writer.dropped();
    assert!((984..1_000).contains(&dropped), "{dropped} dropped");
    drop(writer);
    for reader in &readers {
        let what = read_all(reader);
        assert_eq!(what, (1_000 - dropped, dropped, ErrorKind::Closed));
        assert_eq!(reader.missed(), dropped);
    }
}

#[test]
fn what_all_readers_have_taken_is_not_dropped() {
    let _watchdog = watchdog(PATIENCE);
    for slots in [1, 4, 16, 64] {
        let mut options = options(WhenFull::DropOldest);
        let (writer, readers) = with_readers(options.capacity_messages(slots), 2);
        let mut buffer = [0; 256];
        for number in 0..1_000 {
            writer.send(&message(number)).expect("it never waits");
            for reader in &readers {
                let received = reader.recv(&mut buffer).expect("a message");
                assert_eq!(received, Received::Message(message(number).len()));
            }
        }
        assert_eq!(writer.dropped(), 0, "{slots} slots");
        drop(readers);
        for number in 0..1_000 {
            writer.send(&message(number)).expect("it never waits");
        }
        assert_eq!(writer.dropped(), 0, "nobody was there");
    }
}

#[test]
fn what_is_overwritten_while_it_is_read_is_never_delivered() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, readers) = with_readers(&options(WhenFull::DropOldest), 3);
    const SENT: u64 = 100_000;
    std::thread::scope(|scope| {
        let reading: Vec<_> = readers
            .iter()
            .map(|reader| scope.spawn(|| read_all(reader)))
            .collect();
        for number in 0..SENT {
            writer.send(&message(number)).expect("it never waits");
        }
        drop(writer);
        for reading in reading {
            let (came, missed, end) = reading.join().expect("no panic");
            assert_eq!((came + missed, end), (SENT, ErrorKind::Closed));
            assert!(came > 0);
        }
    });
}

#[test]
fn a_reader_that_goes_or_dies_holds_nobody_back() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().bind(&path).expect("bind");
    let (writer, mut readers) = with_readers(&options(WhenFull::Block), 2);
    let silent = Role::new("silent subscriber")
        .argument(path.display())
        .spawn();
    writer.accept(&listener).expect("it comes");
    assert_eq!(writer.readers().expect("counted"), 3);
    drop(readers.pop());
    assert_eq!(writer.readers().expect("counted"), 2);
    let reader = &readers[0];
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_all(reader));
        let sending = scope.spawn(move || {
            for number in 0..MESSAGES {
                // It is full soon, and waits for one that never takes anything.
                writer.send(&message(number)).expect("sent");
            }
            assert_eq!(writer.readers().expect("counted"), 1);
        });
        silent.kill();
        sending.join().expect("no panic");
        let what = reading.join().expect("no panic");
        assert_eq!(what, (MESSAGES, 0, ErrorKind::Closed));
    });
    silent.wait_dead();
}

#[test]
fn dead_readers_leave_nothing_behind_where_the_oldest_are_dropped() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = Options::new().bind(&path).expect("bind");
        let writer = options(WhenFull::DropOldest).broadcast().expect("memory");
        let mut before = None;
        for _ in 0..8 {
            let silent = Role::new("silent subscriber")
                .argument(path.display())
                .spawn();
            writer.accept(&listener).expect("it comes");
            let now = Snapshot::take().descriptors();
            assert_eq!(*before.get_or_insert(now), now);
            writer.send(b"message").expect("it never waits");
            silent.kill();
            silent.wait_dead();
        }
        assert_eq!(writer.readers().expect("counted"), 0);
    });
}

#[test]
fn who_counts_readers_takes_nothing_from_who_awaits_the_descriptor() {
    let _watchdog = watchdog(PATIENCE);
    let (writer, mut readers) = with_readers(&options(WhenFull::Block), 2);
    let second = readers.pop().expect("two");
    let reader = readers.pop().expect("two");
    let is_told = || {
        let fd = writer.descriptor(Interest::Write);
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        wait_any(&mut fds, Until::Now).expect("polled")
    };
    let mut buffer = [0; 8];
    for _ in 0..2 {
        while writer.try_send(b"message").is_ok() {}
        assert!(!writer.arm(Interest::Write).expect("armed"));
        assert!(!is_told());
        for reader in [&reader, &second] {
            while reader.try_recv(&mut buffer).is_ok() {}
        }
        assert_eq!(writer.readers().expect("counted"), 2);
        assert!(is_told(), "of room");
    }
    while writer.try_send(b"message").is_ok() {}
    while reader.try_recv(&mut buffer).is_ok() {}
    assert!(!writer.arm(Interest::Write).expect("armed"));
    drop(second);
    assert_eq!(writer.readers().expect("counted"), 1);
    assert!(is_told(), "of one that holds it back no more");
    writer.send(b"message").expect("room");
}

pub(crate) fn silent(stage: Stage) {
    let _reader = Options::new()
        .subscribe(stage.argument(0))
        .expect("it listens");
    loop {
        std::thread::park();
    }
}

pub(crate) fn writer(stage: Stage) {
    let listener = Options::new().bind(stage.argument(0)).expect("bind");
    let writer = options(WhenFull::Block).broadcast().expect("memory");
    writer.accept(&listener).expect("it comes");
    writer.send(&message(0)).expect("sent");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_writer_ends_the_wait_of_its_readers() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let child = Role::new("writer").argument(path.display()).spawn();
    let reader = loop {
        match Options::new().subscribe(&path) {
            Ok(reader) => break reader,
            // It does not listen yet.
            Err(_) => std::thread::yield_now(),
        }
    };
    assert_eq!(
        reader.credentials().expect("the kernel says").pid,
        child.id()
    );
    let mut buffer = [0; 16];
    let first = reader.recv(&mut buffer).expect("a message");
    assert_eq!(first, Received::Message(8));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| reader.recv(&mut [0; 16]).expect_err("it dies").kind());
        child.kill();
        assert_eq!(waiting.join().expect("no panic"), ErrorKind::PeerDied);
    });
    child.wait_dead();
}
