//! Framing against every way in which bytes can come, stop, or lie.

use ipc_pipe::{ErrorKind, Framed, Options, Receiver};
use ipc_testkit::{Role, Stage, allocations, watchdog};
use std::io::Write;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len())
        .expect("a small body")
        .to_le_bytes()
        .to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// How many inputs the tests have that dribble, split and cut the messages of [`bodies`].
pub(crate) const DRIBBLED: usize = 1 + 2 + 3 + 4 + 5 + 60 + 251 + 8 * 4;
pub(crate) const SPLITS: usize = DRIBBLED + 1;
pub(crate) const ENDS: usize = DRIBBLED + 1;

/// Messages of many lengths, the empty one among them.
fn bodies() -> Vec<Vec<u8>> {
    [0, 1, 2, 3, 4, 5, 60, 251]
        .map(|length| (0..length).map(|at| at as u8).collect())
        .to_vec()
}

fn assert_receives(rx: &Framed<Receiver>, bodies: &[Vec<u8>]) {
    let mut message = Vec::new();
    for body in bodies {
        rx.try_recv_vec(&mut message).expect("it is there, whole");
        assert_eq!(&message, body);
    }
}

#[test]
fn bytes_that_dribble_in_one_by_one_make_the_same_messages() {
    let (mut tx, rx) = ipc_pipe::pair().expect("a pipe");
    let rx = rx.framed();
    let mut message = Vec::new();
    let mut inputs = 0;
    for body in bodies() {
        let bytes = frame(&body);
        for (at, byte) in bytes.iter().enumerate() {
            inputs += 1;
            let error = rx.try_recv_vec(&mut message).expect_err("not whole yet");
            assert_eq!(
                error.kind(),
                ErrorKind::WouldBlock,
                "{at} bytes of {}",
                bytes.len()
            );
            tx.write_all(&[*byte]).expect("a reader is there");
        }
        rx.try_recv_vec(&mut message).expect("whole");
        assert_eq!(message, body);
    }
    assert_eq!(inputs, DRIBBLED);
}

#[test]
fn a_stream_split_at_every_offset_makes_the_same_messages() {
    let bodies = bodies();
    let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    assert_eq!(stream.len() + 1, SPLITS);
    for split in 0..=stream.len() {
        let (mut tx, rx) = ipc_pipe::pair().expect("a pipe");
        let rx = rx.framed();
        tx.write_all(&stream[..split]).expect("a reader is there");
        // Takes what is whole, keeps the rest.
        let mut first = Vec::new();
        let mut message = Vec::new();
        while rx.try_recv_vec(&mut message).is_ok() {
            first.push(message.clone());
        }
        assert_eq!(first, bodies[..first.len()]);
        tx.write_all(&stream[split..]).expect("a reader is there");
        assert_receives(&rx, &bodies[first.len()..]);
    }
}

#[test]
fn messages_that_come_together_come_apart() {
    let (mut tx, rx) = ipc_pipe::pair().expect("a pipe");
    let bodies: Vec<_> = std::iter::repeat_n(bodies(), 20).flatten().collect();
    let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    tx.write_all(&stream).expect("a reader is there");
    assert_receives(&rx.framed(), &bodies);
}

#[test]
fn the_end_at_every_offset_is_told_apart_from_an_end_between_messages() {
    let bodies = bodies();
    let stream: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
    let mut boundaries = vec![0];
    for body in &bodies {
        boundaries.push(boundaries.last().expect("one at least") + 4 + body.len());
    }
    assert_eq!(stream.len() + 1, ENDS);
    for end in 0..=stream.len() {
        let (mut tx, rx) = ipc_pipe::pair().expect("a pipe");
        let rx = rx.framed();
        tx.write_all(&stream[..end]).expect("a reader is there");
        drop(tx);
        let mut message = Vec::new();
        let error = loop {
            if let Err(error) = rx.recv_vec(&mut message) {
                break error;
            }
        };
        let whole = boundaries.contains(&end);
        let expected = if whole {
            ErrorKind::Closed
        } else {
            ErrorKind::Truncated
        };
        assert_eq!(error.kind(), expected, "the end after {end} bytes");
        assert_eq!(
            rx.recv_vec(&mut message).expect_err("still").kind(),
            expected
        );
    }
}

