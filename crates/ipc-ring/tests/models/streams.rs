//! What is sent is received, once, in order and whole, whoever of both sleeps or is full.

use crate::machine::{below, spawn};
use crate::schedules::check;
use crate::{Ack, Batch, ErrorKind, Options, Receiver, WhenFull};

/// Message `number`: two words, in a slot; or more, beside it.
pub(crate) fn message(number: u64, large: bool) -> Vec<u8> {
    let words = if large { 8 } else { 2 };
    (0..words)
        .flat_map(|word| (number + (word << 32)).to_le_bytes())
        .collect()
}

/// The number of a message that came, whole.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    let number = u64::from_le_bytes(*bytes.first_chunk().expect("a word")) as u32;
    let whole = message(u64::from(number), bytes.len() > 16);
    assert_eq!(bytes, whole, "damaged");
    u64::from(number)
}

const MESSAGES: u64 = 4;

fn receive_some(receiver: &Receiver) {
    let mut buffer = Vec::new();
    for due in 0..MESSAGES {
        match below(3) {
            0 => {
                let lent = receiver.recv_loan().expect("one comes");
                buffer.resize(lent.len(), 0);
                lent.read_at(0, &mut buffer).expect("inside");
            }
            _ => receiver.recv_vec(&mut buffer).expect("one comes"),
        }
        assert_eq!(number(&buffer), due);
    }
    let end = receiver.recv_vec(&mut buffer).expect_err("no more");
    assert_eq!(end.kind(), ErrorKind::Closed);
}

fn stream(slots: usize) {
    let (sender, receiver) = Options::new(slots, WhenFull::Block).pair();
    let sends = spawn(move || {
        for number in 0..MESSAGES {
            let bytes = message(number, below(3) == 0);
            if below(3) == 0 {
                let mut loan = sender.loan(bytes.len()).expect("room comes");
                loan.write(&bytes).expect("inside");
                loan.send();
            } else {
                sender.send(&bytes).expect("it is taken");
            }
        }
    });
    let takes = spawn(move || receive_some(&receiver));
    sends.join().expect("no thread fails");
    takes.join().expect("no thread fails");
}

#[test]
fn a_stream_comes_whole_through_one_slot() {
    check("stream: one slot", || stream(1));
}

#[test]
fn a_stream_comes_whole_through_two_slots() {
    check("stream: two slots", || stream(2));
}

#[test]
fn a_batch_comes_whole() {
    check("stream: batches", || {
        let (sender, receiver) = Options::new(2, WhenFull::Block).pair();
        let sends = spawn(move || {
            let bytes: Vec<_> = (0..MESSAGES).map(|at| message(at, at == 1)).collect();
            let all: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            let mut sent = 0;
            while sent < all.len() {
                sent += sender.send_batch(&all[sent..]).expect("room comes");
            }
        });
        let takes = spawn(move || {
            let (mut batch, mut due) = (Batch::new(), 0);
            while due < MESSAGES {
                receiver.recv_batch(&mut batch, 3).expect("they come");
                for bytes in batch.iter() {
                    assert_eq!(number(bytes), due);
                    due += 1;
                }
            }
        });
        sends.join().expect("no thread fails");
        takes.join().expect("no thread fails");
    });
}

#[test]
fn what_is_dropped_is_counted_and_nothing_else_is_missing() {
    check("stream: the newest are dropped", || {
        let (sender, receiver) = Options::new(1, WhenFull::DropNewest).pair();
        let sends = spawn(move || {
            for number in 0..MESSAGES {
                sender.send(&message(number, number == 2)).expect("dropped");
            }
            sender.dropped()
        });
        let takes = spawn(move || {
            let (mut buffer, mut came) = (Vec::new(), Vec::new());
            while receiver.recv_vec(&mut buffer).is_ok() {
                came.push(number(&buffer));
            }
            came
        });
        let dropped = sends.join().expect("no thread fails");
        let came = takes.join().expect("no thread fails");
        assert!(came.is_sorted_by(|a, b| a < b), "{came:?}");
        assert_eq!(came.len() as u64 + dropped, MESSAGES);
    });
}

#[test]
fn an_ack_comes_for_what_was_taken_and_what_is_done() {
    check("stream: acknowledged", || {
        let (sender, receiver) = Options::new(2, WhenFull::Block).pair();
        let sends = spawn(move || {
            for number in 0..3 {
                let ack = if number == 1 { Ack::Done } else { Ack::Taken };
                let acked = sender.send_acked(&message(number, false), ack);
                assert_eq!(acked.ok(), Some(true));
            }
        });
        let takes = spawn(move || {
            let mut buffer = Vec::new();
            for due in 0..3 {
                receiver.recv_vec(&mut buffer).expect("one comes");
                assert_eq!(number(&buffer), due);
                receiver.done().expect("told");
            }
        });
        sends.join().expect("no thread fails");
        takes.join().expect("no thread fails");
    });
}

#[test]
fn two_threads_share_an_end() {
    check("stream: two threads send, two receive", || {
        let (sender, receiver) = Options::new(2, WhenFull::Block).pair();
        let (sender, receiver) = (std::sync::Arc::new(sender), std::sync::Arc::new(receiver));
        let sends: Vec<_> = (0..2)
            .map(|thread| {
                let sender = std::sync::Arc::clone(&sender);
                spawn(move || {
                    for at in 0..2 {
                        let bytes = message(thread * 2 + at, false);
                        sender.send(&bytes).expect("it is taken");
                    }
                })
            })
            .collect();
        let takes: Vec<_> = (0..2)
            .map(|_| {
                let receiver = std::sync::Arc::clone(&receiver);
                spawn(move || {
                    [(); 2].map(|()| {
                        let mut buffer = Vec::new();
                        receiver.recv_vec(&mut buffer).expect("one comes");
                        number(&buffer)
                    })
                })
            })
            .collect();
        sends
            .into_iter()
            .for_each(|thread| thread.join().expect("no thread fails"));
        let mut came: Vec<_> = takes
            .into_iter()
            .flat_map(|thread| thread.join().expect("no thread fails"))
            .collect();
        came.sort_unstable();
        assert_eq!(came, [0, 1, 2, 3]);
    });
}
