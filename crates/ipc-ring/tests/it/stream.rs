//! The stream of bytes: what ends it, for whom.

use ipc_async::Async;
use ipc_core::{ByteSink, ByteSource, Interest, Pollable, Until};
use ipc_ring::{ErrorKind, Options, Stream};
use ipc_testkit::watchdog;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);

fn pair(options: &Options) -> (Stream, Stream) {
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let left = options.begin(left).expect("our half");
    let right = options.begin(right).expect("the other");
    left.finish().expect("it is there");
    right.finish().expect("it is there");
    let half = |meeting: ipc_ring::Meeting| meeting.channel().expect("both halves").stream();
    (half(left), half(right))
}

#[test]
fn a_stream_that_is_shut_down_ends_for_those_who_wait_at_it_here_and_there() {
    let _watchdog = watchdog(PATIENCE);
    for waits_here in [true, false] {
        let (here, there) = pair(&Options::new());
        here.send(b"the last word").expect("room");
        std::thread::scope(|scope| {
            let reader = if waits_here { &here } else { &there };
            let waiting = scope.spawn(|| {
                let mut all = Vec::new();
                let mut buffer = [0; 4];
                while let length @ 1.. = reader
                    .read_until(&mut buffer, Until::Forever)
                    .expect("read")
                {
                    all.extend_from_slice(&buffer[..length]);
                }
                all
            });
            let_it_sleep();
            here.shut_down();
            let all = waiting.join().expect("no panic");
            let expected: &[u8] = if waits_here { b"" } else { b"the last word" };
            assert_eq!(all, expected);
        });
        for stream in [&here, &there] {
            let refused = stream.write_until(&[], b"more", Until::Forever);
            assert_eq!(refused.expect_err("it has ended").kind(), ErrorKind::Closed);
        }
    }
}

#[test]
fn who_only_looks_is_told_of_the_end_too() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = Options::new();
    options.capacity_messages(2).spin(ipc_ring::Spin::Always);
    let (here, _there) = pair(&options);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| here.recv(&mut [0; 4]));
        let writer = scope.spawn(|| while here.write_until(&[], b"x", Until::Forever).is_ok() {});
        let_it_sleep();
        here.shut_down();
        let error = reader.join().expect("no panic").expect_err("it has ended");
        assert_eq!(error.kind(), ErrorKind::Closed);
        writer.join().expect("no panic");
    });
}

#[test]
fn who_arms_behind_the_end_here_is_told_of_it() {
    let (here, _there) = pair(Options::new().capacity_messages(2));
    while here.write_until(&[], b"x", Until::Now).is_ok() {}
    here.shut_down();
    // Each arm takes in what was rung before it.
    for _ in 0..2 {
        for interest in [Interest::Read, Interest::Write] {
            assert!(here.arm(interest).expect("armed"), "{interest:?}");
        }
    }
}

#[test]
fn a_writer_that_waits_for_room_is_woken_by_the_end() {
    let _watchdog = watchdog(PATIENCE);
    for ends_here in [true, false] {
        let (here, there) = pair(Options::new().capacity_messages(2).capacity_bytes(4096));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                loop {
                    if let Err(error) = here.write_until(&[], &[7; 512], Until::Forever) {
                        return error.kind();
                    }
                }
            });
            let_it_sleep();
            match ends_here {
                true => here.shut_down(),
                false => there.shut_down(),
            }
            assert_eq!(waiting.join().expect("no panic"), ErrorKind::Closed);
        });
    }
}

