//! Order by priority, in every form, and what each argument may be.

use ipc_mq::{ErrorKind, MAX_PRIORITY, Options, Queue};
use ipc_testkit::watchdog;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn queue() -> Queue {
    let mut options = Options::new();
    options.max_messages(10).message_size_bytes(16);
    options.create_unnamed().expect("a queue")
}

#[test]
fn the_highest_priority_comes_first_and_the_oldest_of_one() {
    let _watchdog = watchdog(PATIENCE);
    let queue = queue();
    let late = Instant::now() + PATIENCE;
    queue.send(b"low", 0).expect("room");
    queue.try_send(b"high", MAX_PRIORITY).expect("room");
    queue.send_timeout(b"middle", 5, PATIENCE).expect("room");
    queue.send_deadline(b"middle too", 5, late).expect("room");
    let mut message = [0; 16];
    let (length, priority) = queue.recv_with_priority(&mut message).expect("there");
    assert_eq!((&message[..length], priority), (&b"high"[..], MAX_PRIORITY));
    let (length, priority) = queue.try_recv_with_priority(&mut message).expect("there");
    assert_eq!((&message[..length], priority), (&b"middle"[..], 5));
    let (length, priority) = queue
        .recv_with_priority_timeout(&mut message, PATIENCE)
        .expect("there");
    assert_eq!((&message[..length], priority), (&b"middle too"[..], 5));
    let (length, priority) = queue
        .recv_with_priority_deadline(&mut message, late)
        .expect("there");
    assert_eq!((&message[..length], priority), (&b"low"[..], 0));
    let error = queue
        .try_recv_with_priority(&mut message)
        .expect_err("none");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_priority_above_the_highest_is_refused_by_name() {
    let queue = queue();
    for priority in [MAX_PRIORITY + 1, 65_536, u32::MAX] {
        for outcome in [
            queue.send(b"x", priority),
            queue.try_send(b"x", priority),
            queue.send_timeout(b"x", priority, PATIENCE),
        ] {
            let error = outcome.expect_err("too high");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("32767"), "{error}");
        }
    }
    assert_eq!(queue.status().expect("there").messages, 0);
}

#[test]
fn a_message_above_the_queues_size_is_refused_and_one_of_none_is_a_message() {
    let queue = queue();
    let error = queue.send(&[0; 17], 0).expect_err("too long");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("16"), "{error}");
    queue.send(b"", 3).expect("room");
    let mut message = [0; 16];
    assert_eq!(
        queue.recv_with_priority(&mut message).expect("there"),
        (0, 3)
    );
}

#[test]
fn a_buffer_that_is_too_short_takes_no_message() {
    let queue = queue();
    queue.send(b"x", 0).expect("room");
    for length in 0..16 {
        let mut short = vec![0; length];
        for outcome in [queue.recv(&mut short), queue.try_recv(&mut short)] {
            let error = outcome.expect_err("too short");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.to_string().contains("16"), "{error}");
        }
    }
    assert_eq!(queue.status().expect("there").messages, 1);
    assert_eq!(queue.recv(&mut [0; 16]).expect("there"), 1);
}

#[test]
fn the_other_direction_is_denied() {
    let mut options = Options::new();
    options.message_size_bytes(16);
    let rx = options
        .clone()
        .receive_only()
        .create_unnamed()
        .expect("a queue");
    assert_eq!(rx.send(b"x", 0).expect_err("rx").kind(), ErrorKind::Denied);
    let tx = options.send_only().create_unnamed().expect("a queue");
    tx.send(b"x", 0).expect("room");
    for outcome in [tx.recv(&mut [0; 16]), tx.try_recv(&mut [0; 16])] {
        assert_eq!(outcome.expect_err("tx").kind(), ErrorKind::Denied);
    }
}
