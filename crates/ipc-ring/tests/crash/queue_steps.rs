//! R1 for a queue: a member is killed at each instruction of joining, sending or receiving, and
//! leaving; and the one that mends what it left, too.

use crate::deaths::{CLOSED, COUNT, DIED, END, LIMIT, NOT_MET, OTHER};
use crate::queues::{message, number_of, options};
use crate::steps::each_instruction;
use ipc_ring::{Consumer, Producer, Queue};
use ipc_testkit::crash::{Forked, Lab};
use ipc_uds::SeqPacket;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

const MESSAGES: u64 = 3;

pub(crate) fn of_a_producer(lab: &mut Lab) {
    let part = |socket: SeqPacket| {
        if let Ok(producer) = options().produce_over(socket) {
            for number in 0..MESSAGES {
                let _ = producer.send(&message(0, number));
            }
        }
    };
    let judge = |count, end| match end {
        NOT_MET => count == 0,
        DIED => count <= MESSAGES,
        CLOSED => count == MESSAGES || count == 0,
        _ => false,
    };
    each_instruction(
        lab,
        "queue: join, send and leave",
        &part,
        &with_a_producer,
        judge,
    );
}

/// Takes a producer in, receives what it sends, and sees whether all its slots are free again.
fn with_a_producer(socket: SeqPacket, words: &[AtomicU64]) {
    let queue = options().queue().expect("memory");
    let consumer = queue.consumer().expect("a seat");
    if queue.add(socket).is_err() {
        return words[END].store(NOT_MET, SeqCst);
    }
    let mut buffer = Vec::new();
    let end = loop {
        match consumer.recv_vec_timeout(&mut buffer, LIMIT) {
            Ok(()) if buffer == message(0, words[COUNT].load(SeqCst)) => {
                words[COUNT].fetch_add(1, SeqCst);
            }
            Ok(()) => break OTHER,
            Err(error) => break number_of(error.kind()),
        }
    };
    let whole = is_whole(&queue, &consumer);
    words[END].store(if whole { end } else { OTHER }, SeqCst);
}

/// Whether a queue in which nothing is has room for as much as ever.
pub(crate) fn is_whole(queue: &Queue, consumer: &Consumer) -> bool {
    let producer: Producer = queue.producer().expect("a seat");
    let (mut buffer, mut sent) = (Vec::new(), 0);
    while producer.try_send(&message(1, sent)).is_ok() {
        sent += 1;
    }
    let came = |number| {
        let received = consumer.try_recv_vec(&mut buffer);
        received.is_ok() && buffer == message(1, number)
    };
    sent == 16 && (0..sent).all(came)
}

pub(crate) fn of_a_consumer(lab: &mut Lab) {
    let part = |socket: SeqPacket| {
        if let Ok(consumer) = options().consume_over(socket) {
            for _ in 0..MESSAGES {
                let _ = consumer.recv_vec(&mut Vec::new());
            }
        }
    };
    // What is left, and perhaps the one less that it had taken when it died.
    let judge = |count, end| match end {
        NOT_MET => true,
        DIED => (5 - MESSAGES..=5).contains(&count),
        CLOSED => count == 5 - MESSAGES || count == 5,
        _ => false,
    };
    each_instruction(
        lab,
        "queue: join, receive and leave",
        &part,
        &with_a_consumer,
        judge,
    );
}

/// Takes a consumer in, for which five messages wait, and counts what it leaves.
fn with_a_consumer(socket: SeqPacket, words: &[AtomicU64]) {
    let queue = options().queue().expect("memory");
    let producer = queue.producer().expect("a seat");
    for number in 0..5 {
        producer.send(&message(0, number)).expect("room");
    }
    if queue.add(socket).is_err() {
        return words[END].store(NOT_MET, SeqCst);
    }
    // More than fits, until it is gone.
    let end = loop {
        if let Err(error) = producer.send_timeout(&message(1, 0), LIMIT) {
            break number_of(error.kind());
        }
    };
    let rest = queue.consumer().expect("a seat");
    let (mut buffer, mut next) = (Vec::new(), 0);
    while rest.try_recv_vec(&mut buffer).is_ok() {
        let number = (next..5).find(|number| buffer == message(0, *number));
        if let Some(number) = number {
            next = number + 1;
            words[COUNT].fetch_add(1, SeqCst);
        }
    }
    let whole = is_whole(&queue, &rest);
    words[END].store(if whole { end } else { OTHER }, SeqCst);
}

pub(crate) fn of_who_recovers(lab: &mut Lab) {
    let part = |socket: SeqPacket| {
        if let Ok(consumer) = options().consume_over(socket) {
            let _ = consumer.recv_vec(&mut Vec::new());
            // It sees the other's death at the latest now.
            let _ = consumer.producers();
        }
    };
    let judge = |count, end| match end {
        NOT_MET => true,
        DIED | CLOSED => count == 1,
        _ => false,
    };
    each_instruction(
        lab,
        "queue: give back what a dead one had",
        &part,
        &with_a_dead_one,
        judge,
    );
}

/// Takes a consumer in, and a producer that dies in the middle of a message.
fn with_a_dead_one(socket: SeqPacket, words: &[AtomicU64]) {
    let queue = options().queue().expect("memory");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("a pair");
    let dying = Forked::new(|| {
        let socket = theirs.try_clone().expect("a copy");
        let producer = options().produce_over(socket).expect("a member");
        let _slot = producer.loan(9).expect("room");
        words[COUNT].store(1, SeqCst);
        loop {
            std::thread::park();
        }
    });
    queue.add(ours).expect("it comes");
    while words[COUNT].load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    let producer = queue.producer().expect("a seat");
    let added = queue.add(socket);
    dying.kill_unreaped();
    if added.is_err() {
        return words[END].store(NOT_MET, SeqCst);
    }
    producer.send(&message(0, 0)).expect("room");
    let end = loop {
        if let Err(error) = producer.send_timeout(&message(1, 0), LIMIT) {
            break number_of(error.kind());
        }
    };
    let rest = queue.consumer().expect("a seat");
    while rest.try_recv_vec(&mut Vec::new()).is_ok() {}
    let whole = is_whole(&queue, &rest);
    words[END].store(if whole { end } else { OTHER }, SeqCst);
}
