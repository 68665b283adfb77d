//! Members of a queue that leave slowly, and may wake others until they are gone or die at that;
//! and those that cannot stay.

use crate::hostile_queue::{Liar, hear};
use crate::queue::options;
use ipc_ring::{ErrorKind, Options, Queue};
use ipc_shm::Region;
use ipc_testkit::watchdog;
use ipc_uds::SeqPacket;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Where the count of changes stands, the bits of the consumers that sleep, and the seats.
const AT_CHANGES: usize = 64;
const AT_ASLEEP: usize = 128;
const AT_SEATS: usize = 768;

/// A consumer that has said that it leaves, and has not yet woken anybody.
struct Leaver {
    member: Liar,
    memory: Region,
    seat: u8,
}

impl Leaver {
    fn of(queue: &Queue) -> Self {
        let member = Liar::of(queue);
        let (memory, seat) = (member.memory(), seat_of(&member));
        let number = member.answer[12..16].try_into().expect("4 bytes");
        let left = u64::from(u32::from_le_bytes(number)) << 1;
        let word = memory.atomic_u64(AT_SEATS + usize::from(seat) * 64);
        word.expect("inside").store(left, SeqCst);
        let changes = memory.atomic_u64(AT_CHANGES).expect("inside");
        changes.fetch_add(1, SeqCst);
        Self {
            member,
            memory,
            seat,
        }
    }
}

fn seat_of(member: &Liar) -> u8 {
    member.answer[16]
}

#[test]
fn who_leaves_hears_of_newcomers_and_keeps_its_seat_until_its_bell_is_gone() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let leaver = Leaver::of(&queue);
    assert_eq!(queue.members().expect("counted"), (0, 0));
    let newcomer = Liar::of(&queue);
    assert_eq!(queue.members().expect("counted"), (0, 1));
    assert_ne!(seat_of(&newcomer), leaver.seat);
    let mailbox = |member: &Liar| {
        let mailbox = SeqPacket::from(member.fds[1].try_clone().expect("a copy"));
        let (note, ropes) = hear(&mailbox);
        assert_eq!(ropes.len(), 1);
        note[1]
    };
    assert_eq!(mailbox(&leaver.member), seat_of(&newcomer));
    assert_eq!(mailbox(&newcomer), leaver.seat);
    let seat = leaver.seat;
    drop(leaver);
    assert_eq!(seat_of(&Liar::of(&queue)), seat);
}

#[test]
fn who_dies_while_it_leaves_takes_no_wake_up_of_a_newcomer_with_it() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let producer = queue.producer().expect("a seat");
    let leaver = Leaver::of(&queue);
    let newcomer = queue.consumer().expect("a seat");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| newcomer.recv(&mut [0; 8]));
        let asleep = leaver.memory.atomic_u64(AT_ASLEEP).expect("inside");
        // It takes the sleeper's bit, and rings for nobody any more.
        while asleep.swap(0, SeqCst) == 0 {
            std::thread::yield_now();
        }
        producer.send(b"message").expect("room");
        drop(leaver);
        assert_eq!(waits.join().expect("no panic").expect("a message"), 7);
    });
}

#[test]
fn who_refuses_a_queue_is_not_told_as_a_death() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let producer = queue.producer().expect("a seat");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let refuses = || Options::new().max_receive_bytes(8).consume_over(theirs);
    let refuses = std::thread::spawn(refuses);
    queue.add(ours).expect("it comes");
    let error = refuses.join().expect("no panic").expect_err("it refuses");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let end = loop {
        if let Err(error) = producer.send(b"message") {
            break error.kind();
        }
    };
    assert_eq!(end, ErrorKind::Closed);
    assert_eq!(queue.members().expect("counted"), (1, 0));
}
