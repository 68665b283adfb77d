//! R2 for a queue: a producer or a consumer is killed at a random time; the others go on.

use crate::deaths::{CLOSED, DIED, LIMIT, NOT_MET, OTHER};
use crate::queue_steps::is_whole;
use ipc_ring::{Consumer, ErrorKind, Options, Producer, Queue};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::shared_words;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

/// Whether producers are to come to their end.
const STOP: usize = 0;
/// How far each of two producers came.
const SENT: usize = 1;
/// How each of two consumers ended, and whether something came that was none of the messages.
const END: usize = 3;
const GARBLED: usize = 5;
const TOTAL: usize = 6;
/// How often each message of each producer came.
const CAME: usize = 8;
/// Messages of one producer at most.
const MOST: u64 = 1 << 14;
const WORDS: usize = CAME + 2 * MOST as usize;
/// Messages that a survivor sends in any case: more than there are slots.
const LEAST: u64 = 40;

/// Small, so that each side has to wait for the other.
pub(crate) fn options() -> Options {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(16 * 240);
    // On a busy host a newcomer may not have its turn for long.
    options.meet_timeout(6 * LIMIT);
    options
}

/// Message `number` of a producer, each byte of it known.
pub(crate) fn message(who: usize, number: u64) -> Vec<u8> {
    let mut bytes = vec![(number ^ who as u64) as u8; 16 + (number % 200) as usize];
    bytes[..8].copy_from_slice(&(who as u64).to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// A copy of this process that becomes a member, which the queue takes in meanwhile.
pub(crate) fn member(queue: &Queue, part: impl FnOnce(ipc_uds::SeqPacket)) -> Forked {
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut theirs = Some(theirs);
    let copy = Forked::new(|| part(theirs.take().expect("its own")));
    drop(theirs);
    queue.add(ours).expect("it comes");
    copy
}

fn send(producer: &Producer, who: usize, words: &[AtomicU64]) {
    for number in 0..MOST {
        if words[STOP].load(SeqCst) == 1 && number >= LEAST {
            return;
        }
        let sent = producer.send_timeout(&message(who, number), LIMIT);
        sent.expect("a consumer lives");
        words[SENT + who].store(number + 1, SeqCst);
    }
    while words[STOP].load(SeqCst) == 0 {
        std::thread::yield_now();
    }
}

fn receive(consumer: &Consumer, which: usize, words: &[AtomicU64]) {
    let (mut buffer, mut next) = (Vec::new(), [0; 2]);
    let end = loop {
        match consumer.recv_vec_timeout(&mut buffer, LIMIT) {
            Ok(()) => enter(&buffer, &mut next, words),
            Err(error) => break number_of(error.kind()),
        }
    };
    words[END + which].store(end, SeqCst);
}

/// Writes down what came, which is one of the messages, and none before the last of its producer.
fn enter(bytes: &[u8], next: &mut [u64; 2], words: &[AtomicU64]) {
    let word = |at: usize| {
        bytes
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok())
    };
    let (who, number) = (
        word(0).map(u64::from_le_bytes),
        word(8).map(u64::from_le_bytes),
    );
    match (who, number) {
        (Some(who @ 0..2), Some(number @ 0..MOST)) => {
            let who = who as usize;
            if bytes != message(who, number) || number < next[who] {
                words[GARBLED].store(1, SeqCst);
            }
            next[who] = number + 1;
            words[CAME + who * MOST as usize + number as usize].fetch_add(1, SeqCst);
            words[TOTAL].fetch_add(1, SeqCst);
        }
        _ => words[GARBLED].store(1, SeqCst),
    }
}

pub(crate) fn number_of(kind: ErrorKind) -> u64 {
    match kind {
        ErrorKind::PeerDied => DIED,
        ErrorKind::Closed => CLOSED,
        ErrorKind::WouldBlock => NOT_MET,
        _ => OTHER,
    }
}

/// What is wrong with what came, where of the first producer's messages one more than it has
/// counted may have come, and of all `lost` may be in a dead one's hands.
fn judge(words: &[AtomicU64], uncounted: u64, lost: u64) -> Result<(), String> {
    if words[GARBLED].load(SeqCst) != 0 {
        return Err("a message is damaged, or out of order".into());
    }
    let mut missing = 0;
    for who in 0..2 {
        let sent = words[SENT + who].load(SeqCst);
        for number in 0..MOST {
            let came = words[CAME + who * MOST as usize + number as usize].load(SeqCst);
            let may_be = number == sent && who == 0 && uncounted > 0;
            match came {
                0 if number < sent => missing += 1,
                0 => {}
                1 if number < sent || may_be => {}
                _ => return Err(format!("message {number} of {who} came {came} times")),
            }
        }
    }
    match missing <= lost {
        true => Ok(()),
        false => Err(format!("{missing} messages are lost")),
    }
}

fn until_some_came(lab: &mut Lab, words: &[AtomicU64]) {
    let begun = Instant::now();
    while words[TOTAL].load(SeqCst) == 0 && begun.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    (0..lab.below(200_000)).for_each(|_| std::hint::spin_loop());
}

/// Two producers and two consumers, one of whom is killed; how long the others then took.
fn kill(lab: &mut Lab, tally: &mut Tally, words: &[AtomicU64], producer: bool) -> bool {
    words.iter().for_each(|word| word.store(0, SeqCst));
    let queue = options().queue().expect("memory");
    let mut consumers = [0, 1].map(|which| {
        Some(member(&queue, |socket| {
            let consumer = options().consume_over(socket).expect("a member");
            receive(&consumer, which, words);
        }))
    });
    let mut producers = [0, 1].map(|who| {
        Some(member(&queue, |socket| {
            let producer = options().produce_over(socket).expect("a member");
            send(&producer, who, words);
        }))
    });
    until_some_came(lab, words);
    let victim = match producer {
        true => producers[0].take(),
        false => consumers[0].take(),
    };
    let victim = victim.expect("there are two");
    victim.kill_unreaped();
    let killed = Instant::now();
    words[STOP].store(1, SeqCst);
    let others = producers.into_iter().chain(consumers).flatten();
    let finished = others.map(Forked::finished).filter(|whole| *whole).count() == 3;
    tally.time(killed.elapsed());
    finished && queue.members().ok() == Some((0, 0))
}

pub(crate) fn of_a_producer(lab: &mut Lab) {
    let words = shared_words(WORDS);
    let what = "one of two producers of a queue is killed: all that it sent comes once";
    let mut tally = Tally::new("R2", what);
    for _ in 0..lab.count(50, 10_000, 100_000) {
        let finished = kill(lab, &mut tally, words, true);
        let ends = [END, END + 1].map(|at| words[at].load(SeqCst));
        tally.trial(match finished && ends == [DIED; 2] {
            true => judge(words, 1, 0),
            false => Err(format!("finished: {finished}, ends {ends:?}")),
        });
    }
    lab.enter(tally);
}

pub(crate) fn of_a_consumer(lab: &mut Lab) {
    let words = shared_words(WORDS);
    let what =
        "one of two consumers of a queue is killed: what it has not taken comes to the other";
    let mut tally = Tally::new("R2", what);
    for _ in 0..lab.count(50, 10_000, 100_000) {
        let finished = kill(lab, &mut tally, words, false);
        let end = words[END + 1].load(SeqCst);
        tally.trial(match finished && end == CLOSED {
            true => judge(words, 0, 1),
            false => Err(format!("finished: {finished}, end {end}")),
        });
    }
    lab.enter(tally);
}

pub(crate) fn of_the_last(lab: &mut Lab) {
    let words = shared_words(WORDS);
    for (producer, what) in [
        (
            true,
            "the last producer of a queue is killed: its consumer is told",
        ),
        (
            false,
            "the last consumer of a queue is killed: its producer is told",
        ),
    ] {
        let mut tally = Tally::new("R6", what);
        for _ in 0..lab.count(50, 10_000, 100_000) {
            words.iter().for_each(|word| word.store(0, SeqCst));
            let queue = options().queue().expect("memory");
            let consumer = member(&queue, |socket| {
                let consumer = options().consume_over(socket).expect("a member");
                receive(&consumer, 0, words);
            });
            let sender = member(&queue, |socket| {
                let producer = options().produce_over(socket).expect("a member");
                let mut number = 0;
                let end = loop {
                    match producer.send_timeout(&message(0, number % MOST), LIMIT) {
                        Ok(()) => number += 1,
                        Err(error) => break number_of(error.kind()),
                    }
                };
                words[END].store(end, SeqCst);
            });
            until_some_came(lab, words);
            let (victim, survivor) = match producer {
                true => (sender, consumer),
                false => (consumer, sender),
            };
            victim.kill_unreaped();
            let killed = Instant::now();
            let finished = survivor.finished();
            tally.time(killed.elapsed());
            let end = words[END].load(SeqCst);
            tally.trial(match finished && end == DIED {
                true => Ok(()),
                false => Err(format!("finished: {finished}, end {end}")),
            });
        }
        lab.enter(tally);
    }
}

pub(crate) fn before_many(lab: &mut Lab) {
    const MANY: usize = 8;
    let words = shared_words(WORDS);
    let what = "a producer dies in the middle of a message: eight mend at once";
    let mut tally = Tally::new("R5", what);
    for _ in 0..lab.count(20, 1_000, 10_000) {
        words.iter().for_each(|word| word.store(0, SeqCst));
        let queue = options().queue().expect("memory");
        let survivors = [(); MANY].map(|()| {
            member(&queue, |socket| {
                let consumer = options().consume_over(socket).expect("a member");
                let end = loop {
                    match consumer.recv_vec_timeout(&mut Vec::new(), LIMIT) {
                        Ok(()) => words[TOTAL].fetch_add(1, SeqCst),
                        Err(error) => break number_of(error.kind()),
                    };
                };
                words[END].fetch_add(u64::from(end == DIED), SeqCst);
            })
        });
        let victim = member(&queue, |socket| {
            let producer = options().produce_over(socket).expect("a member");
            (0..5).for_each(|number| producer.send(&message(0, number)).expect("room"));
            let _slot = producer.loan(9).expect("room");
            words[SENT].store(1, SeqCst);
            loop {
                std::thread::park();
            }
        });
        while words[SENT].load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        victim.kill_unreaped();
        let killed = Instant::now();
        let finished = survivors.into_iter().map(Forked::finished);
        let finished = finished.filter(|whole| *whole).count() == MANY;
        tally.time(killed.elapsed());
        let [told, came] = [END, TOTAL].map(|at| words[at].load(SeqCst));
        let rest = queue.consumer().expect("a seat");
        let whole = is_whole(&queue, &rest);
        tally.trial(
            match finished && whole && (told, came) == (MANY as u64, 5) {
                true => Ok(()),
                false => Err(format!(
                    "{told} were told, {came} messages came, whole: {whole}"
                )),
            },
        );
    }
    lab.enter(tally);
}