#[test]
fn a_length_above_the_limit_is_corrupt_for_good_and_takes_no_memory() {
    const LIMIT: usize = 1000;
    for length in [LIMIT as u32 + 1, 1 << 20, 1 << 31, u32::MAX - 1, u32::MAX] {
        let (mut tx, rx) = ipc_pipe::pair().expect("a pipe");
        let rx = Framed::with_max_message_bytes(rx, LIMIT).expect("a limit");
        tx.write_all(&length.to_le_bytes())
            .expect("a reader is there");
        tx.write_all(&[7; 10]).expect("a reader is there");
        let mut message = Vec::new();
        for _ in 0..3 {
            let error = rx.try_recv_vec(&mut message).expect_err("a lie");
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(&length.to_string()), "{error}");
        }
        assert!(message.capacity() < 2 * LIMIT);
    }
}

#[test]
fn a_declared_length_takes_no_memory_before_its_bytes_come() {
    let (mut tx, rx) = ipc_pipe::pair().expect("a pipe");
    let rx = Framed::with_max_message_bytes(rx, 1 << 30).expect("a limit");
    tx.write_all(&(1u32 << 30).to_le_bytes())
        .expect("a reader is there");
    tx.write_all(&[7; 10]).expect("a reader is there");
    let mut message = Vec::new();
    let taken = allocations(|| {
        let error = rx.try_recv_vec(&mut message).expect_err("not whole");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
    assert!(taken <= 1, "one step of the inbox, not a gibibyte: {taken}");
}

#[test]
fn the_limit_is_accepted_and_one_more_byte_refused_on_both_sides() {
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let tx = Framed::with_max_message_bytes(tx, 100).expect("a limit");
    let rx = Framed::with_max_message_bytes(rx, 100).expect("a limit");
    tx.send(&[1; 100]).expect("at the limit");
    let error = tx.send(&[1; 101]).expect_err("above it");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("101") && error.to_string().contains("100"),
        "{error}"
    );
    let mut message = [0; 100];
    assert_eq!(rx.recv(&mut message).expect("the first"), 100);
    assert_eq!(
        rx.try_recv(&mut message).expect_err("no more").kind(),
        ErrorKind::WouldBlock
    );
    let beyond = Framed::<Receiver>::LARGEST_MAX_MESSAGE_BYTES
        .checked_add(1)
        .expect("64 bits");
    let (_tx, rx) = ipc_pipe::pair().expect("a pipe");
    let error = Framed::with_max_message_bytes(rx, beyond).expect_err("beyond the length");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_message_larger_than_the_buffer_stays_until_there_is_room() {
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let (tx, rx) = (tx.framed(), rx.framed());
    tx.send(b"a long message").expect("send");
    tx.send(b"next").expect("send");
    let mut small = [0; 4];
    for _ in 0..2 {
        assert_eq!(
            rx.recv(&mut small).expect_err("too small").kind(),
            ErrorKind::TooLarge
        );
    }
    let mut message = Vec::new();
    rx.recv_vec(&mut message).expect("room enough");
    assert_eq!(message, b"a long message");
    assert_eq!(rx.recv(&mut small).expect("the next"), 4);
}

pub(crate) fn write_half_a_frame(mut stage: Stage) {
    let mut tx = ipc_pipe::Sender::from(stage.descriptor());
    tx.write_all(&frame(b"whole")).expect("a reader is there");
    tx.write_all(&frame(b"never finished")[..9])
        .expect("a reader is there");
    drop(stage.descriptor()); // says that it is written
    loop {
        std::thread::park();
    }
}

#[test]
fn a_writer_killed_inside_a_message_is_truncated_and_what_was_whole_is_received() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let (tell, told) = ipc_pipe::pair().expect("a pipe");
    let child = Role::new("half frame")
        .descriptor(&tx)
        .descriptor(&tell)
        .spawn();
    drop((tx, tell));
    assert_eq!(
        told.recv(&mut [0; 1]).expect_err("written").kind(),
        ErrorKind::Closed
    );
    let rx = rx.framed();
    let mut message = Vec::new();
    rx.recv_vec(&mut message).expect("the whole one");
    assert_eq!(message, b"whole");
    child.kill();
    assert_eq!(
        rx.recv_vec(&mut message).expect_err("half").kind(),
        ErrorKind::Truncated
    );
}

#[test]
fn threads_may_share_a_framed_sender_and_no_message_mingles() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = Options::new();
    let (tx, rx) = options.capacity_bytes(4096).pair().expect("a pipe");
    let (tx, rx) = (tx.framed(), rx.framed());
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            let tx = &tx;
            scope.spawn(move || {
                for round in 0..50usize {
                    let body = vec![writer; 1 + (round * 977) % 20_000];
                    match round % 3 {
                        0 => tx.send(&body).expect("send"),
                        1 => tx.send_timeout(&body, PATIENCE).expect("send"),
                        _ => {
                            while tx.try_send(&body).is_err() {
                                std::thread::yield_now();
                            }
                        }
                    }
                }
                tx.flush().expect("a reader is there");
            });
        }
        let mut message = Vec::new();
        let mut seen = [0; 4];
        for _ in 0..200 {
            rx.recv_vec(&mut message).expect("a message");
            let writer = message[0];
            let round: usize = seen[usize::from(writer)];
            assert_eq!(message.len(), 1 + (round * 977) % 20_000);
            assert!(message.iter().all(|byte| *byte == writer));
            seen[usize::from(writer)] += 1;
        }
    });
}

