//! What the ends of a queue can do: policies, loans, batches, and the same awaited.

use crate::queue::{message, options};
use ipc_ring::{Batch, ErrorKind, Options, WhenFull};
use ipc_testkit::watchdog;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn policies_of_a_full_queue() {
    let _watchdog = watchdog(PATIENCE);
    let full_queue = |when_full| {
        let mut options = Options::new();
        options.capacity_messages(4).when_full(when_full);
        let queue = options.queue().expect("memory");
        let ends = (queue.producer(), queue.consumer());
        let (producer, consumer) = (ends.0.expect("a seat"), ends.1.expect("a seat"));
        let sent = (0..10_u8).map(|number| producer.send(&[number]).map_err(|e| e.kind()));
        let sent: Vec<_> = sent.collect();
        let mut batch = Batch::new();
        let count = consumer.try_recv_batch(&mut batch, 16).expect("messages");
        assert_eq!(count, 4);
        let came: Vec<u8> = batch.iter().map(|message| message[0]).collect();
        (sent, came, producer.dropped(), consumer.dropped())
    };
    let (sent, came, ours, all) = full_queue(WhenFull::Fail);
    assert!(sent[..4].iter().all(Result::is_ok));
    assert!(sent[4..].iter().all(|sent| *sent == Err(ErrorKind::Full)));
    assert_eq!((came, ours, all), (vec![0, 1, 2, 3], 0, 0));
    let (sent, came, ours, all) = full_queue(WhenFull::DropNewest);
    assert!(sent.iter().all(Result::is_ok));
    assert_eq!((came, ours, all), (vec![0, 1, 2, 3], 6, 0));
    let (sent, came, ours, all) = full_queue(WhenFull::DropOldest);
    assert!(sent.iter().all(Result::is_ok));
    assert_eq!((came, ours, all), (vec![6, 7, 8, 9], 6, 6));
}

#[test]
fn who_has_not_looked_for_many_rounds_finds_the_newest_messages() {
    let _watchdog = watchdog(PATIENCE);
    const SENT: u64 = 200_000;
    let mut options = Options::new();
    options.capacity_messages(8).when_full(WhenFull::DropOldest);
    let queue = options.queue().expect("memory");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    // No producer brings the head past what came to nothing.
    drop(producer.loan(8).expect("room"));
    for number in 0..SENT {
        producer
            .send(&number.to_le_bytes())
            .expect("it never waits");
    }
    let mut buffer = [0; 8];
    for number in SENT - 8..SENT {
        assert_eq!(consumer.recv(&mut buffer).expect("a message"), 8);
        assert_eq!(u64::from_le_bytes(buffer), number);
    }
    assert_eq!(consumer.dropped(), SENT - 8);
}

#[test]
fn loans_batches_and_sizes() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let most = queue.max_message_bytes();
    assert_eq!((most, consumer.max_message_bytes()), (240, most));
    let large = producer.send(&vec![1; most + 1]).expect_err("too large");
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    producer.send(&vec![1; most]).expect("as large as can be");
    let small = consumer.recv(&mut [0; 8]).expect_err("too small");
    assert_eq!(small.kind(), ErrorKind::TooLarge);
    assert_eq!(consumer.recv(&mut [0; 240]).expect("it stayed"), most);
    let mut slot = producer.loan(6).expect("room");
    slot.write(b"abc").expect("inside");
    slot.write_at(3, b"def").expect("inside");
    let beyond = slot.write(b"ghijk").expect_err("beyond");
    assert_eq!(beyond.kind(), ErrorKind::InvalidInput);
    slot.send().expect("committed");
    drop(producer.loan(6).expect("room"));
    let messages: [&[u8]; 4] = [b"one", b"", b"three", &[0; 500]];
    assert_eq!(producer.send_batch(&messages).expect("sent"), 3);
    let mut batch = Batch::new();
    assert_eq!(consumer.recv_batch(&mut batch, 9).expect("messages"), 4);
    assert!(batch.iter().eq([&b"abcdef"[..], b"one", b"", b"three"]));
    let none = consumer.try_recv_batch(&mut batch, 9).expect_err("nothing");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_a_producer_has_forgotten_is_given_back_when_it_leaves() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let consumer = queue.consumer().expect("a seat");
    for _ in 0..2 {
        let careless = queue.producer().expect("a seat");
        careless.send(b"sent").expect("room");
        std::mem::forget(careless.loan(6).expect("room"));
        let lent = careless.send(b"more").expect_err("its slot is lent");
        assert_eq!(lent.kind(), ErrorKind::Deadlock);
        drop(careless);
        assert_eq!(consumer.recv(&mut [0; 8]).expect("a message"), 4);
    }
    let producer = queue.producer().expect("a seat");
    for _ in 0..40 {
        producer.try_send(b"message").expect("room");
        assert_eq!(consumer.recv(&mut [0; 8]).expect("a message"), 7);
    }
}

#[test]
fn a_slot_that_no_number_counts_is_refused_before_there_is_memory() {
    let mut options = Options::new();
    options.capacity_messages(1).capacity_bytes(1 << 32);
    options.max_receive_bytes(usize::MAX);
    let error = options.queue().expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awaited_members_lose_nothing_and_see_the_end() {
    use ipc_async::Async;
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let consumer = Async::new(queue.consumer().expect("a seat")).expect("registered");
        tasks.push(tokio::spawn(async move {
            let (mut buffer, mut sum, mut count) = (Vec::new(), 0_u64, 0_u64);
            loop {
                // One that gives up now and then is told as the others are.
                let ready = tokio::time::timeout(
                    Duration::from_micros(100),
                    consumer.recv_vec(&mut buffer),
                );
                match ready.await {
                    Err(_) => {}
                    Ok(Ok(())) => {
                        sum += u64::from_le_bytes(buffer[8..16].try_into().expect("8 bytes"));
                        count += 1;
                    }
                    Ok(Err(error)) => return (sum, count, error.kind()),
                }
            }
        }));
    }
    let mut senders = Vec::new();
    for who in 0..2 {
        let producer = Async::new(queue.producer().expect("a seat")).expect("registered");
        senders.push(tokio::spawn(async move {
            for number in 0..3_000 {
                producer.send(&message(who, number)).await.expect("sent");
            }
        }));
    }
    for sender in senders {
        sender.await.expect("no panic");
    }
    let (mut sum, mut count) = (0, 0);
    for task in tasks {
        let (its_sum, its_count, end) = task.await.expect("no panic");
        assert_eq!(end, ErrorKind::Closed);
        (sum, count) = (sum + its_sum, count + its_count);
    }
    assert_eq!((sum, count), (2_999 * 3_000, 6_000));
}