#[test]
fn what_came_before_the_end_here_is_still_read() {
    let _watchdog = watchdog(PATIENCE);
    let (here, there) = pair(&Options::new());
    there.send(b"an answer").expect("room");
    here.shut_down();
    let mut buffer = [0; 16];
    let mut read = || here.read_until(&mut buffer, Until::Forever).expect("read");
    assert_eq!((read(), read()), (9, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tokio_copies_comes_back_and_ends() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = pair(Options::new().capacity_messages(8).capacity_bytes(8192));
    let echo = tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(Async::new(far).expect("a runtime"));
        tokio::io::copy(&mut read, &mut write)
            .await
            .expect("it ends");
        write.shutdown().await.expect("the end");
    });
    let sent: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
    let (mut read, mut write) = tokio::io::split(Async::new(near).expect("a runtime"));
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        write.write_all(&sent).await.expect("it is read");
        write.shutdown().await.expect("the end");
        write.write_all(b"more").await.expect_err("after the end")
    });
    let mut came = Vec::new();
    read.read_to_end(&mut came).await.expect("it ends");
    assert!(came == expected, "{} bytes came", came.len());
    echo.await.expect("no panic");
    let refused = writing.await.expect("no panic");
    assert_eq!(refused.kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn a_meeting_waits_no_longer_than_it_may() {
    let _watchdog = watchdog(PATIENCE);
    let (here, _silent) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut options = Options::new();
    let meeting = options
        .meet_timeout(Duration::from_millis(50))
        .begin(here)
        .expect("our half");
    assert_eq!(
        meeting.channel().expect_err("too early").kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        meeting.finish().expect_err("nobody comes").kind(),
        ErrorKind::TimedOut
    );
    assert_eq!(
        meeting.try_finish().expect_err("it is late").kind(),
        ErrorKind::TimedOut
    );
}

#[test]
fn who_tries_to_finish_a_meeting_does_not_wait_for_one_who_waits() {
    let _watchdog = watchdog(PATIENCE);
    let (here, there) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut options = Options::new();
    options.meet_timeout(Duration::from_secs(3600));
    let meeting = options.begin(here).expect("our half");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| meeting.finish());
        let_it_sleep();
        let kind = |outcome: Result<(), ipc_ring::Error>| outcome.expect_err("not yet").kind();
        assert_eq!(kind(meeting.try_finish()), ErrorKind::WouldBlock);
        let brief = Duration::from_millis(1);
        assert_eq!(kind(meeting.finish_timeout(brief)), ErrorKind::TimedOut);
        assert_eq!(
            kind(meeting.channel().map(drop)),
            ErrorKind::WouldBlock,
            "before it is finished"
        );
        let other = options.begin(there).expect("the other");
        waiting.join().expect("no panic").expect("it is there");
        drop(other);
    });
}

/// Lets another thread fall asleep, which it need not: it is right in either order.
fn let_it_sleep() {
    std::thread::park_timeout(Duration::from_millis(20));
}

#[test]
fn who_found_no_room_for_much_is_not_told_that_there_is_room_for_little() {
    let (here, there) = pair(Options::new().capacity_bytes(64 << 10));
    let (sender, receiver) = (&here, &there);
    let mut sent = 0;
    let piece = vec![7; 5000];
    while let Ok(written) = sender.write_until(&[], &piece, Until::Now) {
        sent += written;
    }
    // A message of a few bytes would fit: a waiter that was told so would try for ever in vain.
    assert!(!sender.arm(Interest::Write).expect("armed"), "{sent} bytes");
    // And who waits at many need not ask it again before there is room for all of it.
    assert!(sender.is_armed(Interest::Write));
    let ready = sender.wait_ready(&[Interest::Write], Until::Now);
    assert_eq!(
        ready.expect_err("full").kind(),
        ErrorKind::WouldBlock,
        "{sent} bytes"
    );
    let mut buffer = vec![0; 1 << 20];
    while receiver.read_until(&mut buffer, Until::Now).is_ok() {}
    receiver
        .arm(Interest::Read)
        .expect("what was taken is told");
    assert!(sender.arm(Interest::Write).expect("armed"));
    assert_eq!(
        sender
            .write_until(&[], &piece, Until::Now)
            .expect("there is room"),
        piece.len()
    );
}

