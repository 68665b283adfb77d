//! Sends that are answered, and batches.

use ipc_ring::{Ack, Batch, ErrorKind, Options};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_acknowledged_send_returns_when_the_message_was_taken() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    let taken = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 512];
            for round in 0..1_000 {
                // Before the receive, or the sender might see the older number.
                taken.store(round + 1, SeqCst);
                let length = receiver.recv(&mut buffer).expect("a message");
                assert_eq!(length, round as usize % 400);
            }
        });
        for round in 0..1_000 {
            let message = vec![7; round as usize % 400];
            assert!(sender.send_acked(&message, Ack::Taken).expect("taken"));
            assert!(taken.load(SeqCst) > round);
        }
    });
}

#[test]
fn or_when_the_receiver_says_that_it_is_done() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a pair");
    assert!(!sender.try_send_acked(b"one", Ack::Done).expect("sent"));
    assert_eq!(receiver.recv(&mut [0; 8]).expect("it was sent"), 3);
    let short = Duration::from_millis(1);
    let done = sender.send_acked_timeout(b"two", Ack::Done, short);
    assert!(!done.expect("sent"), "one is taken, none is done");
    let work = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2..=100 {
                receiver.recv(&mut [0; 8]).expect("a message");
                work.store(number, SeqCst);
                receiver.done().expect("told");
            }
        });
        for number in 3..=100 {
            assert!(sender.send_acked(b"more", Ack::Done).expect("done"));
            assert!(work.load(SeqCst) >= number);
        }
    });
    drop(receiver);
    let error = sender.send_acked(b"nobody", Ack::Done).expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn a_receiver_that_closes_without_a_word_ends_the_wait() {
    let _watchdog = watchdog(PATIENCE);
    for (ack, take) in [(Ack::Taken, false), (Ack::Done, true)] {
        let (sender, receiver) = ipc_ring::pair().expect("a pair");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(move || sender.send_acked(b"what of it", ack));
            let message = receiver.recv_loan().expect("a message");
            match take {
                true => drop(message),
                false => message.leave(),
            }
            drop(receiver);
            let error = waiting.join().expect("no panic").expect_err("no word");
            assert_eq!(error.kind(), ErrorKind::Closed);
        });
    }
}

pub(crate) fn mute(stage: Stage) {
    let channel = Options::new().connect(stage.argument(0));
    let channel = channel.expect("it listens");
    channel.receiver().recv(&mut [0; 16]).expect("a message");
    channel.sender().send(b"taken").expect("sent");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_receiver_that_dies_before_it_is_done_ends_the_wait() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().bind(&path).expect("bind");
    let child = Role::new("mute").argument(path.display()).spawn();
    let (sender, receiver) = listener.accept().expect("it comes").split();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || sender.send_acked(b"do it", Ack::Done));
        receiver.recv(&mut [0; 16]).expect("it has taken it");
        child.kill();
        let error = waiting.join().expect("no panic").expect_err("it died");
        assert_eq!(error.kind(), ErrorKind::PeerDied);
    });
    child.wait_dead();
}

#[test]
fn batches_carry_what_single_messages_do() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = Options::new();
    options.capacity_messages(16).capacity_bytes(2048);
    let (sender, receiver) = options.pair().expect("a pair");
    let messages: Vec<Vec<u8>> = (0..5_000_usize)
        .map(|number| vec![number as u8; number * 7 % 300])
        .collect();
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            let (mut batch, mut came) = (Batch::new(), 0);
            while came < messages.len() {
                let count = receiver.recv_batch(&mut batch, 7).expect("messages");
                assert!(count == batch.len() && (1..=7).contains(&count));
                for message in batch.iter() {
                    assert_eq!(message, messages[came]);
                    came += 1;
                }
            }
        });
        let whole: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let mut rest = &whole[..];
        while !rest.is_empty() {
            let most = rest.len().min(40);
            let sent = sender.send_batch(&rest[..most]).expect("sent");
            // More than a ring holds, where the receiver takes some meanwhile.
            assert!((1..=most).contains(&sent));
            rest = &rest[sent..];
        }
        receiving.join().expect("no panic");
    });
    let none = receiver.try_recv_batch(&mut Batch::new(), 7);
    assert_eq!(none.expect_err("nothing").kind(), ErrorKind::WouldBlock);
    // The one that is too large is refused when it is the first.
    let large: [&[u8]; 2] = [b"small", &[0; 5000]];
    assert_eq!(sender.send_batch(&large).expect("the small one"), 1);
    let error = sender.send_batch(&large[1..]).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn an_honest_receiver_is_never_taken_for_a_liar() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = ipc_ring::pair().expect("a channel");
    let rounds = 20_000;
    let takes = std::thread::spawn(move || {
        for _ in 0..rounds {
            receiver.recv(&mut [0; 8]).expect("one comes");
            receiver.done().expect("told");
        }
        // The last word on it is out before the end is.
        receiver
    });
    for _ in 0..rounds {
        let acked = sender.send_acked(b"work", Ack::Done);
        assert!(acked.expect("it is honest"));
    }
    drop(takes.join().expect("no panic"));
}
