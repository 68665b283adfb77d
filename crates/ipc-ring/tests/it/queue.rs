//! Many producers and many consumers: what each sends comes to one of them.

use ipc_ring::{Consumer, ErrorKind, Options, Producer};
use ipc_shm::Region;
use ipc_testkit::{Role, Stage, watchdog};
use ipc_uds::SeqPacket;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const MESSAGES: u64 = 1_000;

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

/// What came, in memory that all processes share: how often each message did.
pub(crate) struct Ledger {
    memory: Region,
    producers: u64,
}

impl Ledger {
    fn of(memory: Region) -> Self {
        let producers = memory.len_bytes() as u64 / 8 / MESSAGES;
        Self { memory, producers }
    }

    fn new(producers: u64) -> Self {
        let memory = ipc_shm::anonymous((producers * MESSAGES * 8) as usize);
        Self::of(memory.expect("memory"))
    }

    fn enter(&self, bytes: &[u8], last: &mut [u64]) {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let (producer, number) = (word(0), word(8));
        assert_eq!(bytes, message(producer, number), "damaged");
        let before = std::mem::replace(&mut last[producer as usize], number + 1);
        assert!(
            before <= number,
            "of {producer}: {number} after {}",
            before - 1
        );
        let at = (producer * MESSAGES + number) as usize * 8;
        let count = self
            .memory
            .atomic_u64(at)
            .expect("inside")
            .fetch_add(1, SeqCst);
        assert_eq!(count, 0, "message {number} of {producer} came twice");
    }

    /// Receives until the end.
    fn receive_all(&self, consumer: &Consumer) -> ErrorKind {
        let (mut last, mut buffer) = (vec![0; self.producers as usize], Vec::new());
        loop {
            match consumer.recv_vec(&mut buffer) {
                Ok(()) => self.enter(&buffer, &mut last),
                Err(error) => return error.kind(),
            }
        }
    }

    fn check(&self) {
        for word in 0..self.producers * MESSAGES {
            let came = self
                .memory
                .load_u64(word as usize * 8, SeqCst)
                .expect("inside");
            let (producer, number) = (word / MESSAGES, word % MESSAGES);
            assert_eq!(came, 1, "message {number} of {producer}");
        }
    }
}

pub(crate) fn producer(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let producer = Options::new().produce_over(socket).expect("a member");
    let who = stage.argument(0).parse().expect("a number");
    for number in 0..MESSAGES {
        producer.send(&message(who, number)).expect("sent");
    }
}

pub(crate) fn consumer(mut stage: Stage) {
    let socket = SeqPacket::from(stage.descriptor());
    let ledger = Ledger::of(Region::from_fd(stage.descriptor()).expect("memory"));
    let consumer = Options::new().consume_over(socket).expect("a member");
    assert_eq!(ledger.receive_all(&consumer), ErrorKind::Closed);
}

#[test]
fn each_message_comes_once_and_those_of_one_producer_in_order() {
    let _watchdog = watchdog(PATIENCE);
    for (senders, receivers) in (1..=4).flat_map(|n| (1..=4).map(move |m| (n, m))) {
        let queue = options().queue().expect("memory");
        // It holds the queue open until all have come.
        let open: Producer = queue.producer().expect("a seat");
        let ledger = Ledger::new(senders);
        let mut children = Vec::new();
        let mut start = |role: Role| {
            let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
            let role = role.descriptor(&theirs);
            let ledger = ledger.memory.as_fd().expect("a memfd");
            children.push(role.descriptor(ledger).spawn());
            queue.add(ours).expect("it comes");
        };
        for _ in 0..receivers {
            start(Role::new("consumer"));
        }
        for who in 0..senders {
            start(Role::new("producer").argument(who));
        }
        drop(open);
        children.into_iter().for_each(ipc_testkit::Child::done);
        ledger.check();
        assert_eq!(queue.members().expect("counted"), (0, 0));
    }
}
