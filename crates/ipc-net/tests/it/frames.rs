//! Framing against every way in which bytes can come, stop, or lie.

use crate::loopback::{PATIENCE, pattern};
use crate::streams::reset;
use ipc_net::{ErrorKind, Framed, Stream};
use ipc_testkit::{isolated, watchdog};

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// Messages of many lengths, the empty one among them.
fn bodies() -> Vec<Vec<u8>> {
    [0, 1, 2, 3, 4, 5, 60, 251].map(pattern).to_vec()
}

/// Receives exactly what `bodies` says, then the end.
fn assert_receives(rx: &Framed<Stream>, bodies: &[Vec<u8>], end: ErrorKind) {
    let mut message = Vec::new();
    for body in bodies {
        rx.recv_vec(&mut message).expect("it is on its way, whole");
        assert_eq!(&message, body);
    }
    for _ in 0..2 {
        let error = rx.recv_vec(&mut message).expect_err("the end");
        assert_eq!(error.kind(), end);
    }
}

#[test]
fn a_slow_sender_makes_the_same_messages_byte_by_byte() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_net::pair().expect("a pair");
    let rx = rx.framed();
    let mut message = Vec::new();
    for body in bodies() {
        let bytes = frame(&body);
        for (at, byte) in bytes.iter().enumerate() {
            let error = rx.try_recv_vec(&mut message).expect_err("not whole yet");
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "after {at}");
            tx.send(&[*byte]).expect("send");
        }
        rx.recv_vec(&mut message).expect("whole");
        assert_eq!(message, body);
    }
}

#[test]
fn a_stream_split_at_every_offset_makes_the_same_messages() {
    let _watchdog = watchdog(PATIENCE);
    let bodies = bodies();
    let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    for split in 0..=stream.len() {
        let (tx, rx) = ipc_net::pair().expect("a pair");
        let rx = rx.framed();
        tx.send(&stream[..split]).expect("send");
        // Takes what is whole, keeps the rest.
        let mut first = Vec::new();
        let mut message = Vec::new();
        while rx.try_recv_vec(&mut message).is_ok() {
            first.push(message.clone());
        }
        assert_eq!(first, bodies[..first.len()]);
        tx.send(&stream[split..]).expect("send");
        drop(tx);
        assert_receives(&rx, &bodies[first.len()..], ErrorKind::Closed);
    }
}

#[test]
fn the_end_at_every_offset_is_told_apart_from_an_end_between_messages() {
    let _watchdog = watchdog(PATIENCE);
    let bodies = bodies();
    let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    let mut boundaries = vec![0];
    for body in &bodies {
        boundaries.push(boundaries.last().expect("one at least") + 4 + body.len());
    }
    for end in 0..=stream.len() {
        let (tx, rx) = ipc_net::pair().expect("a pair");
        tx.send(&stream[..end]).expect("send");
        drop(tx);
        let whole = boundaries.iter().filter(|b| **b <= end).count() - 1;
        let kind = if boundaries.contains(&end) {
            ErrorKind::Closed
        } else {
            ErrorKind::Truncated
        };
        assert_receives(&rx.framed(), &bodies[..whole], kind);
    }
}

#[test]
fn a_reset_in_the_middle_of_a_message_at_every_offset_is_closed_and_never_a_message() {
    let _watchdog = watchdog(PATIENCE);
    let bytes = frame(&pattern(60));
    for cut in 0..bytes.len() {
        let (tx, rx) = ipc_net::pair().expect("a pair");
        let rx = rx.framed();
        tx.send(&bytes[..cut]).expect("send");
        let mut message = Vec::new();
        let early = rx.try_recv_vec(&mut message).expect_err("not whole");
        assert_eq!(early.kind(), ErrorKind::WouldBlock);
        reset(tx);
        let error = rx.recv_vec(&mut message).expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::Closed, "after {cut}");
        assert!(error.raw_os_error().is_some());
    }
}

#[test]
fn each_length_around_the_limit_is_judged_and_a_lie_is_corrupt_for_good() {
    let _watchdog = watchdog(PATIENCE);
    const LIMIT: usize = 1000;
    for length in [0, 1, LIMIT as u32 - 1, LIMIT as u32] {
        let (tx, rx) = ipc_net::pair().expect("a pair");
        let rx = Framed::with_max_message_bytes(rx, LIMIT).expect("a limit");
        tx.send(&frame(&pattern(length as usize))).expect("send");
        drop(tx);
        assert_receives(&rx, &[pattern(length as usize)], ErrorKind::Closed);
    }
    let lies = [LIMIT as u32 + 1, 1 << 20, 1 << 31, u32::MAX - 1, u32::MAX];
    for length in lies.into_iter().chain((11..32).map(|bit| 1 << bit)) {
        let (tx, rx) = ipc_net::pair().expect("a pair");
        let rx = Framed::with_max_message_bytes(rx, LIMIT).expect("a limit");
        tx.send(&length.to_le_bytes()).expect("send");
        tx.send(&[7; 10]).expect("send");
        let mut message = Vec::new();
        for _ in 0..3 {
            let error = rx.recv_vec(&mut message).expect_err("a lie");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&length.to_string()), "{error}");
        }
        assert_eq!(message.capacity(), 0);
    }
}

/// How much memory of this process is in use, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = statm.split(' ').nth(1).expect("the second is resident");
    pages.parse::<usize>().expect("a number") * 4096
}

#[test]
fn a_declared_length_of_four_gibibytes_takes_no_memory_before_its_bytes_come() {
    isolated!({
        let largest = Framed::<Stream>::LARGEST_MAX_MESSAGE_BYTES;
        let attack = |count: usize| {
            for _ in 0..count {
                let (tx, rx) = ipc_net::pair().expect("a pair");
                let rx = Framed::with_max_message_bytes(rx, largest).expect("a limit");
                tx.send(&u32::MAX.to_le_bytes()).expect("send");
                tx.send(&[7; 10]).expect("send");
                let mut message = Vec::new();
                let error = rx.try_recv_vec(&mut message).expect_err("not whole");
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                drop(tx);
                let error = rx.recv_vec(&mut message).expect_err("cut short");
                assert_eq!(error.kind(), ErrorKind::Truncated);
            }
        };
        attack(10);
        let before = resident();
        attack(10_000);
        let grown = resident().saturating_sub(before);
        assert!(grown < 1 << 20, "{grown} bytes more");
    });
}
