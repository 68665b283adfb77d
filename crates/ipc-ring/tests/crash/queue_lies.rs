//! F3 for a queue: before any instruction of a receive or a send, a member that lies writes a bad
//! number into a word of the memory.

use crate::queues::{message, options};
use ipc_ring::{Consumer, ErrorKind, Producer, Queue, Result};
use ipc_shm::Region;
use ipc_testkit::crash::{Lab, Tally, single_step};
use ipc_testkit::shared_words;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;

/// Where the first slot stands, and its next.
const SLOT: usize = 4864;
const SLOT_BYTES: usize = 256;
/// Every word that a receive or a send reads, but for the message.
const FIELDS: [usize; 13] = [
    64,
    128,
    136,
    256,
    264,
    384,
    512,
    640,
    768,
    SLOT,
    SLOT + 8,
    SLOT + SLOT_BYTES,
    SLOT + SLOT_BYTES + 8,
];
/// Numbers that are wrong in most places, and one that is nearly right in some.
const NUMBERS: [u64; 9] = [
    0,
    1,
    16,
    17,
    1 << 31,
    u32::MAX as u64,
    1 << 63,
    u64::MAX,
    (3 << 40) | (16 << 2) | 2,
];

type Part<'a> = &'a dyn Fn(&Scene);

/// A queue, its two ends, and its memory as one that lies has it.
struct Scene {
    queue: Queue,
    producer: Producer,
    consumer: Consumer,
    memory: Region,
    _liar: (ipc_uds::SeqPacket, OwnedFd),
}

fn scene() -> Scene {
    let queue = options().queue().expect("memory");
    let (producer, consumer) = (queue.producer(), queue.consumer());
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let (bell, rope) = rustix::pipe::pipe().expect("a pipe");
    let said = ours.send_with_fds(b"ipc-many\x01\0\0\0\0", &[rope.as_fd()]);
    said.expect("sent");
    queue.add(theirs).expect("it believes us");
    let (mut answer, mut ancillary) = ([0; 64], ipc_uds::Ancillary::new());
    let heard = ours.recv_with_fds(&mut answer, &mut ancillary);
    heard.expect("an answer");
    let memory = ancillary.take_fds().next().expect("the memory");
    let attached = ipc_shm::Options::new().any_word(true).attach(memory);
    let scene = Scene {
        queue,
        producer: producer.expect("a seat"),
        consumer: consumer.expect("a seat"),
        memory: attached.expect("its memory"),
        _liar: (ours, bell),
    };
    scene.producer.send(&message(0, 0)).expect("room");
    scene
}

/// What came of it, as a number: 1 is a message or its acceptance, 2 an error that may be.
fn outcome<T>(of: Result<T>) -> u64 {
    match of.map_err(|error| error.kind()) {
        Ok(_) => 1,
        Err(
            ErrorKind::Corrupt | ErrorKind::WouldBlock | ErrorKind::Closed | ErrorKind::PeerDied,
        ) => 2,
        Err(_) => 3,
    }
}

pub(crate) fn before_each_instruction(lab: &mut Lab) {
    let seen = &shared_words(1)[0];
    let receive = |scene: &Scene| {
        let mut buffer = Vec::new();
        let received = scene.consumer.try_recv_vec(&mut buffer);
        let fits = buffer.len() <= scene.consumer.max_message_bytes();
        seen.store(if fits { outcome(received) } else { 4 }, SeqCst);
    };
    let send = |scene: &Scene| {
        let sent = scene.producer.try_send(&message(0, 1));
        seen.store(outcome(sent), SeqCst);
    };
    let parts: [(&str, Part<'_>); 2] = [("receive", &receive), ("send", &send)];
    for (name, part) in parts {
        let what = format!("queue: a lie before an instruction of a {name}");
        let mut tally = Tally::new("F3", what);
        let honest = scene();
        let steps = match single_step(|| part(&honest), |_| true) {
            Ok(steps) => steps,
            Err(reason) => {
                tally.skip(reason);
                return lab.enter(tally);
            }
        };
        tally.note(format!("{steps} instructions"));
        for _ in 0..lab.count(15, 5_000, 50_000) {
            let scene = scene();
            let at = 1 + lab.below(steps);
            let field = FIELDS[lab.below(FIELDS.len() as u64) as usize];
            let number = match lab.below(NUMBERS.len() as u64 + 1) as usize {
                random if random == NUMBERS.len() => lab.below(u64::MAX),
                known => NUMBERS[known],
            };
            seen.store(0, SeqCst);
            let lie = |step| {
                if step == at {
                    let word = scene.memory.atomic_u64(field).expect("inside");
                    word.store(number, SeqCst);
                }
                true
            };
            let ran = single_step(|| part(&scene), lie).map(drop);
            tally.trial(ran.and_then(|()| match seen.load(SeqCst) {
                1 | 2 => Ok(()),
                seen => Err(format!("{number:#x} at {field}, step {at}: {seen}")),
            }));
            // Whoever comes now is taken in, or told why not.
            let _ = scene.queue.members();
        }
        lab.enter(tally);
    }
}