#[test]
fn a_large_message_survives_a_deadline_at_every_stage() {
    let (mut tx, rx) = Options::new()
        .capacity_bytes(1 << 20)
        .pair()
        .expect("a pipe");
    let rx = rx.framed();
    let body: Vec<u8> = (0..300_000).map(|at| (at % 251) as u8).collect();
    let stream = frame(&body);
    let mut place = vec![0; body.len()];
    for step in [1, 4, 5, 1000, 20_000, 70_000, 150_000] {
        for part in stream.chunks(step) {
            let early = rx
                .recv_timeout(&mut place, Duration::ZERO)
                .expect_err("not whole");
            assert_eq!(early.kind(), ErrorKind::TimedOut);
            assert_eq!(
                rx.try_recv(&mut []).expect_err("not whole").kind(),
                ErrorKind::WouldBlock
            );
            tx.write_all(part).expect("a reader is there");
        }
        tx.write_all(&frame(b"next")).expect("a reader is there");
        place.fill(0);
        assert_eq!(rx.recv(&mut place).expect("whole"), body.len());
        assert!(place == body);
        assert_eq!(rx.recv(&mut place).expect("the next"), 4);
        assert_eq!(&place[..4], b"next");
    }
}

#[test]
fn a_large_message_cut_at_any_point_is_truncated() {
    let stream = frame(&vec![7; 100_000]);
    for end in [1, 3, 4, 5, 16_384, 65_536, 65_540, 99_999, 100_003] {
        let (mut tx, rx) = Options::new()
            .capacity_bytes(1 << 18)
            .pair()
            .expect("a pipe");
        tx.write_all(&stream[..end]).expect("a reader is there");
        drop(tx);
        let rx = rx.framed();
        for _ in 0..2 {
            let error = rx.recv(&mut vec![0; 100_000]).expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::Truncated, "after {end} bytes");
        }
    }
}
