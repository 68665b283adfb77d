//! Makers and members of a queue that lie: the worst is an error, or a message that comes not.

use crate::hostile_broadcast::ring_often;
use crate::queue::{message, options};
use ipc_ring::{Consumer, ErrorKind, Options, Producer, Queue, Result};
use ipc_shm::Region;
use ipc_testkit::watchdog;
use ipc_uds::{Ancillary, SeqPacket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const HELLO: &[u8; 13] = b"ipc-many\x01\0\0\0\0";
/// Where the slots begin, and how large each is here.
const AT_SLOTS: usize = 768 + 64 * 64;
const SLOT: usize = 256;
const SLOTS: usize = 16;

fn say(socket: &SeqPacket, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
    socket.send_with_fds(bytes, fds).expect("sent");
}

pub(crate) fn hear(socket: &SeqPacket) -> (Vec<u8>, Vec<OwnedFd>) {
    let (mut bytes, mut ancillary) = ([0; 64], Ancillary::new());
    let len = socket.recv_with_fds(&mut bytes, &mut ancillary);
    let bytes = bytes[..len.expect("it is said")].to_vec();
    (bytes, ancillary.take_fds().collect())
}

/// A member that does nothing but what we do: what it was answered, and its bell.
pub(crate) struct Liar {
    pub(crate) answer: Vec<u8>,
    /// The memory and the mailbox.
    pub(crate) fds: Vec<OwnedFd>,
    _bell: OwnedFd,
}

impl Liar {
    pub(crate) fn of(queue: &Queue) -> Self {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let (bell, rope) = rustix::pipe::pipe().expect("a pipe");
        say(&ours, HELLO, &[rope.as_fd()]);
        queue.add(theirs).expect("it believes us");
        let (answer, fds) = hear(&ours);
        Self {
            answer,
            fds,
            _bell: bell,
        }
    }

    pub(crate) fn memory(&self) -> Region {
        let memory = self.fds[0].try_clone().expect("a copy");
        let attached = ipc_shm::Options::new().any_word(true).attach(memory);
        attached.expect("its memory")
    }
}

/// A stream of numbers.
fn random() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn ends(queue: &Queue) -> (Producer, Consumer) {
    let (producer, consumer) = (queue.producer(), queue.consumer());
    (producer.expect("a seat"), consumer.expect("a seat"))
}

#[track_caller]
fn known<T>(outcome: Result<T>) -> Option<T> {
    let kinds = [
        ErrorKind::WouldBlock,
        ErrorKind::TimedOut,
        ErrorKind::Corrupt,
        ErrorKind::Closed,
        ErrorKind::PeerDied,
    ];
    match outcome {
        Ok(value) => Some(value),
        Err(error) if kinds.contains(&error.kind()) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_beginning_that_is_not_a_members_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let (_bell, rope) = rustix::pipe::pipe().expect("a pipe");
    let memory = Liar::of(&queue);
    let kind = |hello: &[u8], fds: &[BorrowedFd<'_>]| {
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        say(&theirs, hello, fds);
        queue.add(ours).expect_err("it lies").kind()
    };
    let rope = rope.as_fd();
    let other = kind(b"ipc-cast\x01\0\0\0\0", &[rope]);
    assert_eq!(other, ErrorKind::Corrupt);
    let newer = kind(b"ipc-many\x02\0\0\0\0", &[rope]);
    assert_eq!(newer, ErrorKind::Unsupported);
    assert_eq!(kind(b"ipc-many\x01\0\0\0", &[rope]), ErrorKind::Corrupt);
    let neither = kind(b"ipc-many\x01\0\0\0\x02", &[rope]);
    assert_eq!(neither, ErrorKind::Corrupt);
    assert_eq!(kind(HELLO, &[]), ErrorKind::Corrupt);
    assert_eq!(kind(HELLO, &[rope, rope]), ErrorKind::Corrupt);
    assert_eq!(kind(HELLO, &[memory.fds[0].as_fd()]), ErrorKind::Corrupt);
    let mut hasty = Options::new();
    hasty.meet_timeout(Duration::from_millis(20));
    let (ours, _theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let silent = hasty.queue().expect("memory").add(ours);
    assert_eq!(silent.expect_err("nobody").kind(), ErrorKind::TimedOut);
    assert_eq!(queue.members().expect("counted"), (0, 1));
}

/// What a newcomer makes of an answer.
fn answered(answer: &[u8], fds: &[BorrowedFd<'_>]) -> Result<Consumer> {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    // Said before it is asked for: the newcomer hears it all the same.
    say(&ours, answer, fds);
    options().max_receive_bytes(1 << 16).consume_over(theirs)
}

#[test]
fn an_answer_that_is_not_a_makers_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let honest = Liar::of(&queue);
    let (memory, mailbox) = (honest.fds[0].as_fd(), honest.fds[1].as_fd());
    assert_eq!((honest.answer.len(), honest.fds.len()), (20, 2));
    let kind = |answer: &[u8], fds: &[BorrowedFd<'_>]| match answered(answer, fds) {
        Ok(_) => panic!("{answer:?} is believed"),
        Err(error) => error.kind(),
    };
    let changed = |at: usize, value: u8| {
        let mut answer = honest.answer.clone();
        answer[at] = value;
        answer
    };
    let fds = [memory, mailbox];
    assert_eq!(kind(&changed(0, b'I'), &fds), ErrorKind::Corrupt);
    assert_eq!(kind(&changed(8, 2), &fds), ErrorKind::Unsupported);
    assert_eq!(kind(&changed(15, 1), &fds), ErrorKind::Corrupt);
    assert_eq!(kind(&changed(16, 64), &fds), ErrorKind::Corrupt);
    assert_eq!(kind(&honest.answer[..19], &fds), ErrorKind::Corrupt);
    assert_eq!(kind(&honest.answer, &[memory]), ErrorKind::Corrupt);
    let two = kind(&honest.answer, &[memory, memory]);
    assert_eq!(two, ErrorKind::Corrupt);
    let swapped = kind(&honest.answer, &[mailbox, mailbox]);
    assert_eq!(swapped, ErrorKind::WrongType);
    let unsealed = rustix::fs::memfd_create("m", rustix::fs::MemfdFlags::ALLOW_SEALING);
    let unsealed = std::fs::File::from(unsealed.expect("a memfd"));
    unsealed.set_len(1 << 16).expect("sized");
    let cut_short = kind(&honest.answer, &[unsealed.as_fd(), mailbox]);
    assert_eq!(cut_short, ErrorKind::Denied);
    let large = options().capacity_bytes(1 << 22).queue().expect("memory");
    let large = Liar::of(&large);
    let too_large = kind(&large.answer, &[large.fds[0].as_fd(), mailbox]);
    assert_eq!(too_large, ErrorKind::TooLarge);
}

#[test]
fn every_flip_in_the_shape_is_refused() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let honest = Liar::of(&queue);
    let memory = honest.memory();
    let fds = [honest.fds[0].as_fd(), honest.fds[1].as_fd()];
    let shape = memory.atomic_u64(0).expect("inside");
    let real = shape.load(SeqCst);
    for first in 0..64 {
        for second in first..64 {
            shape.store(
                real ^ 1 << first ^ if second > first { 1 << second } else { 0 },
                SeqCst,
            );
            let error = answered(&honest.answer, &fds).expect_err("it is another's");
            assert_eq!(
                error.kind(),
                ErrorKind::Corrupt,
                "bits {first} and {second}"
            );
        }
    }
    shape.store(real, SeqCst);
    assert!(answered(&honest.answer, &fds).is_ok());
}

#[test]
fn whatever_a_member_writes_is_a_message_or_an_error() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = random();
    let (mut messages, mut errors) = (0, 0);
    for _ in 0..40 {
        let queue = options().queue().expect("memory");
        let liar = Liar::of(&queue);
        let memory = liar.memory();
        let (producer, consumer) = ends(&queue);
        let mut buffer = Vec::new();
        for round in 0..500 {
            let at = match random() % 4 {
                0 => random() as usize % (memory.len_bytes() / 8) * 8,
                1 => (random() % 97) as usize * 8,
                // The word of a slot, or the length behind it.
                _ => AT_SLOTS + random() as usize % SLOTS * SLOT + (random() % 2) as usize * 8,
            };
            // Numbers that are nearly right do more harm than noise.
            let value = match random() % 5 {
                0 => random(),
                1 => ((random() % 600) << 2) | (random() % 4),
                2 => random() % 300,
                3 => (random() % 8) << 40 | (random() % 600) << 2 | 2,
                _ => 1 << (random() % 64),
            };
            memory.atomic_u64(at).expect("inside").store(value, Relaxed);
            let _ = known(producer.try_send(&message(0, round)));
            match known(consumer.try_recv_vec(&mut buffer)) {
                Some(()) => {
                    assert!(buffer.len() <= consumer.max_message_bytes());
                    messages += 1;
                }
                None => errors += 1,
            }
        }
        // Even now a newcomer is taken in or refused, and each leaves.
        let _ = known(queue.consumer());
    }
    assert!(messages > 0 && errors > 0, "{messages}, {errors}");
}

#[test]
fn a_member_that_scribbles_all_the_time_harms_nobody() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let liar = Liar::of(&queue);
    let memory = liar.memory();
    let (producer, consumer) = ends(&queue);
    let over = AtomicBool::new(false);
    let short = Duration::from_millis(1);
    std::thread::scope(|scope| {
        let scribbling = scope.spawn(|| {
            let (mut random, mut writes) = (random(), 0_u64);
            while !over.load(SeqCst) || writes < 1_000_000 {
                for _ in 0..1_000 {
                    let at = random() as usize % (memory.len_bytes() / 8) * 8;
                    let value = match random() % 3 {
                        0 => random(),
                        1 => ((random() % 600) << 2) | (random() % 4),
                        _ => random() % 300,
                    };
                    memory.atomic_u64(at).expect("inside").store(value, Relaxed);
                    writes += 1;
                }
            }
            writes
        });
        let sending = scope.spawn(|| {
            for number in 0..20_000 {
                let _ = match number % 100 {
                    0 => known(producer.send_timeout(&message(0, number), short)),
                    _ => known(producer.try_send(&message(0, number))),
                };
            }
        });
        let mut buffer = Vec::new();
        for number in 0..20_000 {
            let _ = match number % 100 {
                0 => known(consumer.recv_vec_timeout(&mut buffer, short)),
                _ => known(consumer.try_recv_vec(&mut buffer)),
            };
            assert!(buffer.len() <= consumer.max_message_bytes());
        }
        sending.join().expect("no panic");
        over.store(true, SeqCst);
        assert!(scribbling.join().expect("no panic") >= 1_000_000);
    });
}

