//! Around every buffer stand canaries, and behind a message what was there before.

use crate::generator::Generator;
use ipc_mq::sysv::{self, Select};
use ipc_mq::{ErrorKind, Options};

const CANARY: u8 = 0xc5;
const GUARD: usize = 64;

/// Gives `work` a buffer of `length` bytes between canaries; it says how many it has filled.
fn between_canaries(length: usize, work: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut all = vec![CANARY; GUARD + length + GUARD];
    let filled = work(&mut all[GUARD..GUARD + length]);
    assert!(filled <= length);
    let outside = all[..GUARD].iter().chain(&all[GUARD + filled..]);
    assert!(
        outside.clone().all(|byte| *byte == CANARY),
        "{filled} of {length}"
    );
    all[GUARD..GUARD + filled].to_vec()
}

#[test]
fn a_posix_queue_writes_the_message_and_nothing_else() {
    let mut random = Generator::new(1);
    for size in [1, 2, 7, 8, 63, 64, 65, 1000, 4096, 8192] {
        let queue = Options::new()
            .max_messages(2)
            .message_size_bytes(size)
            .create_unnamed();
        let queue = queue.expect("a queue");
        for length in [0, 1, size / 2, size - 1, size] {
            for spare in [0, 1, 9] {
                let message = random.bytes(length);
                queue.send(&message, 0).expect("room");
                let got = between_canaries(size + spare, |buffer| match spare {
                    0 => queue.recv(buffer).expect("there"),
                    1 => queue.try_recv(buffer).expect("there"),
                    _ => queue.recv_with_priority(buffer).expect("there").0,
                });
                assert_eq!(got, message);
            }
            between_canaries(size, |buffer| {
                let error = queue.try_recv(buffer).expect_err("none");
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                0
            });
        }
        between_canaries(size - 1, |buffer| {
            queue.send(b"x", 0).expect("room");
            assert!(queue.recv(buffer).is_err());
            0
        });
    }
}

#[test]
fn a_system_v_queue_writes_the_message_and_nothing_else() {
    let mut random = Generator::new(2);
    let queue = sysv::Options::new().create_unnamed().expect("a queue");
    for length in [0, 1, 7, 8, 9, 63, 64, 1000, 4096, 8191, 8192] {
        for spare in [0, 1, 100, 10_000] {
            let message = random.bytes(length);
            queue.send(&message, 7).expect("room");
            let peeked = between_canaries(length + spare, |buffer| {
                match queue.peek(buffer, 0) {
                    Ok(received) => received.length,
                    // A kernel that cannot.
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                        buffer[..length].copy_from_slice(&message);
                        length
                    }
                }
            });
            assert_eq!(peeked, message);
            let got = between_canaries(length + spare, |buffer| {
                let received = queue.recv(buffer, Select::First).expect("there");
                assert!(!received.truncated && received.kind == 7);
                received.length
            });
            assert_eq!(got, message);
        }
        for missing in [1, 2, length / 2, length] {
            let room = length.saturating_sub(missing);
            let message = random.bytes(length);
            queue.send(&message, 1).expect("room");
            if room < length {
                between_canaries(room, |buffer| {
                    let error = queue.recv(buffer, Select::First).expect_err("too long");
                    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
                    0
                });
            }
            let got = between_canaries(room, |buffer| {
                let received = queue.recv_truncated(buffer, Select::First);
                let received = received.expect("there");
                assert_eq!(received.truncated, room < length);
                received.length
            });
            assert_eq!(got, message[..room]);
        }
    }
    queue.remove().expect("there");
}
