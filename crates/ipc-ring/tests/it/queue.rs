//! Many producers and many consumers: what each sends comes to one of them.

use ipc_ring::{Consumer, ErrorKind, Options, Producer, Queue};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const MESSAGES: u64 = 3_000;

/// Small, so that each side has to wait for the other.
pub(crate) fn options() -> Options {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(16 * 240);
    options
}

/// Message `number` of a producer, each byte of it known.
pub(crate) fn message(producer: u64, number: u64) -> Vec<u8> {
    let mut bytes = vec![(producer ^ number) as u8; 16 + (number % 200) as usize];
    bytes[..8].copy_from_slice(&producer.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Whose message it is, and its number.
pub(crate) fn stamp(bytes: &[u8]) -> (u64, u64) {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let (producer, number) = (word(0), word(8));
    assert_eq!(bytes, message(producer, number), "damaged");
    (producer, number)
}

/// What came to all consumers: each message once, and those of one producer in their order.
#[derive(Default)]
pub(crate) struct Ledger {
    came: Vec<Vec<AtomicU64>>,
}

impl Ledger {
    pub(crate) fn new(producers: u64, messages: u64) -> Self {
        let one = || (0..messages).map(|_| AtomicU64::new(0)).collect();
        Self {
            came: (0..producers).map(|_| one()).collect(),
        }
    }

    fn enter(&self, bytes: &[u8], last: &mut [u64]) {
        let (producer, number) = stamp(bytes);
        let before = std::mem::replace(&mut last[producer as usize], number + 1);
        assert!(
            before <= number,
            "producer {producer}: {number} after {before}"
        );
        let count = self.came[producer as usize][number as usize].fetch_add(1, SeqCst);
        assert_eq!(count, 0, "message {number} of {producer} came twice");
    }

    /// Receives until the end.
    pub(crate) fn receive_all(&self, consumer: &Consumer) -> ErrorKind {
        let (mut last, mut buffer) = (vec![0; self.came.len()], Vec::new());
        loop {
            match consumer.recv_vec(&mut buffer) {
                Ok(()) => self.enter(&buffer, &mut last),
                Err(error) => return error.kind(),
            }
        }
    }

    pub(crate) fn check(&self) {
        for (producer, messages) in self.came.iter().enumerate() {
            let missing = messages
                .iter()
                .filter(|came| came.load(SeqCst) == 0)
                .count();
            assert_eq!(missing, 0, "messages of producer {producer}");
        }
    }
}

pub(crate) fn send_all(producer: &Producer, who: u64, messages: u64) {
    for number in 0..messages {
        producer.send(&message(who, number)).expect("sent");
    }
}

pub(crate) fn producer(stage: Stage) {
    let producer = Options::new()
        .produce(stage.argument(0))
        .expect("it listens");
    let who = stage.argument(1).parse().expect("a number");
    // All are there before the first sends, so that none can be the last for a while.
    let mut buffer = [0; 1];
    let go = ipc_ring::connect(stage.argument(2)).expect("it listens");
    go.receiver().recv(&mut buffer).expect("go");
    send_all(&producer, who, MESSAGES);
}

/// Processes that come to a queue, one after the other.
fn producers(queue: &Queue, count: u64) -> Vec<ipc_testkit::Child> {
    let dir = TempDir::new();
    let (path, start) = (dir.join("queue"), dir.join("start"));
    let listener = Options::new().bind(&path).expect("bind");
    let starter = Options::new().bind(&start).expect("bind");
    let (mut children, mut channels) = (Vec::new(), Vec::new());
    for who in 0..count {
        let role = Role::new("producer").argument(path.display());
        children.push(role.argument(who).argument(start.display()).spawn());
        queue.accept(&listener).expect("it comes");
        channels.push(starter.accept().expect("it comes"));
    }
    for channel in &channels {
        channel.sender().send(b"!").expect("it waits");
    }
    children
}

#[test]
fn each_message_comes_once_and_those_of_one_producer_in_order() {
    let _watchdog = watchdog(PATIENCE);
    for (senders, receivers) in [(1, 1), (1, 4), (2, 2), (4, 1), (4, 4)] {
        let queue = options().queue().expect("memory");
        let consumers: Vec<_> = (0..receivers)
            .map(|_| queue.consumer().expect("a seat"))
            .collect();
        let ledger = Ledger::new(senders, MESSAGES);
        let children = producers(&queue, senders);
        std::thread::scope(|scope| {
            let receiving: Vec<_> = consumers
                .iter()
                .map(|consumer| scope.spawn(|| ledger.receive_all(consumer)))
                .collect();
            for receiving in receiving {
                let end = receiving.join().expect("no panic");
                assert_eq!(end, ErrorKind::Closed);
            }
        });
        ledger.check();
        children.into_iter().for_each(ipc_testkit::Child::done);
    }
}
