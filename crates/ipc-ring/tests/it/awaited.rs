//! The same verbs with `.await`.

use ipc_async::Async;
use ipc_core::{Interest, Pollable};
use ipc_ring::Options;
use ipc_testkit::watchdog;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awaited_ends_lose_nothing_and_see_the_end() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = Options::new().capacity_messages(8).pair().expect("a pair");
    let (sender, receiver) = (
        Async::new(sender).expect("registered"),
        Async::new(receiver).expect("registered"),
    );
    let sending = tokio::spawn(async move {
        for number in 0..20_000_u64 {
            sender.send(&number.to_le_bytes()).await.expect("sent");
        }
    });
    let mut buffer = [0; 8];
    for number in 0..20_000_u64 {
        if number % 1_000 == 0 {
            // A cancelled wait takes no message.
            let cancelled = tokio::time::timeout(
                Duration::ZERO,
                receiver.ready(ipc_async::Interest::Read, |_| {
                    Err::<(), _>(ipc_core::Error::new(
                        "look",
                        ipc_core::ErrorKind::WouldBlock,
                    ))
                }),
            );
            assert!(cancelled.await.is_err());
        }
        assert_eq!(receiver.recv(&mut buffer).await.expect("a message"), 8);
        assert_eq!(u64::from_le_bytes(buffer), number);
    }
    sending.await.expect("no panic");
    let end = receiver.recv(&mut buffer).await.expect_err("the end");
    assert_eq!(end.kind(), ipc_ring::ErrorKind::Closed);
}

/// So many rounds by two channels of one kind, both of whose sides are awaited.
macro_rules! round_trips {
    ($there:expr, $back:expr) => {{
        let ((ask, asked), (answer, answered)) = ($there, $back);
        let (ask, asked) = (
            Async::new(ask).expect("registered"),
            Async::new(asked).expect("registered"),
        );
        let (answer, answered) = (
            Async::new(answer).expect("registered"),
            Async::new(answered).expect("registered"),
        );
        let server = tokio::spawn(async move {
            let mut buffer = [0; 8];
            for _ in 0..ROUNDS {
                assert_eq!(asked.recv(&mut buffer).await.expect("a question"), 8);
                answer.send(&buffer).await.expect("sent");
            }
        });
        let mut buffer = [0; 8];
        for round in 0..ROUNDS {
            ask.send(&round.to_le_bytes()).await.expect("sent");
            assert_eq!(answered.recv(&mut buffer).await.expect("an answer"), 8);
            assert_eq!(u64::from_le_bytes(buffer), round);
        }
        server.await.expect("no panic");
    }};
}

const ROUNDS: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_trips_of_every_channel_are_awaited_on_both_sides() {
    let _watchdog = watchdog(PATIENCE);
    let pair = || Options::new().capacity_messages(2).pair().expect("a pair");
    round_trips!(pair(), pair());
    let cast = || {
        let (writer, mut readers) = crate::broadcast::with_readers(&Options::new(), 1);
        (writer, readers.pop().expect("one"))
    };
    round_trips!(cast(), cast());
    let queue = || {
        let queue = Options::new().capacity_messages(2).queue();
        let queue = queue.expect("memory");
        let ends = (queue.producer(), queue.consumer());
        (ends.0.expect("a seat"), ends.1.expect("a seat"))
    };
    round_trips!(queue(), queue());
}

#[test]
fn a_receiver_is_undisturbed_until_something_has_come_though_it_was_taken() {
    let (sender, receiver) = Options::new().pair().expect("a pair");
    let read = Interest::Read;
    assert!(!receiver.is_undisturbed(read), "it was never armed");
    assert!(!receiver.arm(read).expect("armed"));
    assert!(receiver.is_undisturbed(read) && receiver.is_undisturbed(read));
    sender.send(b"one").expect("sent");
    assert!(!receiver.is_undisturbed(read), "it is there");
    receiver.try_recv(&mut [0; 8]).expect("a message");
    // The one ring for that sleep has been spent.
    assert!(!receiver.is_undisturbed(read), "it was there");
    assert!(!receiver.arm(read).expect("armed"));
    assert!(receiver.is_undisturbed(read));
    drop(sender);
    assert!(!receiver.is_undisturbed(read), "the end is there");
}

