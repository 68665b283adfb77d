//! A channel that nobody uses costs nothing, whoever waits at it and however.

use crate::broadcast::with_readers;
use ipc_core::{Interest, Pollable};
use ipc_ring::{Consumer, Options, Producer, Spin};
use ipc_testkit::watchdog;
use rustix::event::{PollFd, PollFlags, poll};
use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long nothing happens.
const IDLE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);
/// Of the limits on sleeps, longer than any test.
const LONG: Duration = Duration::from_secs(1_000);
const SPINS: [Spin; 2] = [Spin::Learned, Spin::Never];

/// A thread that waits comes to rest behind what `begin` does, and then nothing wakes it: no
/// message, no clock. `end` ends its wait.
fn rests<T>(
    what: &str,
    wait: impl FnOnce() + Send,
    begin: impl FnOnce() -> T,
    end: impl FnOnce(T),
) {
    let (say, who) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let link = fs::read_link("/proc/thread-self").expect("a thread of ours");
            say.send(link).expect("somebody listens");
            wait();
        });
        let thread = Path::new("/proc").join(who.recv().expect("it runs"));
        let read = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
        let begun = begin();
        let mut turns = read("schedstat");
        assert!(!turns.is_empty(), "{what}");
        loop {
            let still = Instant::now();
            while still.elapsed() < IDLE {
                std::hint::spin_loop();
            }
            let before = std::mem::replace(&mut turns, read("schedstat"));
            if before == turns {
                break;
            }
        }
        assert_eq!(timers(), 0, "{what}: a timer is set");
        end(begun);
    });
}

/// Timers that this process has made.
fn timers() -> usize {
    let posix = fs::read_to_string("/proc/self/timers").unwrap_or_default();
    posix.lines().filter(|line| line.starts_with("ID")).count()
}

fn small(spin: Spin) -> Options {
    let mut options = Options::new();
    options
        .capacity_messages(4)
        .capacity_bytes(4 * 64)
        .spin(spin);
    options
}

/// Two members of a queue, whose end of one the other sees, since the queue itself is gone.
fn members(spin: Spin) -> (Producer, Consumer) {
    let queue = small(spin).queue().expect("memory");
    let producer = queue.producer().expect("a seat");
    (producer, queue.consumer().expect("a seat"))
}

#[test]
fn an_idle_receiver_takes_no_time_and_has_no_timer() {
    let _watchdog = watchdog(PATIENCE);
    for spin in SPINS {
        let (sender, receiver) = Options::new().spin(spin).pair().expect("a pair");
        for _ in 0..1_000 {
            sender.send(&[1; 8]).expect("sent");
        }
        let wait = move || while receiver.recv(&mut [0; 8]).is_ok() {};
        rests("a receiver", wait, || sender, drop);
    }
}

#[test]
fn a_blocked_sender_takes_no_time_and_has_no_timer() {
    let _watchdog = watchdog(PATIENCE);
    for spin in SPINS {
        let (sender, receiver) = small(spin).pair().expect("a pair");
        let wait = move || while sender.send(&[1; 8]).is_ok() {};
        rests("a sender", wait, || receiver, drop);
    }
}

#[test]
fn a_wait_with_a_far_deadline_takes_no_time() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = small(Spin::Never).pair().expect("a pair");
    let (answers, asks) = small(Spin::Never).pair().expect("a pair");
    let wait = move || {
        while receiver.recv_timeout(&mut [0; 8], LONG).is_ok() {
            answers.send(&[2; 8]).expect("sent");
        }
    };
    // It sleeps so often that it has descriptors for that.
    let begin = || {
        for _ in 0..200 {
            sender.send(&[1; 8]).expect("sent");
            asks.recv(&mut [0; 8]).expect("an answer");
        }
        sender
    };
    rests("a receiver with a deadline", wait, begin, drop);
}

#[test]
fn the_sides_of_an_idle_queue_take_no_time_and_have_no_timer() {
    let _watchdog = watchdog(PATIENCE);
    for spin in SPINS {
        let (producer, consumer) = members(spin);
        producer.send(&[1; 8]).expect("sent");
        let wait = move || while consumer.recv(&mut [0; 8]).is_ok() {};
        rests("a consumer", wait, || producer, drop);

        let (producer, consumer) = members(spin);
        let wait = move || while producer.send(&[1; 8]).is_ok() {};
        rests("a producer", wait, || consumer, drop);
    }
}

#[test]
fn the_sides_of_an_idle_broadcast_take_no_time_and_have_no_timer() {
    let _watchdog = watchdog(PATIENCE);
    for spin in SPINS {
        let (writer, mut readers) = with_readers(&small(spin), 1);
        let reader = readers.remove(0);
        writer.send(&[1; 8]).expect("sent");
        let wait = move || while reader.recv(&mut [0; 8]).is_ok() {};
        rests("a subscriber", wait, || writer, drop);

        let (writer, readers) = with_readers(&small(spin), 1);
        // The last reader's leaving ends no broadcast: messages are then sent to nobody.
        let wait = move || {
            for _ in 0..16 {
                writer.send(&[1; 8]).expect("sent");
            }
        };
        rests("a broadcaster", wait, || readers, drop);
    }
}

#[test]
fn a_polled_end_takes_no_time_and_has_no_timer() {
    let _watchdog = watchdog(PATIENCE);
    let (sender, receiver) = small(Spin::Learned).pair().expect("a pair");
    sender.send(&[1; 8]).expect("sent");
    receiver.recv(&mut [0; 8]).expect("a message");
    let wait = move || {
        while !receiver.arm(Interest::Read).expect("armed") {
            let bell = receiver.descriptor(Interest::Read);
            poll(&mut [PollFd::from_borrowed_fd(bell, PollFlags::IN)], None).expect("polled");
        }
    };
    rests("a polled end", wait, || sender, drop);
}