#[test]
fn looks_in_vain_are_given_up_and_return_when_they_pay() {
    let (here, _there) = pair(&Options::new());
    let first = here.looks();
    assert!(first > 0);
    let seen: Vec<u64> = (0..20)
        .map(|_| {
            let looks = here.looks();
            here.looked(looks, false);
            looks
        })
        .collect();
    assert_eq!(seen[19], 0, "{seen:?}");
    here.looked(1, true);
    assert_eq!(here.looks(), first);
    let (never, _there) = pair(Options::new().spin(ipc_ring::Spin::Never));
    assert_eq!(never.looks(), 0);
}

/// Leaves a tail of a message behind that the other side has no room for.
fn owing(options: &Options) -> (Stream, Stream, usize) {
    let (here, there) = pair(options);
    let all = vec![7; 20_000];
    here.try_send(&all).expect("a part is out");
    assert!(here.owes());
    (here, there, all.len())
}

#[test]
fn who_reads_is_not_held_up_by_one_who_waits_for_room() {
    let _watchdog = watchdog(PATIENCE);
    let (here, there, len) = owing(Options::new().capacity_messages(8).capacity_bytes(8192));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| here.send(b"more"));
        let_it_sleep();
        let reader = scope.spawn(|| here.recv(&mut [0; 16]));
        let_it_sleep();
        // It reads nothing before this has been read.
        there.send(b"an answer").expect("room");
        assert_eq!(reader.join().expect("no panic").expect("it came"), 9);
        let mut came = vec![0; len + 4];
        std::io::Read::read_exact(&mut &there, &mut came).expect("all of it");
        assert!(came.ends_with(b"\x07more"));
        writer.join().expect("no panic").expect("room");
    });
}

#[test]
fn who_reads_pays_though_another_has_tried_and_given_up() {
    let _watchdog = watchdog(PATIENCE);
    for first in [true, false] {
        let (here, there, len) = owing(Options::new().capacity_messages(8).capacity_bytes(8192));
        std::thread::scope(|scope| {
            let give_up = || {
                let late = here.flush_timeout(Duration::from_millis(30));
                assert_eq!(late.expect_err("no room").kind(), ErrorKind::TimedOut);
            };
            let gives_up = first.then(|| scope.spawn(give_up));
            let_it_sleep();
            let reader = scope.spawn(|| here.recv(&mut [0; 16]));
            let_it_sleep();
            match gives_up {
                Some(thread) => thread.join().expect("no panic"),
                None => give_up(),
            }
            let mut came = vec![0; len];
            std::io::Read::read_exact(&mut &there, &mut came).expect("all of it");
            there.send(b"an answer").expect("room");
            assert_eq!(reader.join().expect("no panic").expect("it came"), 9);
        });
    }
}

#[test]
fn a_stream_waits_for_room_whatever_its_channel_does() {
    let _watchdog = watchdog(PATIENCE);
    for policy in [ipc_ring::WhenFull::Fail, ipc_ring::WhenFull::DropNewest] {
        let mut options = Options::new();
        options.capacity_bytes(8192).when_full(policy);
        let (here, there) = pair(&options);
        let sent: Vec<u8> = (0..40_000).map(|at| (at % 251) as u8).collect();
        let mut came = vec![0; sent.len()];
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| here.send(&sent));
            std::io::Read::read_exact(&mut &there, &mut came).expect("all of it");
            writer.join().expect("no panic").expect("it has waited");
        });
        assert!(came == sent);
    }
}

#[test]
fn who_waits_at_many_pays_for_a_stream_once_there_is_room() {
    let _watchdog = watchdog(PATIENCE);
    let (here, there, len) = owing(Options::new().capacity_messages(8).capacity_bytes(8192));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let set = ipc_async::WaitSet::new();
            set.add(&here, ()).expect("added");
            while here.try_recv(&mut [0; 16]).is_err() {
                set.wait().expect("ready");
            }
        });
        let_it_sleep();
        let mut came = vec![0; len];
        std::io::Read::read_exact(&mut &there, &mut came).expect("all of it");
        there.send(b"an answer").expect("room");
        waiting.join().expect("no panic");
    });
}
