//! The protocols, each with as few messages as show it.

use crate::executions::all;
use crate::revoked::Turns;
use crate::{Ack, ErrorKind, Options, Received, Receiver, Sender, WhenFull, join};
use ipc_core::Until;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread::spawn;
use std::sync::Arc;

/// Without room for messages that no slot can hold.
fn small(slots: usize, when_full: WhenFull) -> Options {
    let mut options = Options::new(slots, when_full);
    options.bytes = 0;
    options
}

/// Message `number`, of two words.
fn message(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(number + 1).to_le_bytes());
    bytes[8..].copy_from_slice(&(!(number + 1)).to_le_bytes());
    bytes
}

fn receive(receiver: &Receiver, number: u64) {
    let mut buffer = [0; 16];
    assert_eq!(receiver.recv(&mut buffer).expect("one comes"), 16);
    assert_eq!(buffer, message(number), "another, or damaged");
}

fn send(sender: &Sender, number: u64) {
    sender.send(&message(number)).expect("room comes");
}

fn turns(threads: usize) {
    let turns = Arc::new((Turns::new(), AtomicU64::new(0)));
    let take = |turns: &(Turns, AtomicU64)| {
        let _held = turns.0.take(Until::Forever).expect("it waits");
        let count = turns.1.load(Relaxed);
        turns.1.store(count + 1, Relaxed);
    };
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let turns = Arc::clone(&turns);
            spawn(move || take(&turns))
        })
        .collect();
    take(&turns);
    for other in others {
        other.join().expect("no thread fails");
    }
    let _held = turns.0.take(Until::Forever).expect("it waits");
    assert_eq!(turns.1.load(Relaxed), threads as u64, "two had the turn");
}

#[test]
fn one_of_two_threads_has_the_turn() {
    all("turns: an owner and one who revokes", || turns(2));
}

#[test]
fn one_of_three_threads_has_the_turn() {
    all("turns: an owner and two who revoke", || turns(3));
}

#[test]
fn what_was_committed_is_whole_and_a_slot_is_written_when_it_is_free() {
    all("slots: three messages through one slot", || {
        let (sender, receiver) = small(1, WhenFull::Block).pair();
        let sends = spawn(move || (0..3).for_each(|number| send(&sender, number)));
        (0..3).for_each(|number| receive(&receiver, number));
        let end = receiver.recv(&mut [0; 16]).expect_err("no more");
        assert_eq!(end.kind(), ErrorKind::Closed);
        sends.join().expect("no thread fails");
    });
}

#[test]
fn a_larger_message_is_whole_and_its_bytes_are_written_when_they_are_free() {
    all("bytes: three messages beside their slots", || {
        let (sender, receiver) = Options::new(2, WhenFull::Block).pair();
        let large = |number| [message(number); 5].concat();
        let sends = spawn(move || {
            for number in 0..3 {
                sender.send(&large(number)).expect("room comes");
            }
        });
        let mut buffer = Vec::new();
        for number in 0..3 {
            receiver.recv_vec(&mut buffer).expect("one comes");
            assert_eq!(buffer, large(number), "another, or damaged");
        }
        sends.join().expect("no thread fails");
    });
}

#[test]
fn who_sleeps_is_woken_by_who_has_given_up_its_barriers() {
    all("wake-ups: two rounds between two who sleep", || {
        let [there, back] = [(); 2].map(|()| small(1, WhenFull::Block).pair());
        let (back_sender, there_receiver) = (back.0, there.1);
        let answers = spawn(move || {
            for number in 0..2 {
                receive(&there_receiver, number);
                send(&back_sender, number);
            }
        });
        for number in 0..2 {
            send(&there.0, number);
            receive(&back.1, number);
        }
        answers.join().expect("no thread fails");
    });
}

#[test]
fn an_ack_is_of_this_message() {
    all("acks: one taken, one done", || {
        let (sender, receiver) = small(2, WhenFull::Block).pair();
        let takes = spawn(move || {
            for number in 0..2 {
                receive(&receiver, number);
                receiver.done().expect("told");
            }
        });
        for (number, ack) in [(0, Ack::Taken), (1, Ack::Done)] {
            let acked = sender.send_acked(&message(number), ack);
            assert!(acked.expect("no error"));
        }
        takes.join().expect("no thread fails");
    });
}

fn broadcast(when_full: WhenFull, messages: u64) {
    let options = small(1, when_full);
    let writer = join::broadcast(&options).expect("memory");
    let reader = join::reader(&writer, &options);
    let writes = spawn(move || {
        for number in 0..messages {
            let sent = writer.send(&message(number));
            sent.expect("nobody is in the way");
        }
    });
    let (mut next, mut buffer) = (0, [0; 16]);
    loop {
        match reader.recv(&mut buffer) {
            Ok(Received::Message(_)) => {
                assert_eq!(buffer, message(next), "another, or a mixture");
                next += 1;
            }
            Ok(Received::Missed(count)) => {
                assert_eq!(when_full, WhenFull::DropOldest);
                next += count;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed);
                break;
            }
        }
    }
    assert_eq!(next, messages);
    writes.join().expect("no thread fails");
}

#[test]
fn what_is_overwritten_is_missed_and_never_mixed() {
    all("broadcast: three messages overwrite one another", || {
        broadcast(WhenFull::DropOldest, 3);
    });
}

#[test]
fn a_slow_reader_holds_the_writer_back() {
    all("broadcast: three messages, one slot, held back", || {
        broadcast(WhenFull::Block, 3);
    });
}
