//! F3, F4 and F5: a peer's memory changes before any instruction, all the time, by any one or two
//! bits. The worst that comes of it is an error.

use crate::liar::{with_liar, with_lying_writer};
use ipc_ring::{Ack, Batch, Channel, ErrorKind, Result, Subscriber};
use ipc_shm::Region;
use ipc_testkit::crash::{Forked, Lab, Steps, Tally};
use ipc_testkit::shared_words;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Where a peer's words stand: what it says of itself, how far it is, and its first slots.
const FIELDS: [usize; 12] = [0, 8, 16, 24, 64, 72, 128, 136, 144, 256, 264, 384];

/// One end, whose peer lies, and the peer's memory: its sending part, its receiving one.
enum Lied {
    #[allow(dead_code, reason = "the last is rung, and never heard")]
    Channel(Box<Channel>, [Region; 2], OwnedFd),
    Subscriber(Box<Subscriber>, [Region; 1]),
}

impl Lied {
    fn memory(&self) -> &[Region] {
        match self {
            Self::Channel(_, memory, _) => memory,
            Self::Subscriber(_, memory) => memory,
        }
    }
}

/// Whether an outcome is one that a lie may have.
fn bearable<T>(outcome: Result<T>) {
    if let Err(error) = outcome {
        let known = [
            ErrorKind::WouldBlock,
            ErrorKind::Corrupt,
            ErrorKind::Closed,
            ErrorKind::PeerDied,
            ErrorKind::Full,
            ErrorKind::TooLarge,
        ];
        assert!(known.contains(&error.kind()), "{error}");
    }
}

type Operation = fn(&Lied);

const OPERATIONS: [(&str, Operation); 6] = [
    ("recv", |lied| {
        let mut buffer = Vec::new();
        match lied {
            Lied::Channel(channel, ..) => {
                bearable(channel.receiver().try_recv_vec(&mut buffer));
                bearable(channel.receiver().try_recv_vec(&mut buffer));
            }
            Lied::Subscriber(reader, _) => {
                bearable(reader.try_recv_vec(&mut buffer));
                bearable(reader.try_recv_vec(&mut buffer));
            }
        }
        assert!(buffer.len() <= 4096);
    }),
    ("recv into a buffer", |lied| match lied {
        Lied::Channel(channel, ..) => bearable(channel.receiver().try_recv(&mut [0; 64])),
        Lied::Subscriber(reader, _) => bearable(reader.try_recv(&mut [0; 64])),
    }),
    ("recv_loan", |lied| {
        if let Lied::Channel(channel, ..) = lied {
            bearable(channel.receiver().try_recv_loan().and_then(|lent| {
                let mut buffer = vec![0; lent.len()];
                lent.read_at(0, &mut buffer)
            }));
        }
    }),
    ("recv_batch", |lied| {
        if let Lied::Channel(channel, ..) = lied {
            bearable(channel.receiver().try_recv_batch(&mut Batch::new(), 4));
        }
    }),
    ("send", |lied| {
        if let Lied::Channel(channel, ..) = lied {
            (0..5).for_each(|_| bearable(channel.sender().try_send(&[7; 130])));
        }
    }),
    ("send_acked", |lied| {
        if let Lied::Channel(channel, ..) = lied {
            bearable(channel.sender().try_send_acked(&[7; 8], Ack::Taken));
            bearable(channel.sender().try_send_acked(&[7; 8], Ack::Done));
        }
    }),
];

fn lied_to() -> [Lied; 2] {
    let (channel, memory, bell) = with_liar();
    let (reader, sent) = with_lying_writer(0);
    let both = [
        Lied::Channel(Box::new(channel), memory, bell),
        Lied::Subscriber(Box::new(reader.expect("it believes us")), [sent]),
    ];
    // A thread that was waited for may still be on its way out, and who forks is one.
    let threads = || std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    while threads() > 1 {
        std::thread::yield_now();
    }
    both
}

/// Two messages lie ready, one in its slot and one beside; the receiver has taken two of ours.
fn honest(memory: &[Region]) {
    for region in memory {
        let words = region.len_bytes() / 8;
        (0..words.min(160)).for_each(|word| put(region, word * 8, 0));
    }
    put(&memory[0], 128, (1 << 32) | 16);
    put(&memory[0], 256, (2 << 32) | 200);
}

fn put(region: &Region, at: usize, value: u64) {
    if at + 8 <= region.len_bytes() {
        region.atomic_u64(at).expect("ours").store(value, SeqCst);
    }
}

