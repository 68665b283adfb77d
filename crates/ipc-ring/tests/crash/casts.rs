//! R2 for a broadcast: a reader or the writer is killed at a random time; the others go on.

use crate::deaths::{CLOSED, COUNT, DIED, END, LIMIT, MISSED, OTHER, WORDS, message};
use ipc_ring::{ErrorKind, Options, Received, Subscriber, WhenFull};
use ipc_testkit::crash::{Forked, Lab, Tally};
use ipc_testkit::shared_words;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

/// Where the writer writes down how far it came.
const SENT: usize = 2;

pub(crate) fn options(when_full: WhenFull) -> Options {
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(2048);
    options.meet_timeout(LIMIT * 6).when_full(when_full);
    options
}

/// Receives all, and writes down what came, what was missed and how it ended.
pub(crate) fn receive_all(reader: &Subscriber, words: &[AtomicU64]) {
    let mut buffer = Vec::new();
    let end = loop {
        let number = words[COUNT].load(SeqCst) + words[MISSED].load(SeqCst);
        match reader.recv_vec_timeout(&mut buffer, LIMIT) {
            Ok(Received::Message(_)) if buffer == message(number) => {
                words[COUNT].fetch_add(1, SeqCst);
            }
            Ok(Received::Missed(count)) => {
                words[MISSED].fetch_add(count, SeqCst);
            }
            Err(error) if error.kind() == ErrorKind::PeerDied => break DIED,
            Err(error) if error.kind() == ErrorKind::Closed => break CLOSED,
            _ => break OTHER,
        }
    };
    words[END].store(end, SeqCst);
}

fn reader(socket: &ipc_uds::SeqPacket) -> Subscriber {
    let socket = socket.try_clone().expect("a copy");
    let reader = options(WhenFull::Block).subscribe_over(socket);
    reader.expect("taken in")
}

fn until_some_came(lab: &mut Lab, word: &AtomicU64) {
    let begun = Instant::now();
    while word.load(SeqCst) == 0 && begun.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    (0..lab.below(100_000)).for_each(|_| std::hint::spin_loop());
}

pub(crate) fn of_a_writer(lab: &mut Lab) {
    for (when_full, what) in [
        (WhenFull::Block, "a writer that is held back is killed"),
        (WhenFull::DropOldest, "a writer that drops is killed"),
    ] {
        let words = shared_words(WORDS);
        let mut tally = Tally::new("R2", what);
        for _ in 0..lab.count(100, 10_000, 100_000) {
            words.iter().for_each(|word| word.store(0, SeqCst));
            let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
            let writer = Forked::new(|| {
                let writer = options(when_full).broadcast().expect("memory");
                let socket = ours.try_clone().expect("a copy");
                writer.add(socket).expect("it comes");
                for number in 0.. {
                    let _ = writer.send(&message(number));
                    words[SENT].store(number + 1, SeqCst);
                }
            });
            drop(ours);
            let survivor = Forked::new(|| receive_all(&reader(&theirs), words));
            until_some_came(lab, &words[COUNT]);
            writer.kill_unreaped();
            let killed = Instant::now();
            let finished = survivor.finished();
            tally.time(killed.elapsed());
            let [came, end, sent, missed] =
                [COUNT, END, SENT, MISSED].map(|at| words[at].load(SeqCst));
            let all = came + missed;
            // One more may have been committed than the dead one has counted.
            let whole = (sent..=sent + 1).contains(&all)
                && (missed == 0 || when_full == WhenFull::DropOldest);
            tally.trial(match finished && end == DIED && whole {
                true => Ok(()),
                false => Err(format!("{came} came, {missed} missed of {sent}, end {end}")),
            });
        }
        lab.enter(tally);
    }
}

pub(crate) fn of_a_reader(lab: &mut Lab) {
    let words = shared_words(WORDS);
    let mut tally = Tally::new("R2", "one of two readers is killed: the writer goes on");
    for _ in 0..lab.count(100, 10_000, 100_000) {
        words.iter().for_each(|word| word.store(0, SeqCst));
        // A copy has no other's socket, in which the rope of one killed early would wait.
        let mut sockets = Vec::new();
        let [victim, survivor] = [true, false].map(|doomed| {
            let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
            sockets.push(ours);
            Forked::new(|| {
                let reader = reader(&theirs);
                match doomed {
                    true => while reader.recv_vec(&mut Vec::new()).is_ok() {},
                    false => receive_all(&reader, words),
                }
            })
        });
        let writer = options(WhenFull::Block).broadcast().expect("memory");
        for socket in sockets {
            writer.add(socket).expect("it comes");
        }
        let send = |number| writer.send_timeout(&message(number), LIMIT);
        let mut sent = 0;
        let mut trial = Ok(());
        let wanted = 200 + lab.below(200);
        let fatal = lab.below(wanted);
        while sent < wanted && trial.is_ok() {
            if sent == fatal {
                victim.kill_unreaped();
                let killed = Instant::now();
                // With it, a whole ring and one more can be sent.
                for _ in 0..17 {
                    trial = trial.and(send(sent).map_err(|error| error.to_string()));
                    sent += 1;
                }
                tally.time(killed.elapsed());
            } else {
                trial = send(sent).map_err(|error| error.to_string());
                sent += 1;
            }
        }
        if trial.is_ok() && writer.readers().ok() != Some(1) {
            trial = Err("the dead one is counted".into());
        }
        drop(writer);
        let finished = survivor.finished();
        let [came, end] = [COUNT, END].map(|at| words[at].load(SeqCst));
        tally.trial(trial.and(match finished && came == sent && end == CLOSED {
            true => Ok(()),
            false => Err(format!("{came} came of {sent}, end {end}")),
        }));
    }
    lab.enter(tally);
}
