//! No message allocates.

use crate::broadcast::with_readers;
use ipc_ring::{Batch, Options, Received, WhenFull};
use ipc_testkit::allocations;

#[test]
fn no_message_allocates() {
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    let (writer, readers) = with_readers(&Options::new(), 2);
    let mut lossy = Options::new();
    let (lossy, _slow) = with_readers(lossy.when_full(WhenFull::DropOldest), 1);
    let mut buffer = [0; 512];
    let counted = allocations(|| {
        for round in 0..5_000 {
            let message = &[7; 300][..round % 301];
            assert!(receiver.try_recv(&mut buffer).is_err());
            sender.send(message).expect("room");
            let length = receiver.recv(&mut buffer).expect("a message");
            assert_eq!(length, message.len());
            writer.send(message).expect("room");
            lossy.send(message).expect("room");
            for reader in &readers {
                let received = reader.recv(&mut buffer).expect("a message");
                assert_eq!(received, Received::Message(message.len()));
            }
        }
    });
    assert_eq!(counted, 0);
}

#[test]
fn no_message_of_a_queue_allocates() {
    let queue = Options::new().queue().expect("memory");
    let (producer, other) = (
        queue.producer().expect("a seat"),
        queue.producer().expect("a seat"),
    );
    let (consumer, second) = (
        queue.consumer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let (mut buffer, mut vec, mut batch) = ([0; 512], Vec::new(), Batch::new());
    let mut round = |size: usize| {
        let message = &[7; 300][..size];
        assert!(consumer.try_recv(&mut buffer).is_err());
        producer.send(message).expect("room");
        assert_eq!(consumer.recv(&mut buffer).expect("a message"), size);
        other.try_send(message).expect("room");
        second.recv_vec(&mut vec).expect("a message");
        assert_eq!(vec.len(), size);
        let mut loan = producer.loan(size).expect("room");
        loan.write(message).expect("inside");
        loan.send().expect("it is ours");
        drop(other.try_loan(size).expect("room"));
        assert_eq!(second.recv(&mut buffer).expect("a message"), size);
        let sent = other.send_batch(&[message, message, message]);
        assert_eq!(sent.expect("room"), 3);
        let received = consumer.recv_batch(&mut batch, 8);
        assert_eq!(received.expect("messages"), 3);
    };
    // A batch and a vector have room for the largest from then on.
    round(300);
    let counted = allocations(|| (0..5_000).for_each(|at| round(at % 301)));
    assert_eq!(counted, 0);
}

#[test]
fn no_batch_and_no_loan_allocates() {
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    let (mut buffer, mut batch) = ([0; 512], Batch::new());
    let mut round = |size: usize| {
        let message = &[7; 300][..size];
        let sent = sender.send_batch(&[message, message, message]);
        assert_eq!(sent.expect("room"), 3);
        let received = receiver.recv_batch(&mut batch, 8);
        assert_eq!(received.expect("messages"), 3);
        let mut loan = sender.loan(size).expect("room");
        loan.write(message).expect("inside");
        loan.send();
        let lent = receiver.recv_loan().expect("a message");
        lent.read_at(0, &mut buffer[..size]).expect("inside");
        assert_eq!(&buffer[..size], message);
    };
    round(300);
    let counted = allocations(|| (0..5_000).for_each(|at| round(at % 301)));
    assert_eq!(counted, 0);
}
