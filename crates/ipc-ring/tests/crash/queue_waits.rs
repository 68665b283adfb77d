//! C5 and C7 for a queue, and what waiting at it costs: no wake-up is lost, no call is made by who
//! polls, no time is taken by who is blocked.

use crate::deaths::LIMIT;
use crate::polled::{IN_VAIN, calls_of_nothing, time_of};
use crate::queues::member;
use ipc_ring::{Consumer, Options, Producer, Queue, Spin};
use ipc_testkit::crash::{Forked, Lab, Tally, calm_and_stormy, kill_at_call, ping_pong};
use ipc_testkit::shared_words;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Clients, and servers, of a crowd.
const CROWD: usize = 2;
/// Rounds of one comparison.
const ROUNDS: u64 = 200;

type Ends = (Vec<Producer>, Vec<Consumer>);

/// A queue of so many producers and consumers. Copies of this process use one of each, so that
/// none sees an end.
fn queue(spin: Spin, messages: usize, members: usize) -> Ends {
    let mut options = Options::new();
    options.spin(spin).capacity_messages(messages);
    let queue = options.queue().expect("memory");
    let seats = || 0..members;
    let producers = seats().map(|_| queue.producer().expect("a seat"));
    let producers = producers.collect();
    let consumers = seats().map(|_| queue.consumer().expect("a seat"));
    (producers, consumers.collect())
}

pub(crate) fn no_wake_up_is_lost(lab: &mut Lab) {
    for (spin, what) in [
        (Spin::Never, "without spinning"),
        (Spin::Learned, "learned"),
    ] {
        let what = format!("{CROWD} clients and {CROWD} servers by two queues, {what}");
        let mut tally = Tally::new("C5", what);
        let (there, back) = (queue(spin, 1, CROWD), queue(spin, 2, CROWD));
        let rounds = lab.count(50_000, 50_000_000, 500_000_000);
        ping_pong(&mut tally, rounds, CROWD, |which, client| {
            let buffer = &mut [0; 8];
            // Any server answers any client: each has as many answers as it has asked.
            if client {
                there.0[which].send(b"question").expect("room");
                assert_eq!(back.1[which].recv(buffer).expect("an answer"), 6);
            } else {
                assert_eq!(there.1[which].recv(buffer).expect("a question"), 8);
                back.0[which].send(b"answer").expect("room");
            }
        });
        lab.enter(tally);
    }
}

pub(crate) fn a_dead_sleeper_is_not_woken_in_anothers_place(lab: &mut Lab) {
    let what = "queue: who sits where a sleeper died is not woken for it";
    let mut tally = Tally::new("C5", what);
    let words = shared_words(2);
    let asleep = |queue: &Queue, part: &dyn Fn(&Consumer)| {
        let copy = member(queue, |socket| {
            let consumer = Options::new().spin(Spin::Never).consume_over(socket);
            let consumer = consumer.expect("a member");
            words[1].store(1, SeqCst);
            part(&consumer);
        });
        while words[1].load(SeqCst) == 0 || !copy.is_asleep() {
            std::thread::yield_now();
        }
        words[1].store(0, SeqCst);
        copy
    };
    for _ in 0..lab.count(20, 2_000, 20_000) {
        words.iter().for_each(|word| word.store(0, SeqCst));
        let queue = Options::new().queue().expect("memory");
        let receive = |consumer: &Consumer| {
            if consumer.recv(&mut [0; 8]).is_ok() {
                words[0].store(1, SeqCst);
            }
        };
        let dead = asleep(&queue, &receive);
        let waiting = asleep(&queue, &receive);
        dead.kill_unreaped();
        // It sits there, and does not receive.
        let busy = asleep(&queue, &|_| {
            // A thread of the laboratory's may have left a token behind, by which one park ends.
            loop {
                std::thread::park();
            }
        });
        let producer = queue.producer().expect("a seat");
        producer.send(b"message").expect("room");
        let begun = Instant::now();
        while words[0].load(SeqCst) == 0 && begun.elapsed() < LIMIT {
            std::thread::yield_now();
        }
        let came = words[0].load(SeqCst) == 1;
        waiting.kill();
        busy.kill();
        tally.trial(match came {
            true => Ok(()),
            false => Err("the one that waits was not woken".into()),
        });
    }
    lab.enter(tally);
}

