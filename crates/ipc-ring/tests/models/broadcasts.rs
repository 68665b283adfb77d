//! Each reader has all messages, or is told how many it missed; none is a mixture of two.

use crate::machine::spawn;
use crate::schedules::check;
use crate::streams::{message, number};
use crate::{Broadcaster, ErrorKind, Options, Received, Subscriber, WhenFull, join};
use shuttle::sync::Arc;

const MESSAGES: u64 = 5;

/// Receives all; returns how many came and how many it missed.
pub(crate) fn receive_all(reader: &Subscriber, end: ErrorKind) -> (u64, u64) {
    let (mut came, mut missed, mut buffer) = (0, 0, Vec::new());
    loop {
        match reader.recv_vec(&mut buffer) {
            Ok(Received::Message(_)) => {
                assert_eq!(number(&buffer), came + missed, "not its turn");
                came += 1;
            }
            Ok(Received::Missed(count)) => missed += count,
            Err(error) => {
                assert_eq!(error.kind(), end, "{error}");
                return (came, missed);
            }
        }
    }
}

pub(crate) fn send_all(writer: &Broadcaster) {
    for number in 0..MESSAGES {
        let sent = writer.send(&message(number, number % 3 == 2));
        sent.expect("nobody is in the way");
    }
}

fn broadcast(slots: usize, readers: usize, when_full: WhenFull) {
    let options = Options::new(slots, when_full);
    let writer = join::broadcast(&options).expect("memory");
    let readers: Vec<_> = (0..readers)
        .map(|_| {
            let reader = join::reader(&writer, &options);
            spawn(move || receive_all(&reader, ErrorKind::Closed))
        })
        .collect();
    let writes = spawn(move || send_all(&writer));
    writes.join().expect("no thread fails");
    for reader in readers {
        let (came, missed) = reader.join().expect("no thread fails");
        assert_eq!(came + missed, MESSAGES);
        assert!(missed == 0 || when_full == WhenFull::DropOldest);
    }
}

#[test]
fn slow_readers_hold_the_writer_back() {
    check("broadcast: two readers hold it back", || {
        broadcast(1, 2, WhenFull::Block);
    });
}

#[test]
fn what_is_overwritten_is_missed_and_never_mixed() {
    check("broadcast: the oldest are dropped", || {
        broadcast(2, 1, WhenFull::DropOldest);
    });
}

#[test]
fn two_readers_miss_each_their_own() {
    check("broadcast: the oldest are dropped, two readers", || {
        broadcast(1, 2, WhenFull::DropOldest);
    });
}

#[test]
fn who_comes_late_has_all_from_then_on() {
    check("broadcast: one comes late", || {
        let options = Options::new(2, WhenFull::Block);
        let writer = Arc::new(join::broadcast(&options).expect("memory"));
        let writes = {
            let writer = Arc::clone(&writer);
            spawn(move || send_all(&writer))
        };
        let reads = spawn(move || {
            let reader = join::reader(&writer, &options);
            drop(writer);
            let (mut due, mut buffer) = (None, Vec::new());
            while let Ok(received) = reader.recv_vec(&mut buffer) {
                assert_eq!(received, Received::Message(buffer.len()));
                let number = number(&buffer);
                assert!(due.is_none_or(|due| due == number));
                due = Some(number + 1);
            }
            assert!(due.is_none_or(|due| due == MESSAGES));
        });
        writes.join().expect("no thread fails");
        reads.join().expect("no thread fails");
    });
}
