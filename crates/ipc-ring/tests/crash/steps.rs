//! R1: one side is killed at each instruction of meeting, sending or receiving, and closing.

use crate::deaths::{
    CLOSED, COUNT, DIED, END, NOT_MET, WORDS, message, options, receive_all, send_all,
};
use ipc_ring::Channel;
use ipc_testkit::crash::{Forked, Lab, Steps, Tally};
use ipc_testkit::shared_words;
use ipc_uds::SeqPacket;
use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

const MESSAGES: u64 = 3;
/// Between the numbers of two messages: one stands in a slot, two beside.
const STEP: u64 = 157;

pub(crate) fn of_a_sender(lab: &mut Lab) {
    let part = |channel: &Channel| {
        for number in 0..MESSAGES {
            let _ = channel.sender().send(&message(number * STEP));
        }
    };
    let survivor = |channel, words: &[AtomicU64]| receive_all(channel, STEP, words);
    let judge = |count, end| match end {
        NOT_MET => count == 0,
        DIED => count <= MESSAGES,
        CLOSED => count == MESSAGES,
        _ => false,
    };
    let survivor = |socket, words: &[AtomicU64]| survivor(options().over(socket), words);
    each_instruction(lab, "meet, send and close", &met(&part), &survivor, judge);
}

pub(crate) fn of_a_receiver(lab: &mut Lab) {
    let part = |channel: &Channel| {
        for _ in 0..MESSAGES {
            let _ = channel.receiver().recv_vec(&mut Vec::new());
        }
    };
    let judge = |_, end| matches!(end, NOT_MET | DIED | CLOSED);
    let survivor = |socket, words: &[AtomicU64]| send_all(options().over(socket), words);
    each_instruction(
        lab,
        "meet, receive and close",
        &met(&part),
        &survivor,
        judge,
    );
}

/// A part of who has met the other.
fn met(part: &dyn Fn(&Channel)) -> impl Fn(SeqPacket) {
    move |socket| {
        if let Ok(channel) = options().over(socket) {
            part(&channel);
        }
    }
}

pub(crate) fn each_instruction(
    lab: &mut Lab,
    what: &str,
    part: &dyn Fn(SeqPacket),
    survivor: &dyn Fn(SeqPacket, &[AtomicU64]),
    judge: impl Fn(u64, u64) -> bool,
) {
    let mut tally = Tally::new("R1", what);
    let words = shared_words(WORDS);
    let socket: RefCell<Option<SeqPacket>> = RefCell::default();
    let begin = || {
        words.iter().for_each(|word| word.store(0, SeqCst));
        let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
        let mut theirs = Some(theirs);
        let other = Forked::new(|| {
            drop(theirs.take());
            survivor(ours.try_clone().expect("a copy"), words);
        });
        *socket.borrow_mut() = theirs;
        other
    };
    let end = |other: Forked| {
        // With our copy of its socket a dead one's end shows.
        drop(socket.borrow_mut().take());
        let finished = other.finished();
        let [count, end] = [COUNT, END].map(|at| words[at].load(SeqCst));
        match finished && judge(count, end) {
            true => Ok(()),
            false => Err(format!("{count} messages, then end {end}")),
        }
    };
    let operation = || {
        let socket = socket.borrow();
        let socket = socket.as_ref().expect("begun").try_clone();
        part(socket.expect("a copy"));
    };
    let other = begin();
    let steps = Steps::of(&operation, |_| true);
    let whole = end(other);
    let steps = match steps {
        Ok(steps) => steps,
        Err(reason) => {
            tally.skip(reason);
            return lab.enter(tally);
        }
    };
    tally.trial(whole);
    tally.note(format!("{} instructions", steps.count()));
    let stride = (steps.count() / lab.count(40, 20_000, steps.count())).max(1);
    let mut at = 1 + lab.below(stride);
    while at <= steps.count() {
        let other = begin();
        let killed = steps.kill(&operation, at);
        let seen = end(other);
        tally.trial(killed.and(seen));
        at += stride;
    }
    lab.enter(tally);
}
