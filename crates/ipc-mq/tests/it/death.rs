//! Peers that are killed: what they sent stays, whole, and nothing else shows.

use ipc_mq::sysv::{self, Select};
use ipc_mq::{ErrorKind, Options, Queue};
use ipc_testkit::{Role, Stage, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);
const SIZE: usize = 256;

/// A message that tells its number, and whether it is whole.
fn message(number: u64) -> [u8; SIZE] {
    let mut bytes = [(number % 251) as u8; SIZE];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

pub(crate) fn send_until_killed(mut stage: Stage) {
    let posix = Queue::from_descriptor(stage.descriptor()).expect("a queue");
    let sysv = sysv::Queue::from_id(stage.argument(0).parse().expect("a number")).expect("there");
    for number in 0.. {
        posix.send(&message(number), 0).expect("room");
        sysv.send(&message(number), 1).expect("room");
    }
}

pub(crate) fn receive_until_killed(mut stage: Stage) {
    let posix = Queue::from_descriptor(stage.descriptor()).expect("a queue");
    let sysv = sysv::Queue::from_id(stage.argument(0).parse().expect("a number")).expect("there");
    let mut buffer = [0; SIZE];
    loop {
        posix.recv(&mut buffer).expect("whole");
        sysv.recv(&mut buffer, Select::First).expect("whole");
    }
}

fn pair() -> (Queue, sysv::Queue) {
    let mut options = Options::new();
    options.max_messages(8).message_size_bytes(SIZE);
    let posix = options.create_unnamed().expect("a queue");
    (
        posix,
        sysv::Options::new().create_unnamed().expect("a queue"),
    )
}

#[test]
fn what_a_killed_sender_sent_is_received_whole_and_then_nothing_comes() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..10 {
        let (posix, sysv) = pair();
        let child = Role::new("sends until killed").descriptor(&posix);
        let child = child.argument(sysv.id()).spawn();
        let mut buffer = [0; SIZE];
        let mut next = 0;
        while next < 20 * round {
            assert_eq!(posix.recv(&mut buffer).expect("it sends"), SIZE);
            assert_eq!(buffer, message(next));
            sysv.recv(&mut buffer, Select::First).expect("it sends");
            assert_eq!(buffer, message(next));
            next += 1;
        }
        child.kill();
        child.wait();
        let mut last = next;
        while posix.try_recv(&mut buffer).is_ok() {
            assert_eq!(buffer, message(last));
            last += 1;
        }
        while sysv.try_recv(&mut buffer, Select::First).is_ok() {
            assert_eq!(buffer, message(next));
            next += 1;
        }
        assert!(last == next || last == next + 1, "{last} and {next}");
        // A queue knows no peer: the wait lasts.
        let error = posix
            .recv_timeout(&mut buffer, SHORT)
            .expect_err("nobody sends");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        sysv.remove().expect("there");
    }
}

#[test]
fn a_killed_receiver_takes_at_most_the_message_that_it_had() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..10 {
        let (posix, sysv) = pair();
        let child = Role::new("receives until killed").descriptor(&posix);
        let child = child.argument(sysv.id()).spawn();
        for number in 0..20 * round {
            posix.send(&message(number), 0).expect("it receives");
            sysv.send(&message(number), 1).expect("it receives");
        }
        child.kill();
        child.wait();
        // A full queue fills no further, and nobody says that nobody receives.
        while posix.try_send(&message(0), 0).is_ok() {}
        let error = posix.send_timeout(&message(0), 0, SHORT).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        sysv.remove().expect("there");
    }
}
