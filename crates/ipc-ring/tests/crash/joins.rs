//! R1 for a broadcast: joining, sending, receiving, forgetting the dead and closing, each killed at
//! each instruction.

use crate::casts::{options, receive_all};
use crate::deaths::{CLOSED, COUNT, DIED, END, LIMIT, MISSED, NOT_MET, OTHER, message};
use crate::steps::each_instruction;
use ipc_ring::{Options, Subscriber, WhenFull};
use ipc_testkit::crash::Lab;
use ipc_uds::SeqPacket;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

const MESSAGES: u64 = 3;
/// As many as a reader that takes nothing would hold back.
const MANY: u64 = 40;

/// Receives all as the only reader, or says that it never became one.
fn read(socket: SeqPacket, words: &[AtomicU64]) {
    match Options::new().subscribe_over(socket) {
        Ok(reader) => receive_all(&reader, words),
        Err(_) => words[END].store(NOT_MET, SeqCst),
    }
}

/// Sends many messages, whoever is there, and says whether all were sent and nobody is left.
fn write(socket: SeqPacket, words: &[AtomicU64]) {
    let writer = options(WhenFull::Block).broadcast().expect("memory");
    let joined = writer.add(socket).is_ok();
    for number in 0..MANY {
        match writer.send_timeout(&message(number), LIMIT) {
            Ok(()) => words[COUNT].fetch_add(1, SeqCst),
            Err(_) => return words[END].store(OTHER, SeqCst),
        };
    }
    let left = writer.readers().unwrap_or(usize::MAX);
    let end = match (joined, left) {
        (false, _) => NOT_MET,
        // One that closes, or dies, after the last message may still count.
        (true, 0 | 1) => CLOSED,
        (true, _) => OTHER,
    };
    words[END].store(end, SeqCst);
}

pub(crate) fn of_a_writer(lab: &mut Lab) {
    for when_full in [WhenFull::Block, WhenFull::DropOldest] {
        let part = |socket| {
            let Ok(writer) = options(when_full).broadcast() else {
                return;
            };
            if writer.add(socket).is_ok() {
                (0..MESSAGES).for_each(|number| drop(writer.send(&message(number * 60))));
            }
        };
        let survivor = |socket, words: &[AtomicU64]| {
            let Ok(reader) = Options::new().subscribe_over(socket) else {
                return words[END].store(NOT_MET, SeqCst);
            };
            receive_every(&reader, 60, words);
        };
        let judge = |count, end| match end {
            NOT_MET => count == 0,
            DIED => count <= MESSAGES,
            CLOSED => count == MESSAGES || count == 0,
            _ => false,
        };
        let what = format!("broadcast: take in, send and close, {when_full:?}");
        each_instruction(lab, &what, &part, &survivor, judge);
    }
}

/// As `receive_all`, where between the numbers of two messages there is a step.
fn receive_every(reader: &Subscriber, step: u64, words: &[AtomicU64]) {
    let mut buffer = Vec::new();
    let end = loop {
        match reader.recv_vec_timeout(&mut buffer, LIMIT) {
            Ok(_) if buffer == message(words[COUNT].load(SeqCst) * step) => {
                words[COUNT].fetch_add(1, SeqCst);
            }
            Err(error) if error.kind() == ipc_ring::ErrorKind::PeerDied => break DIED,
            Err(error) if error.kind() == ipc_ring::ErrorKind::Closed => break CLOSED,
            _ => break OTHER,
        }
    };
    words[END].store(end, SeqCst);
}

pub(crate) fn of_a_reader(lab: &mut Lab) {
    let part = |socket| {
        if let Ok(reader) = Options::new().subscribe_over(socket) {
            (0..MESSAGES).for_each(|_| drop(reader.recv_vec(&mut Vec::new())));
        }
    };
    let judge = |count, end| count == MANY && matches!(end, NOT_MET | CLOSED);
    each_instruction(
        lab,
        "broadcast: join, receive and close",
        &part,
        &write,
        judge,
    );
}

/// The writer dies while it forgets a reader that died: the other one has all, and is told.
pub(crate) fn of_a_forgetful_writer(lab: &mut Lab) {
    let part = |socket: SeqPacket| {
        let Ok(writer) = options(WhenFull::Block).broadcast() else {
            return;
        };
        let Ok((ours, theirs)) = ipc_uds::pair_seqpacket() else {
            return;
        };
        // It is a reader that sends what begins a meeting, and is gone.
        let gone = Options::new()
            .meet_timeout(std::time::Duration::ZERO)
            .subscribe_over(theirs);
        drop(gone);
        let _ = writer.add(ours);
        if writer.add(socket).is_ok() {
            (0..MESSAGES).for_each(|number| drop(writer.send(&message(number))));
            let _ = writer.readers();
            (MESSAGES..2 * MESSAGES).for_each(|number| drop(writer.send(&message(number))));
        }
    };
    let judge = |count, end| match end {
        NOT_MET => count == 0,
        DIED => count <= 2 * MESSAGES,
        CLOSED => count == 2 * MESSAGES || count == 0,
        _ => false,
    };
    let survivor = |socket, words: &[AtomicU64]| {
        read(socket, words);
        if words[MISSED].load(SeqCst) > 0 {
            words[END].store(OTHER, SeqCst);
        }
    };
    each_instruction(
        lab,
        "broadcast: forget a dead reader",
        &part,
        &survivor,
        judge,
    );
}