pub(crate) fn a_storm_of_signals_changes_nothing(lab: &mut Lab) {
    let mut tally = Tally::new("C7", "queue: send and receive, 10,000 signals a second");
    let time = Duration::from_millis(lab.count(1_000, 100_000, 600_000));
    calm_and_stormy(
        &mut tally,
        time,
        || [queue(Spin::Never, 4, 1), queue(Spin::Never, 4, 1)],
        |[there, back], first| {
            let (tx, rx) = match first {
                true => (&there.0[0], &back.1[0]),
                false => (&back.0[0], &there.1[0]),
            };
            let (mut seen, mut buffer) = (0, [0; 8]);
            for round in 0..ROUNDS {
                let message = (round * 7).to_le_bytes();
                match round % 2 {
                    0 => tx.send(&message),
                    _ => tx.send_timeout(&message, LIMIT),
                }
                .expect("it is taken");
                match round % 3 {
                    0 => rx.recv(&mut buffer),
                    1 => rx.recv_timeout(&mut buffer, LIMIT),
                    _ => rx.recv_deadline(&mut buffer, Instant::now() + LIMIT),
                }
                .expect("it comes");
                seen = (seen * 31 + u64::from_le_bytes(buffer)) % (1 << 32);
            }
            seen
        },
    );
    lab.enter(tally);
}

pub(crate) fn no_system_call(lab: &mut Lab) {
    let messages = lab.count(5_000, 100_000, 1_000_000);
    for size in [8, 48, 300] {
        let what = format!("queue: {messages} polled messages of {size} bytes: no system call");
        let mut tally = Tally::new("0", what);
        let (producers, consumers) = queue(Spin::Learned, 1024, 2);
        let message = vec![7; size];
        // Each learns of those who came after it.
        for (producer, consumer) in producers.iter().zip(&consumers) {
            producer.send(b"first").expect("room");
            assert_eq!(consumer.recv(&mut [0; 8]).expect("a message"), 5);
            assert!(consumer.try_recv(&mut [0; 8]).is_err());
        }
        let poll = || {
            let mut buffer = [0; 512];
            for round in 0..messages as usize {
                let (producer, consumer) = (&producers[round % 2], &consumers[round / 2 % 2]);
                for _ in 0..IN_VAIN {
                    assert!(consumer.try_recv(&mut buffer).is_err());
                }
                producer.try_send(&message).expect("room");
                assert_eq!(consumer.try_recv(&mut buffer).expect("a message"), size);
            }
        };
        match calls_of_nothing().and_then(|calls| kill_at_call(poll, calls + 1)) {
            Ok(false) => tally.trial(Ok(())),
            Ok(true) => tally.trial(Err("a system call was made".into())),
            Err(reason) => tally.skip(reason),
        }
        lab.enter(tally);
    }
}

pub(crate) fn no_time_while_blocked(lab: &mut Lab) {
    let what = "a blocked producer and a blocked consumer of a queue take no time";
    let mut tally = Tally::new("0", what);
    let receive = |(_, consumers): &Ends| drop(consumers[0].recv(&mut [0; 8]));
    let send = |(producers, _): &Ends| while producers[0].send(&[1; 8]).is_ok() {};
    let parts: [&dyn Fn(&Ends); 2] = [&receive, &send];
    for part in parts {
        let ends = queue(Spin::Learned, 8, 2);
        let blocked = Forked::new(|| part(&ends));
        while !blocked.is_asleep() {
            std::thread::yield_now();
        }
        let before = time_of(&blocked);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let after = time_of(&blocked);
        let still = blocked.is_asleep() && !before.is_empty() && before == after;
        tally.trial(match still {
            true => Ok(()),
            false => Err(format!("{before:?}, then {after:?}")),
        });
    }
    lab.enter(tally);
}
