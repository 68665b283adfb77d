//! Several messages with one system call.

use ipc_testkit::{Role, Snapshot, Stage, Storm, TempDir, isolated, watchdog};
use ipc_uds::{Batch, Datagram, ErrorKind, MAX_BATCH, Options, Policy, SeqPacket, Spin};
use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(2);
/// A user whom no test runs as.
const STRANGER: u32 = 12_345;

/// The same claims for both kinds of sockets that keep messages apart.
macro_rules! for_both {
    ($($claim:ident($left:ident, $right:ident) $body:block)*) => {
        mod seqpacket {
            use super::*;
            $(#[test]
            fn $claim() {
                let _watchdog = watchdog(PATIENCE);
                let ($left, $right) = ipc_uds::pair_seqpacket().expect("a pair");
                $body
            })*
        }
        mod datagram {
            use super::*;
            $(#[test]
            fn $claim() {
                let _watchdog = watchdog(PATIENCE);
                let ($left, $right) = ipc_uds::pair_datagram().expect("a pair");
                $body
            })*
        }
    };
}

for_both! {
    a_batch_arrives_in_order_in_all_forms(left, right) {
        let messages: [&[u8]; 3] = [b"one", b"three", b"x"];
        let mut batch = Batch::new(8);
        for form in 0..4 {
            let deadline = Instant::now() + PATIENCE;
            let sent = match form {
                0 => left.send_batch(&messages),
                1 => left.try_send_batch(&messages),
                2 => left.send_batch_timeout(&messages, PATIENCE),
                _ => left.send_batch_deadline(&messages, deadline),
            };
            assert_eq!(sent.expect("room"), 3);
            let came = match form {
                0 => right.recv_batch(&mut batch, 16),
                1 => right.try_recv_batch(&mut batch, 16),
                2 => right.recv_batch_timeout(&mut batch, 16, PATIENCE),
                _ => right.recv_batch_deadline(&mut batch, 16, deadline),
            };
            assert_eq!(came.expect("there"), 3);
            assert!(batch.iter().eq(messages));
            assert_eq!((batch.len(), batch.get(1), batch.get(3)), (3, Some(&b"three"[..]), None));
        }
    }

    no_more_come_than_were_asked_for_and_the_rest_stays(left, right) {
        left.send_batch(&[b"1", b"2", b"3"]).expect("room");
        let mut batch = Batch::new(8);
        assert_eq!(right.recv_batch(&mut batch, 0).expect("none"), 0);
        assert_eq!(right.recv_batch(&mut batch, 2).expect("there"), 2);
        assert_eq!(right.recv_batch(&mut batch, 2).expect("there"), 1);
        assert_eq!(batch.get(0), Some(&b"3"[..]));
        assert_eq!(left.send_batch(&[]).expect("none"), 0);
    }

    an_empty_queue_and_a_full_one_are_waited_for_or_said(left, right) {
        let mut batch = Batch::new(2_000);
        let empty = right.try_recv_batch(&mut batch, 9).expect_err("empty");
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        let late = right.recv_batch_timeout(&mut batch, 9, SHORT).expect_err("empty");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let message = [7_u8; 2_000];
        let many = vec![&message[..]; 1_000];
        // As many as there is room for, not all of them.
        let first = left.send_batch(&many).expect("some");
        assert!((1..1_000).contains(&first), "{first}");
        let full = loop {
            if let Err(error) = left.try_send_batch(&many) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        let late = left.send_batch_timeout(&many, SHORT).expect_err("full");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| left.send_batch(&many[..1]));
            while right.recv_batch_timeout(&mut batch, 9, SHORT).is_ok() {}
            assert_eq!(waiting.join().expect("no panic").expect("room came"), 1);
        });
    }

    one_that_does_not_fit_is_lost_and_no_other(left, right) {
        left.send_batch(&[b"one", b"too long by far", b"two"]).expect("room");
        let mut batch = Batch::new(8);
        let cut = right.recv_batch(&mut batch, 16).expect_err("one is");
        assert_eq!(cut.kind(), ErrorKind::TooLarge);
        assert!(cut.to_string().contains("15 bytes"), "{cut}");
        assert!(batch.iter().eq([&b"one"[..], b"two"]));
        left.send(b"three").expect("room");
        assert_eq!(right.recv_batch(&mut batch, 16).expect("there"), 1);
    }

    descriptors_that_come_with_a_batch_are_never_kept(left, right) {
        // In a process of its own, where no other test opens anything.
        let run = || {
            let null = File::open("/dev/null").expect("a device");
            let before = Snapshot::take();
            for _ in 0..5 {
                left.send_with_fds(b"x", &[null.as_fd(); 3]).expect("room");
            }
            let mut batch = Batch::new(8);
            assert_eq!(right.recv_batch(&mut batch, 16).expect("there"), 5);
            before.assert_unchanged();
        };
        isolated!({ run(); });
    }

    an_empty_message_of_another_program_is_one(left, right) {
        use rustix::net::{SendFlags, send};
        for message in [&b"one"[..], b"", b"two", b""] {
            send(&left, message, SendFlags::empty()).expect("room");
        }
        let mut batch = Batch::new(8);
        assert_eq!(right.recv_batch(&mut batch, 16).expect("there"), 4);
        assert!(batch.iter().eq([&b"one"[..], b"", b"two", b""]));
        send(&left, b"", SendFlags::empty()).expect("room");
        assert_eq!(right.recv_batch(&mut batch, 16).expect("there"), 1);
        assert_eq!(batch.get(0), Some(&b""[..]));
    }

    a_missing_peer_is_an_error_and_no_signal(left, right) {
        drop(right);
        let gone = left.send_batch(&[b"x"]).expect_err("gone");
        assert_eq!(gone.kind(), ErrorKind::Closed);
    }

    a_batch_waits_through_a_storm_of_signals(left, right) {
        let run = || {
            let storm = Storm::here();
            std::thread::scope(|scope| {
                let sending = scope.spawn(|| {
                    while storm.sent() < 20 {
                        std::thread::yield_now();
                    }
                    left.send_batch(&[&b"x"[..]; 4]).expect("room");
                });
                let mut batch = Batch::new(8);
                let mut came = 0;
                while came < 4 {
                    came += right.recv_batch_timeout(&mut batch, 4, PATIENCE).expect("made again");
                }
                sending.join().expect("no panic");
            });
        };
        isolated!({ run(); });
    }
}

