//! No message allocates.

use crate::broadcast::with_readers;
use ipc_ring::{Options, Received, WhenFull};
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
