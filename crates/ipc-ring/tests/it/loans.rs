//! What is lent: who has it does not get at the end by another way.

use ipc_ring::{Ack, Batch, Error, ErrorKind};
use ipc_testkit::watchdog;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn refused<T>(outcome: Result<T, Error>) {
    let kind = outcome.map(drop).expect_err("the thread has a loan").kind();
    assert_eq!(kind, ErrorKind::Deadlock);
}

#[test]
fn a_thread_with_a_loan_sends_nothing_into_it() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    for shared in [false, true] {
        if shared {
            // From now on it is an ordinary lock.
            std::thread::scope(|scope| _ = scope.spawn(|| sender.send(b"other").expect("room")));
            assert_eq!(receiver.recv(&mut [0; 8]).expect("a message"), 5);
        }
        let mut loan = sender.loan(4).expect("room");
        loan.write(b"mine").expect("inside");
        refused(sender.send(b"more"));
        refused(sender.try_send(b"more"));
        refused(sender.send(&[0; 300]));
        refused(sender.send_batch(&[b"more"]));
        refused(sender.send_acked(b"more", Ack::Taken));
        refused(sender.try_loan(1));
        loan.send();
        let mut buffer = [0; 8];
        assert_eq!(receiver.recv(&mut buffer).expect("a message"), 4);
        assert_eq!(&buffer[..4], b"mine");
        drop(sender.loan(4).expect("room"));
        sender.send(b"next").expect("it is back");
        assert_eq!(receiver.recv(&mut buffer).expect("a message"), 4);
        assert_eq!(&buffer[..4], b"next");
        assert!(receiver.try_recv(&mut buffer).is_err(), "there was no more");
    }
}

#[test]
fn a_thread_with_a_slot_of_a_queue_claims_no_other() {
    let _watchdog = watchdog(PATIENCE);
    let queue = ipc_ring::Options::new().queue().expect("memory");
    let producer = queue.producer().expect("a seat");
    let consumer = queue.consumer().expect("a seat");
    let mut buffer = [0; 8];
    for shared in [false, true] {
        if shared {
            std::thread::scope(|scope| _ = scope.spawn(|| producer.send(b"other").expect("room")));
            assert_eq!(consumer.recv(&mut buffer).expect("a message"), 5);
        }
        let mut slot = producer.loan(4).expect("room");
        refused(producer.send(b"more"));
        refused(producer.try_send(b"more"));
        refused(producer.send_batch(&[b"more"]));
        refused(producer.try_loan(1));
        slot.write(b"mine").expect("inside");
        slot.send().expect("committed");
        drop(producer.loan(4).expect("room"));
        producer.send(b"next").expect("it is back");
        for expected in [b"mine", b"next"] {
            assert_eq!(consumer.recv(&mut buffer).expect("a message"), 4);
            assert_eq!(&buffer[..4], expected);
        }
        assert!(consumer.try_recv(&mut buffer).is_err(), "there was no more");
    }
}

#[test]
fn a_thread_with_a_message_takes_no_other_until_it_is_back() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    let mut buffer = [0; 8];
    for shared in [false, true] {
        if shared {
            std::thread::scope(|scope| _ = scope.spawn(|| receiver.done().expect("its turn")));
        }
        sender.send(b"first").expect("room");
        sender.send(b"second").expect("room");
        let first = receiver.recv_loan().expect("a message");
        refused(receiver.recv_loan());
        refused(receiver.recv(&mut buffer));
        refused(receiver.try_recv(&mut buffer));
        refused(receiver.recv_vec(&mut Vec::new()));
        refused(receiver.recv_batch(&mut Batch::new(), 9));
        refused(receiver.done());
        first.read_at(0, &mut buffer[..5]).expect("inside");
        assert_eq!(&buffer[..5], b"first");
        drop(first);
        // Nothing was taken twice, or the sender would find it corrupt.
        receiver.recv_loan().expect("a message").leave();
        assert_eq!(receiver.recv(&mut buffer).expect("the second"), 6);
        receiver.done().expect("its turn");
        assert!(
            !sender
                .try_send_acked(b"last", Ack::Taken)
                .expect("all is right")
        );
        assert_eq!(receiver.recv(&mut buffer).expect("the last"), 4);
    }
}
