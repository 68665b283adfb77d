//! System V queues: receive by type, removal, status, and a storm of signals.

use ipc_mq::ErrorKind;
use ipc_mq::sysv::{Options, Queue, Select};
use ipc_testkit::{Storm, allocations, isolated, set_umask, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A queue that is removed when the test ends, however it ends.
pub(crate) struct Removed(pub(crate) Queue);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

pub(crate) fn queue() -> Removed {
    Removed(Options::new().create_unnamed().expect("a queue"))
}

#[test]
fn each_selection_takes_the_oldest_that_matches() {
    let queue = queue();
    let queue = &queue.0;
    for kind in [3, 1, 2, 3, 5, i64::MAX] {
        queue
            .send(format!("of type {kind}").as_bytes(), kind)
            .expect("room");
    }
    let mut buffer = [0; 64];
    let mut take = |select, kind| {
        let received = queue.recv(&mut buffer, select).expect("there");
        assert_eq!((received.kind, received.truncated), (kind, false));
        assert_eq!(
            buffer[..received.length],
            *format!("of type {kind}").as_bytes()
        );
    };
    take(Select::Exact(2), 2);
    take(Select::Except(3), 1);
    take(Select::UpTo(4), 3);
    take(Select::First, 3);
    take(Select::Exact(i64::MAX), i64::MAX);
    for nothing in [Select::Exact(2), Select::UpTo(4), Select::Except(5)] {
        let error = queue
            .try_recv(&mut buffer, nothing)
            .expect_err("no such message");
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    }
    let received = queue
        .try_recv(&mut buffer, Select::UpTo(i64::MAX))
        .expect("there");
    assert_eq!(received.kind, 5);
}

#[test]
fn a_peek_copies_and_leaves_the_message() {
    let queue = queue();
    let queue = &queue.0;
    queue.send(b"first", 9).expect("room");
    queue.send(b"second", 8).expect("room");
    let mut buffer = [0; 64];
    match queue.peek(&mut buffer, 0) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            ipc_testkit::skip!("this kernel has no MSG_COPY")
        }
        peeked => assert_eq!(peeked.expect("there").length, 5),
    }
    for _ in 0..2 {
        let peeked = queue.peek(&mut buffer, 1).expect("there");
        assert_eq!((&buffer[..peeked.length], peeked.kind), (&b"second"[..], 8));
    }
    for index in [2, 3, usize::MAX] {
        let error = queue.peek(&mut buffer, index).expect_err("no such message");
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    }
    let error = queue.peek(&mut buffer[..5], 1).expect_err("longer");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(queue.status().expect("there").messages, 2);
}

#[test]
fn truncation_happens_only_when_asked_for() {
    let queue = queue();
    let queue = &queue.0;
    queue.send(b"0123456789", 1).expect("room");
    let mut short = [0; 4];
    for outcome in [
        queue.recv(&mut short, Select::First),
        queue.try_recv(&mut short, Select::Exact(1)),
    ] {
        let error = outcome.expect_err("longer");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("recv_truncated"), "{error}");
    }
    assert_eq!(queue.status().expect("there").messages, 1);
    let received = queue
        .recv_truncated(&mut short, Select::First)
        .expect("there");
    assert_eq!(
        (received.length, received.truncated, &short),
        (4, true, b"0123")
    );
    queue.send(b"abcd", 1).expect("room");
    let received = queue
        .try_recv_truncated(&mut short, Select::First)
        .expect("there");
    assert_eq!(
        (received.length, received.truncated, &short),
        (4, false, b"abcd")
    );
    let none = queue
        .try_recv_truncated(&mut short, Select::First)
        .expect_err("none");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_removal_ends_every_wait_and_every_verb() {
    let _watchdog = watchdog(PATIENCE);
    for _ in 0..10 {
        let (empty, full) = (queue(), queue());
        let large = vec![0; full.0.status().expect("there").capacity_bytes.min(8000)];
        while full.0.try_send(&large, 1).is_ok() {}
        std::thread::scope(|scope| {
            let waits = [
                scope.spawn(|| empty.0.recv(&mut [0; 8], Select::First).map(drop)),
                scope.spawn(|| empty.0.recv(&mut [0; 8], Select::Exact(5)).map(drop)),
                scope.spawn(|| {
                    empty
                        .0
                        .recv_truncated(&mut [0; 8], Select::Except(5))
                        .map(drop)
                }),
                scope.spawn(|| full.0.send(&large, 2)),
            ];
            std::thread::yield_now();
            empty.0.remove().expect("there");
            full.0.remove().expect("there");
            for wait in waits {
                let error = wait.join().expect("no panic").expect_err("removed");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            }
        });
        let mut buffer = [0; 8];
        for error in [
            empty.0.send(b"x", 1).expect_err("gone"),
            empty.0.try_send(b"x", 1).expect_err("gone"),
            empty
                .0
                .try_recv(&mut buffer, Select::First)
                .map(drop)
                .expect_err("gone"),
            empty.0.peek(&mut buffer, 0).map(drop).expect_err("gone"),
            empty.0.status().map(drop).expect_err("gone"),
            empty.0.set_mode(0o600).expect_err("gone"),
            empty.0.set_capacity_bytes(100).expect_err("gone"),
            empty.0.remove().expect_err("gone"),
            Queue::from_id(empty.0.id()).map(drop).expect_err("gone"),
        ] {
            assert!(
                matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported),
                "{error}"
            );
        }
    }
}