/// Sends `total` numbers in batches of all lengths, and receives them in others.
macro_rules! stream {
    ($left:expr, $right:expr, $total:expr) => {{
        let (left, right) = ($left, $right);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let numbers: Vec<[u8; 4]> = (0..$total).map(u32::to_le_bytes).collect();
                let messages: Vec<&[u8]> = numbers.iter().map(|bytes| &bytes[..]).collect();
                let mut rest = &messages[..];
                while !rest.is_empty() {
                    let most = rest.len().min(1 + rest.len() % (2 * MAX_BATCH + 9));
                    rest = &rest[left.send_batch(&rest[..most]).expect("sent")..];
                }
            });
            let (mut batch, mut next) = (Batch::new(4), 0_u32);
            while next < $total {
                let most = 1 + next as usize % (MAX_BATCH + 30);
                let count = right.recv_batch(&mut batch, most).expect("it comes");
                assert!((1..=most.min(MAX_BATCH)).contains(&count));
                for message in batch.iter() {
                    assert_eq!(message, next.to_le_bytes());
                    next += 1;
                }
            }
        });
    }};
}

#[test]
fn a_stream_of_batches_loses_and_repeats_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    stream!(left, right, 20_000);
    let (left, right) = ipc_uds::pair_datagram().expect("a pair");
    stream!(left, right, 20_000);
    let mut options = Options::new();
    let (left, right) = options
        .spin(Spin::Learned)
        .pair_seqpacket()
        .expect("a pair");
    stream!(left, right, 20_000);
}

#[test]
fn an_empty_message_in_a_batch_keeps_all_of_a_connection_back() {
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let refused = left.send_batch(&[b"one", b""]).expect_err("an end");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let none = right.try_recv(&mut [0; 8]).expect_err("none was sent");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_came_before_the_end_is_received_and_then_comes_the_end() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    left.send_batch(&[b"one", b"two"]).expect("room");
    drop(left);
    let mut batch = Batch::new(8);
    assert_eq!(right.recv_batch(&mut batch, 16).expect("there"), 2);
    for _ in 0..2 {
        let ended = right.recv_batch(&mut batch, 16).expect_err("the end");
        assert_eq!(ended.kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_policy_refuses_single_messages_of_a_batch_and_counts_them() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let mut options = Options::new();
    let admits = options.policy(Policy::same_user());
    let receiver = admits.bind_datagram(dir.join("ours")).expect("bind");
    let sender = ipc_uds::connect_datagram(dir.join("ours")).expect("connect");
    let mut batch = Batch::new(8);
    assert_eq!(sender.send_batch(&[b"one", b"two"]).expect("room"), 2);
    assert_eq!(receiver.recv_batch(&mut batch, 16).expect("admitted"), 2);
    let refuses = options.policy(Policy::users([STRANGER]));
    let receiver = refuses.bind_datagram(dir.join("theirs")).expect("bind");
    let sender = Options::new()
        .policy(Policy::anyone())
        .connect_datagram(dir.join("theirs"))
        .expect("connect");
    assert_eq!(sender.send_batch(&[b"one", b"two"]).expect("room"), 2);
    let none = receiver.try_recv_batch(&mut batch, 16).expect_err("none");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    assert_eq!((receiver.refused(), batch.len()), (2, 0));
}

#[test]
fn a_batch_allocates_nothing_once_it_has_its_room() {
    isolated!({
        let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
        let mut batch = Batch::new(64);
        let messages = [&b"message"[..]; 8];
        let round = |batch: &mut Batch| {
            assert_eq!(left.send_batch(&messages).expect("room"), 8);
            assert_eq!(right.recv_batch(batch, 8).expect("there"), 8);
        };
        round(&mut batch);
        let allocated = ipc_testkit::allocations(|| (0..100).for_each(|_| round(&mut batch)));
        assert_eq!(allocated, 0);
    });
}

pub(crate) fn send_batches_until_killed(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let message = [9_u8; 100];
    while socket.send_batch(&[&message[..]; 20]).is_ok() {}
}

#[test]
fn a_sender_killed_in_a_batch_leaves_whole_messages_and_the_end() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..10_usize {
        let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
        let child = Role::new("sender of batches").descriptor(&left).spawn();
        drop(left);
        let (mut batch, mut total) = (Batch::new(128), 0);
        let error = loop {
            if total >= round * 500 {
                child.kill();
            }
            match right.recv_batch(&mut batch, 32) {
                Ok(count) => {
                    assert!(batch.iter().all(|message| message == [9; 100]));
                    total += count;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Closed, "after {total}");
    }
}

#[test]
fn a_datagram_socket_without_a_peer_sends_no_batch() {
    let dir = TempDir::new();
    let alone: Datagram = ipc_uds::bind_datagram(dir.join("alone")).expect("bind");
    let nobody = alone.send_batch(&[b"x"]).expect_err("to whom?");
    assert_eq!(nobody.kind(), ErrorKind::InvalidInput);
}