pub(crate) fn before_each_instruction(lab: &mut Lab) {
    let both = lied_to();
    for (what, operation) in OPERATIONS {
        let mut tally = Tally::new(
            "F3",
            format!("{what}: a word changes before any instruction"),
        );
        for lied in &both {
            if matches!(lied, Lied::Subscriber(..)) && !what.starts_with("recv") {
                continue;
            }
            honest(lied.memory());
            let operation = || operation(lied);
            let steps = match Steps::of(&operation, |_| true) {
                Ok(steps) => steps,
                Err(reason) => {
                    tally.skip(reason);
                    break;
                }
            };
            let (count, mut elsewhere) = (lab.count(60, 20_000, 200_000), 0);
            for _ in 0..count {
                honest(lied.memory());
                let values = [
                    0,
                    1,
                    4,
                    5,
                    256,
                    257,
                    1 << 31,
                    u64::from(u32::MAX),
                    1 << 63,
                    (1 << 32) | lab.below(1 << 32),
                    (2 << 32) | lab.below(600),
                    lab.below(u64::MAX),
                ];
                let value = values[lab.below(12) as usize];
                let at = FIELDS[lab.below(12) as usize];
                let region = &lied.memory()[lab.below(lied.memory().len() as u64) as usize];
                let when = 1 + lab.below(steps.count());
                let lie = || put(region, at, value);
                match steps.interrupt(&operation, when, lie) {
                    Ok(true) => tally.trial(Ok(())),
                    Ok(false) => elsewhere += 1,
                    Err(error) => {
                        tally.trial(Err(format!("{value:#x} at {at} before {when}: {error}")));
                    }
                }
            }
            // The allocator's part of the way is not the same each time.
            tally.trial(match elsewhere * 4 <= count {
                true => Ok(()),
                false => Err(format!("{elsewhere} of {count} did not come to the step")),
            });
        }
        lab.enter(tally);
    }
}

pub(crate) fn all_the_time(lab: &mut Lab) {
    let wanted = lab.count(1_000_000, 1_000_000_000, 10_000_000_000);
    let count = &shared_words(1)[0];
    for lied in &lied_to() {
        let end = match lied {
            Lied::Channel(..) => "a channel",
            Lied::Subscriber(..) => "a subscriber",
        };
        let mut tally = Tally::new(
            "F4",
            format!("{wanted} writes into the memory of {end}'s peer"),
        );
        count.store(0, SeqCst);
        let seed = lab.below(u64::MAX) | 1;
        let scribbler = Forked::new(|| {
            let mut state = seed;
            while count.load(Relaxed) < wanted {
                for _ in 0..10_000 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    let memory = lied.memory();
                    let region = &memory[(state >> 60) as usize % memory.len()];
                    let at = (state >> 20) as usize % (region.len_bytes().min(1024) / 8) * 8;
                    let value = match state >> 58 & 3 {
                        0 => state,
                        1 => state % 64,
                        _ => (state % 40) << 32 | state >> 40 & 0xff,
                    };
                    region.atomic_u64(at).expect("ours").store(value, Relaxed);
                }
                count.fetch_add(10_000, Relaxed);
            }
        });
        let mut turns = 0_u64;
        while count.load(Relaxed) < wanted {
            for (_, operation) in OPERATIONS {
                operation(lied);
            }
            turns += 1;
        }
        tally.trial(match scribbler.finished() && turns > 0 {
            true => Ok(()),
            false => Err("the writer failed".into()),
        });
        tally.note(format!("{turns} turns of {} operations", OPERATIONS.len()));
        lab.enter(tally);
    }
}

/// What stands before the slots, and the first of them.
const HEAD_BYTES: usize = 128 + 64;

pub(crate) fn each_flip(lab: &mut Lab) {
    let both = lied_to();
    for (lied, end) in both.iter().zip(["a channel", "a subscriber"]) {
        let mut tally = Tally::new("F5", format!("1 and 2 bits of the head of {end}'s peer"));
        for (at, region) in lied.memory().iter().enumerate() {
            let bits = HEAD_BYTES.min(region.len_bytes()) * 8;
            let stride = lab.count(211, 1, 1) as usize;
            let flips = shared_words(1);
            flips[0].store(0, SeqCst);
            // What panics or crashes does so in a copy.
            let copy = Forked::new(|| {
                let flip = |bit: usize| {
                    let word = region.atomic_u64(bit / 64 * 8).expect("ours");
                    word.fetch_xor(1 << (bit % 64), SeqCst);
                };
                for first in 0..bits {
                    for second in (first..bits).step_by(stride) {
                        honest(lied.memory());
                        flip(first);
                        if second != first {
                            flip(second);
                        }
                        for (_, operation) in OPERATIONS {
                            operation(lied);
                        }
                        flips[0].fetch_add(1, SeqCst);
                    }
                }
            });
            let finished = copy.finished();
            let count = flips[0].load(SeqCst);
            match finished && count > 0 {
                true => (0..count).for_each(|_| tally.trial(Ok(()))),
                false => tally.trial(Err(format!("after {count} flips of region {at}"))),
            }
        }
        lab.enter(tally);
    }
}
