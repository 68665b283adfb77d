//! Either side dies at any step: what was committed is received, and every wait ends.

use crate::broadcasts::{receive_all, send_all};
use crate::machine::{below, dies_after, spawn};
use crate::schedules::check;
use crate::streams::{message, number};
use crate::{ErrorKind, Options, WhenFull, join};

/// More than a part of a model has.
const STEPS: u32 = 150;
const MESSAGES: u64 = 4;

#[test]
fn a_dead_senders_messages_are_received() {
    check("death of a sender at any step", || {
        let (sender, receiver) = Options::new(2, WhenFull::Block).pair();
        let steps = below(STEPS);
        let sends = spawn(move || {
            let mut sent = 0;
            let died = dies_after(steps, || {
                for at in 0..MESSAGES {
                    sender.send(&message(at, at == 2)).expect("it is taken");
                    sent = at + 1;
                }
            });
            drop(sender);
            (sent, died)
        });
        let takes = spawn(move || {
            let (mut came, mut buffer) = (0, Vec::new());
            loop {
                match receiver.recv_vec(&mut buffer) {
                    Ok(()) => assert_eq!(number(&buffer), came),
                    Err(error) => return (came, error.kind()),
                }
                came += 1;
            }
        });
        let (sent, died) = sends.join().expect("no thread fails");
        let (came, end) = takes.join().expect("no thread fails");
        match died {
            true => assert!(end == ErrorKind::PeerDied && (came == sent || came == sent + 1)),
            false => assert!(end == ErrorKind::Closed && came == MESSAGES),
        }
    });
}

#[test]
fn a_dead_receivers_sender_is_told() {
    check("death of a receiver at any step", || {
        let (sender, receiver) = Options::new(1, WhenFull::Block).pair();
        let steps = below(STEPS);
        let takes = spawn(move || {
            let died = dies_after(steps, || {
                for _ in 0..MESSAGES {
                    receiver.recv_vec(&mut Vec::new()).expect("one comes");
                }
            });
            drop(receiver);
            died
        });
        let sends = spawn(move || {
            let mut at = 0;
            loop {
                match sender.send(&message(at, false)) {
                    Ok(()) => at += 1,
                    Err(error) => return error.kind(),
                }
            }
        });
        let died = takes.join().expect("no thread fails");
        let end = sends.join().expect("no thread fails");
        assert_eq!(end == ErrorKind::PeerDied, died, "{end:?}");
    });
}

#[test]
fn a_dead_writers_readers_are_told() {
    check("death of a broadcaster at any step", || {
        let when_full = [WhenFull::Block, WhenFull::DropOldest][below(2) as usize];
        let options = Options::new(2, when_full);
        let writer = join::broadcast(&options).expect("memory");
        let reader = join::reader(&writer, &options);
        let steps = below(STEPS);
        let writes = spawn(move || {
            let died = dies_after(steps, || send_all(&writer));
            // Its descriptors are closed.
            drop(writer);
            died
        });
        let reads = spawn(move || {
            let mut buffer = Vec::new();
            loop {
                if let Err(error) = reader.recv_vec(&mut buffer) {
                    return error.kind();
                }
            }
        });
        let died = writes.join().expect("no thread fails");
        let end = reads.join().expect("no thread fails");
        assert_eq!(end == ErrorKind::PeerDied, died, "{end:?}");
    });
}

#[test]
fn a_dead_reader_holds_nobody_back() {
    check("death of one of two readers at any step", || {
        let options = Options::new(1, WhenFull::Block);
        let writer = join::broadcast(&options).expect("memory");
        let [doomed, other] = [(); 2].map(|()| join::reader(&writer, &options));
        let steps = below(STEPS);
        let dies = spawn(move || {
            dies_after(steps, || {
                receive_all(&doomed, ErrorKind::Closed);
            });
            drop(doomed);
        });
        let lives = spawn(move || receive_all(&other, ErrorKind::Closed));
        let writes = spawn(move || send_all(&writer));
        writes.join().expect("no thread fails");
        dies.join().expect("no thread fails");
        let (came, missed) = lives.join().expect("no thread fails");
        assert_eq!((came, missed), (5, 0));
    });
}
