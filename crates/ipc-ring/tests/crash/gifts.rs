//! R1: who gives its end away is killed at each instruction of it, and so is who takes it. The
//! other side of the channel is told of the death, or goes on with who has the end.

use crate::deaths::{
    CLOSED, COUNT, DIED, END, NOT_MET, WORDS, message, options, receive_all, send_all,
};
use ipc_ring::Options;
use ipc_testkit::crash::{Forked, Lab, Steps, Tally};
use ipc_testkit::shared_words;
use ipc_uds::SeqPacket;
use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// Between the numbers of two messages: one stands in a slot, two beside.
const STEP: u64 = 157;
/// Where who takes the end says that it has it.
const TAKEN: usize = 3;

pub(crate) fn movable() -> Options {
    let mut options = options();
    options.movable(true);
    options
}

fn copy(socket: &SeqPacket) -> SeqPacket {
    socket.try_clone().expect("a copy")
}

/// Meets the other side, uses an end and gives it away.
fn give_a_sender(other: SeqPacket, taker: &SeqPacket) {
    let Ok(channel) = movable().over(other) else {
        return;
    };
    let (sender, _receiver) = channel.split();
    if sender.send(&message(0)).is_ok() {
        let _ = sender.give(taker);
    }
}

fn take_a_sender(giver: &SeqPacket, words: &[AtomicU64]) {
    let Ok(sender) = movable().take_sender(giver) else {
        return;
    };
    words[TAKEN].store(1, SeqCst);
    for number in 1..3 {
        let _ = sender.send(&message(number * STEP));
    }
}

fn give_a_receiver(other: SeqPacket, taker: &SeqPacket) {
    let Ok(channel) = movable().over(other) else {
        return;
    };
    let (_sender, receiver) = channel.split();
    if receiver.recv_vec(&mut Vec::new()).is_ok() {
        let _ = receiver.give(taker);
    }
}

fn take_a_receiver(giver: &SeqPacket, words: &[AtomicU64]) {
    let Ok(receiver) = movable().take_receiver(giver) else {
        return;
    };
    words[TAKEN].store(1, SeqCst);
    for _ in 1..3 {
        let _ = receiver.recv_vec(&mut Vec::new());
    }
}

type Give = fn(SeqPacket, &SeqPacket);
type Take = fn(&SeqPacket, &[AtomicU64]);
type Other = fn(SeqPacket, &[AtomicU64]);

pub(crate) fn of_a_sender(lab: &mut Lab) {
    each(
        lab,
        "a sender",
        give_a_sender,
        take_a_sender,
        |socket, words| {
            receive_all(movable().over(socket), STEP, words);
        },
    );
}

pub(crate) fn of_a_receiver(lab: &mut Lab) {
    each(
        lab,
        "a receiver",
        give_a_receiver,
        take_a_receiver,
        |socket, words| {
            send_all(movable().over(socket), words);
        },
    );
}

fn each(lab: &mut Lab, what: &str, give: Give, take: Take, other: Other) {
    let words = shared_words(WORDS);
    for giver_dies in [true, false] {
        let who = if giver_dies { "given" } else { "taken" };
        let mut tally = Tally::new("R1", format!("{what} is {who}, and its process killed"));
        // The victim's sockets, both ours until the scene is over.
        let sockets: RefCell<Vec<SeqPacket>> = RefCell::default();
        let begin = || {
            words.iter().for_each(|word| word.store(0, SeqCst));
            let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
            let (given, taken) = ipc_uds::pair_seqpacket().expect("a pair");
            let mut all = Some((ours, theirs, given, taken));
            let mut started = Vec::new();
            started.push(Forked::new(|| {
                let (_, theirs, ..) = all.take().expect("once");
                other(theirs, words);
            }));
            started.push(Forked::new(|| {
                let (ours, _, given, taken) = all.take().expect("once");
                if giver_dies {
                    drop((ours, given));
                    take(&taken, words);
                } else {
                    drop(taken);
                    give(ours, &given);
                }
            }));
            let (ours, _, given, taken) = all.take().expect("once");
            *sockets.borrow_mut() = match giver_dies {
                true => vec![ours, given],
                false => vec![taken],
            };
            started
        };
        let operation = || {
            let sockets = sockets.borrow();
            match giver_dies {
                true => give(copy(&sockets[0]), &sockets[1]),
                false => take(&sockets[0], words),
            }
        };
        let end = |started: Vec<Forked>| {
            sockets.borrow_mut().clear();
            let finished = started.into_iter().map(Forked::finished);
            let finished = finished.filter(|finished| *finished).count();
            let [count, end, taken] = [COUNT, END, TAKEN].map(|at| words[at].load(SeqCst));
            let right = match end {
                NOT_MET => giver_dies && taken == 0,
                // Of who gives it away the death is none, once it is taken.
                DIED => !giver_dies || taken == 0,
                // Who closed it had it whole.
                CLOSED => what != "a sender" || count == 3 || taken == 0,
                _ => false,
            };
            match finished == 2 && right {
                true => Ok(()),
                false => Err(format!(
                    "{finished} end; {count} messages, end {end}, taken {taken}"
                )),
            }
        };
        let started = begin();
        let steps = Steps::of(&operation, |_| true);
        let whole = end(started);
        let steps = match steps {
            Ok(steps) => steps,
            Err(reason) => {
                tally.skip(reason);
                lab.enter(tally);
                continue;
            }
        };
        tally.trial(whole);
        tally.note(format!("{} instructions", steps.count()));
        let stride = (steps.count() / lab.count(40, 20_000, steps.count())).max(1);
        let mut at = 1 + lab.below(stride);
        while at <= steps.count() {
            let started = begin();
            let killed = steps.kill(&operation, at);
            let seen = end(started);
            tally.trial(
                killed
                    .and(seen)
                    .map_err(|error| format!("after {at}: {error}")),
            );
            at += stride;
        }
        lab.enter(tally);
    }
}
