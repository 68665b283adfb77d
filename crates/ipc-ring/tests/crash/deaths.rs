//! R2: one side is killed at a random time; the other has what was committed, and is told.

use ipc_ring::{Channel, ErrorKind, Options, Result};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::shared_words;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// A guard against hanging.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Where the survivor writes down what it saw.
pub(crate) const COUNT: usize = 0;
pub(crate) const END: usize = 1;
/// Where the other writes down how far it came.
const SENT: usize = 2;
/// How many messages it was told it had missed.
pub(crate) const MISSED: usize = 3;
pub(crate) const WORDS: usize = 4;

/// What an end was, as a number in a word.
pub(crate) const DIED: u64 = 1;
pub(crate) const CLOSED: u64 = 2;
pub(crate) const NOT_MET: u64 = 3;
pub(crate) const OTHER: u64 = 4;
pub(crate) const GARBLED: u64 = 5;

/// Small, so that each side has to wait for the other.
pub(crate) fn options() -> Options {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(2048);
    // A busy host may take its time to set a scene.
    options.meet_timeout(Duration::from_secs(60));
    options
}

/// Message `number`: in a slot or beside, and each byte of it known.
pub(crate) fn message(number: u64) -> Vec<u8> {
    let mut bytes = vec![number as u8; 8 + (number % 200) as usize];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// Receives all messages, of which each has the number of the one before and `step` more.
pub(crate) fn receive_all(channel: Result<Channel>, step: u64, words: &[AtomicU64]) {
    let mut buffer = Vec::new();
    let end = match channel {
        Err(_) => NOT_MET,
        Ok(channel) => loop {
            match channel.receiver().recv_vec_timeout(&mut buffer, LIMIT) {
                Ok(()) if buffer == message(words[COUNT].load(SeqCst) * step) => {
                    words[COUNT].fetch_add(1, SeqCst);
                }
                Ok(()) => break GARBLED,
                Err(error) => break number_of(error.kind()),
            }
        },
    };
    words[END].store(end, SeqCst);
}

/// Sends until it is told of the end.
pub(crate) fn send_all(channel: Result<Channel>, words: &[AtomicU64]) {
    let end = match channel {
        Err(_) => NOT_MET,
        Ok(channel) => loop {
            let number = words[COUNT].fetch_add(1, SeqCst);
            if let Err(error) = channel.sender().send_timeout(&message(number), LIMIT) {
                break number_of(error.kind());
            }
        },
    };
    words[END].store(end, SeqCst);
}

fn number_of(kind: ErrorKind) -> u64 {
    match kind {
        ErrorKind::PeerDied => DIED,
        ErrorKind::Closed => CLOSED,
        _ => OTHER,
    }
}

/// Kills who plays `part` at one end at a random time, while another survives at the other end.
fn kill_one(
    lab: &mut Lab,
    tally: &mut Tally,
    words: &[AtomicU64],
    part: impl Fn(Channel),
    survivor: impl Fn(Result<Channel>),
) -> std::result::Result<(), String> {
    words.iter().for_each(|word| word.store(0, SeqCst));
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let copy = |socket: &ipc_uds::SeqPacket| socket.try_clone().expect("a copy");
    let victim = Forked::new(|| part(options().over(copy(&theirs)).expect("met")));
    // With ours, its copy of the socket is the last but its own.
    drop(theirs);
    let survivor = Forked::new(|| survivor(options().over(copy(&ours))));
    let begun = Instant::now();
    while words[COUNT].load(SeqCst) == 0 && begun.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    (0..lab.below(100_000)).for_each(|_| std::hint::spin_loop());
    victim.kill_unreaped();
    let killed = Instant::now();
    let finished = survivor.finished();
    tally.time(killed.elapsed());
    match finished {
        true => Ok(()),
        false => Err("the survivor failed".into()),
    }
}

pub(crate) fn of_a_sender(lab: &mut Lab) {
    let words = shared_words(WORDS);
    let mut tally = Tally::new("R2", "a sender is killed: all that it sent is received");
    for _ in 0..lab.count(200, 10_000, 100_000) {
        let send = |channel: Channel| {
            for number in 0.. {
                let _ = channel.sender().send(&message(number));
                words[SENT].store(number + 1, SeqCst);
            }
        };
        let receive = |channel| receive_all(channel, 1, words);
        let killed = kill_one(lab, &mut tally, words, send, receive);
        let [received, end, sent] = [COUNT, END, SENT].map(|at| words[at].load(SeqCst));
        // One more may have been committed than the dead one has counted.
        tally.trial(killed.and_then(|()| match end {
            DIED if received == sent || received == sent + 1 => Ok(()),
            end => Err(format!("{received} of {sent} messages, then end {end}")),
        }));
    }
    lab.enter(tally);
}

pub(crate) fn of_a_receiver(lab: &mut Lab) {
    let words = shared_words(WORDS);
    let mut tally = Tally::new("R2", "a receiver is killed: its sender is told");
    for _ in 0..lab.count(200, 10_000, 100_000) {
        let receive = |channel: Channel| {
            let mut buffer = Vec::new();
            while channel.receiver().recv_vec(&mut buffer).is_ok() {}
        };
        let send = |channel| send_all(channel, words);
        let killed = kill_one(lab, &mut tally, words, receive, send);
        let end = words[END].load(SeqCst);
        tally.trial(killed.and_then(|()| match end {
            DIED => Ok(()),
            end => Err(format!("it is told end {end}")),
        }));
    }
    lab.enter(tally);
}