#[test]
fn a_waiting_receiver_is_known_to_wait_and_learns_of_the_removal() {
    let _watchdog = watchdog(PATIENCE);
    let queue = queue();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let thread = rustix::thread::gettid();
            tell(thread.as_raw_nonzero().get());
            queue.0.recv(&mut [0; 8], Select::First)
        });
        await_sleep();
        queue.0.remove().expect("there");
        let error = waiter.join().expect("no panic").expect_err("removed");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(
            error.raw_os_error(),
            Some(libc::EIDRM),
            "it slept in the kernel"
        );
    });
}

static WAITER: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);

fn tell(thread: i32) {
    WAITER.store(thread, std::sync::atomic::Ordering::Release);
}

/// Until the kernel says that the waiter is in msgrcv(2).
fn await_sleep() {
    let process = std::process::id();
    loop {
        let thread = WAITER.load(std::sync::atomic::Ordering::Acquire);
        let at = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall"));
        let state = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/stat"));
        let asleep = state.is_ok_and(|stat| stat.contains(") S "));
        match at {
            Ok(at) if at.starts_with(&format!("{} ", libc::SYS_msgrcv)) && asleep => return,
            // Where that is hidden, that it sleeps at all must do.
            Err(_) if thread != 0 && asleep => return,
            _ => std::thread::yield_now(),
        }
    }
}

#[test]
fn status_mode_and_capacity_are_the_kernels() {
    let queue = queue();
    let queue = &queue.0;
    let before = queue.status().expect("there");
    assert_eq!((before.messages, before.bytes, before.sent), (0, 0, None));
    assert_eq!((before.mode, before.last_sender), (0o600, 0));
    assert_eq!(before.uid, rustix::process::geteuid().as_raw());
    queue.send(b"12345", 1).expect("room");
    let status = queue.status().expect("there");
    assert_eq!((status.messages, status.bytes), (1, 5));
    assert_eq!(status.last_sender, std::process::id());
    assert!(status.sent.is_some() && status.received.is_none());
    queue.recv(&mut [0; 5], Select::First).expect("there");
    assert_eq!(
        queue.status().expect("there").last_receiver,
        std::process::id()
    );
    queue.set_mode(0o640).expect("ours");
    assert_eq!(queue.status().expect("there").mode, 0o640);
    assert_eq!(
        queue.set_mode(0o1000).expect_err("no mode").kind(),
        ErrorKind::InvalidInput
    );
    queue.set_capacity_bytes(10).expect("ours");
    assert_eq!(queue.status().expect("there").capacity_bytes, 10);
    queue.try_send(&[0; 10], 1).expect("room");
    assert_eq!(
        queue.try_send(b"x", 1).expect_err("full").kind(),
        ErrorKind::WouldBlock
    );
    let small = Options::new()
        .capacity_bytes(64)
        .create_unnamed()
        .expect("a queue");
    let small = Removed(small);
    assert_eq!(small.0.status().expect("there").capacity_bytes, 64);
    let same = Queue::from_id(small.0.id()).expect("there");
    same.send(b"x", 4).expect("room");
    assert_eq!(
        small
            .0
            .recv(&mut [0; 1], Select::First)
            .expect("there")
            .kind,
        4
    );
}

#[test]
fn the_mode_is_as_asked_whatever_the_umask() {
    isolated!({
        for mask in [0, 0o077, 0o777] {
            set_umask(mask);
            for bits in [0o600, 0o666] {
                let made = Options::new().mode(bits).create_unnamed().expect("a queue");
                assert_eq!(made.status().expect("there").mode, bits);
                made.remove().expect("there");
            }
        }
        set_umask(0o022);
    });
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    const ROUNDS: i64 = 10_000;
    let _watchdog = watchdog(PATIENCE);
    let (there, back) = (queue(), queue());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _storm = Storm::here();
            let mut buffer = [0; 64];
            for kind in 1..=ROUNDS {
                let received = there.0.recv(&mut buffer, Select::First).expect("it comes");
                assert_eq!(received.kind, kind);
                back.0.send(&buffer[..received.length], kind).expect("room");
            }
        });
        let storm = Storm::here();
        for kind in 1..=ROUNDS {
            there.0.send(&kind.to_le_bytes(), kind).expect("room");
            let mut buffer = [0; 64];
            let received = back
                .0
                .recv(&mut buffer, Select::Exact(kind))
                .expect("an answer");
            assert_eq!(buffer[..received.length], kind.to_le_bytes());
        }
        assert!(storm.sent() > 0);
    });
}

#[test]
fn nothing_is_allocated_per_message_up_to_the_usual_limit() {
    let queue = queue();
    let (message, mut buffer) = ([7; 8192], [0; 8192]);
    let count = allocations(|| {
        for _ in 0..100 {
            queue.0.send(&message, 1).expect("room");
            queue
                .0
                .recv_truncated(&mut buffer, Select::First)
                .expect("there");
            assert!(queue.0.try_recv(&mut buffer, Select::First).is_err());
        }
    });
    assert_eq!(count, 0);
}