/// A task that is polled for other reasons between messages sleeps as before, and is woken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_polled_often_for_nothing_is_woken_by_the_next_message() {
    let _watchdog = watchdog(PATIENCE);
    let ((ask, asked), (answer, answered)) = (
        Options::new().pair().expect("a pair"),
        Options::new().pair().expect("a pair"),
    );
    let (asked, answered) = (
        Async::new(asked).expect("registered"),
        Async::new(answered).expect("registered"),
    );
    let server = tokio::spawn(async move {
        for round in 0..ROUNDS {
            let mut buffer = [0; 8];
            let came = poll_fn(|task| {
                let mut attempt = |asked: &ipc_ring::Receiver| asked.try_recv(&mut buffer);
                let mut came = Poll::Pending;
                // Again and again, as who waits for several things is.
                for _ in 0..=round % 4 {
                    came = asked.poll_ready(task, Interest::Read, &mut attempt);
                    if came.is_ready() {
                        break;
                    }
                }
                came
            });
            assert_eq!(came.await.expect("a question"), 8);
            answer.send(&buffer).expect("sent");
        }
    });
    let mut buffer = [0; 8];
    for round in 0..ROUNDS {
        ask.send(&round.to_le_bytes()).expect("sent");
        assert_eq!(answered.recv(&mut buffer).await.expect("an answer"), 8);
        assert_eq!(u64::from_le_bytes(buffer), round);
    }
    server.await.expect("no panic");
}

/// A channel whose one side has asked for five replies, of which four fit.
fn asked() -> (ipc_ring::Channel, ipc_ring::Responder) {
    let (left, right) = ipc_uds::pair_seqpacket().expect("a pair");
    let mut options = Options::new();
    options.capacity_messages(8).capacity_bytes(4096);
    let left = options.begin(left).expect("a half");
    let right = options.begin(right).expect("a half");
    left.finish().expect("the other");
    right.finish().expect("the other");
    let asker = left.channel().expect("both");
    (0..5_u64).for_each(|number| {
        let asked = asker.sender().send(&number.to_le_bytes());
        asked.expect("room");
    });
    (asker, right.channel().expect("both").responder())
}

fn takes_five(asker: &ipc_ring::Channel) {
    for number in 0..5_u64 {
        let mut reply = Vec::new();
        asker.receiver().recv_vec(&mut reply).expect("a reply");
        assert_eq!(reply[..8], number.to_le_bytes());
    }
}

fn large(_: &[u8], reply: &mut Vec<u8>) {
    reply.resize(1_000, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_awaited_responder_sends_what_it_owes_once_there_is_room() {
    let _watchdog = watchdog(PATIENCE);
    let (asker, responder) = asked();
    let responder = Async::new(responder).expect("registered");
    let answering = tokio::spawn(async move {
        loop {
            let answer = |responder: &ipc_ring::Responder| responder.try_answer(large);
            if let Err(error) = responder.ready(Interest::Read, answer).await {
                return error.kind();
            }
        }
    });
    while asker
        .receiver()
        .wait_ready(&[Interest::Read], ipc_core::Until::Now)
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(move || takes_five(&asker))
        .await
        .expect("no panic");
    assert_eq!(
        answering.await.expect("no panic"),
        ipc_ring::ErrorKind::Closed
    );
}

#[test]
fn a_responder_in_a_wait_set_sends_what_it_owes_once_there_is_room() {
    let _watchdog = watchdog(PATIENCE);
    let (asker, responder) = asked();
    let answers = || {
        let set = ipc_async::WaitSet::new();
        set.add(&responder, ()).expect("added");
        let mut told = 0;
        loop {
            set.wait().expect("ready");
            told += 1;
            match responder.try_answer(large) {
                Ok(()) => {}
                Err(error) if error.kind() == ipc_ring::ErrorKind::WouldBlock => {}
                Err(error) => return (error.kind(), told),
            }
        }
    };
    std::thread::scope(|scope| {
        let answering = scope.spawn(answers);
        std::thread::park_timeout(Duration::from_millis(20));
        takes_five(&asker);
        drop(asker);
        let (end, told) = answering.join().expect("no panic");
        assert_eq!(end, ipc_ring::ErrorKind::Closed);
        assert!(told < 50, "it was told {told} times");
    });
}