#[test]
fn memory_that_a_member_has_punched_is_corrupt() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let liar = Liar::of(&queue);
    let (producer, consumer) = ends(&queue);
    let mut buffer = Vec::new();
    for number in 0..3 {
        producer.send(&message(0, number)).expect("room");
        consumer.recv_vec(&mut buffer).expect("a message");
    }
    producer.send(&message(0, 3)).expect("room");
    let len = std::fs::File::from(liar.fds[0].try_clone().expect("a copy"));
    let len = len.metadata().expect("a size").len();
    let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
    let slots = 4096 + AT_SLOTS as u64;
    let punched = rustix::fs::fallocate(&liar.fds[0], flags, slots, len - slots);
    punched.expect("nothing forbids it");
    let error = consumer.recv_vec(&mut buffer).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = producer.send(b"message").expect_err("no slot is there");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_member_that_rings_all_the_time_takes_no_deadline_from_others() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let (producer, consumer) = ends(&queue);
    let liar = Liar::of(&queue);
    let mailbox = SeqPacket::from(liar.fds[1].try_clone().expect("a copy"));
    // Those of both.
    let ropes = [(); 2].map(|()| hear(&mailbox).1);
    for rope in ropes.into_iter().flatten() {
        ring_often(&rope);
        let late = consumer.recv_timeout(&mut [0; 8], Duration::from_micros(1));
        assert_eq!(late.expect_err("nothing").kind(), ErrorKind::TimedOut);
        assert!(rustix::io::ioctl_fionread(&rope).expect("a pipe") > 0);
    }
    drop(producer);
}
