//! Who comes to a queue and who goes: limits, late comers, deaths, and what the others see.

use crate::queue::{message, options};
use ipc_core::{Interest, Pollable, Until};
use ipc_ring::{ErrorKind, MAX_MEMBERS, Options, Spin};
use ipc_sys::{PollFd, PollFlags, wait_any};
use ipc_testkit::{Role, Stage, TempDir, isolated, skip, watchdog};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_queue_has_so_many_members_and_no_more() {
    // Each member has a descriptor of each other.
    const DESCRIPTORS: u64 = 5_000;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|most| most < DESCRIPTORS) {
        skip!("fewer than {DESCRIPTORS} descriptors (RLIMIT_NOFILE)");
    }
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let current = Some(DESCRIPTORS);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("up to the maximum");
        let queue = options().queue().expect("memory");
        let consumer = queue.consumer().expect("a seat");
        let mut producers: Vec<_> = (1..MAX_MEMBERS)
            .map(|_| queue.producer().expect("a seat"))
            .collect();
        let error = queue.producer().expect_err("no seat");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        let error = queue.consumer().expect_err("no seat");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert_eq!(queue.members().expect("counted"), (MAX_MEMBERS - 1, 1));
        producers.pop();
        let late = queue.producer().expect("the seat of one that left");
        late.send(b"late").expect("room");
        assert_eq!(consumer.recv(&mut [0; 8]).expect("a message"), 4);
        assert_eq!(consumer.producers().expect("counted"), MAX_MEMBERS - 1);
    });
}

#[test]
fn a_member_that_never_looks_keeps_nobody_out_and_hears_of_all_when_it_does() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let idle = queue.consumer().expect("a seat");
    for number in 0..1_000_u64 {
        let producer = queue.producer().expect("a seat");
        if number % 100 == 0 {
            producer.send(&number.to_le_bytes()).expect("room");
        }
    }
    let last = queue.producer().expect("a seat");
    let mut buffer = [0; 8];
    for number in 0..10 {
        assert_eq!(idle.recv(&mut buffer).expect("a message"), 8);
        assert_eq!(u64::from_le_bytes(buffer), number * 100);
    }
    assert_eq!(idle.producers().expect("counted"), 1);
    let none = idle.try_recv(&mut buffer).expect_err("nothing");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    // It can wake who came last.
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| (0..100).try_for_each(|_| last.send(b"message!")));
        for _ in 0..100 {
            assert_eq!(idle.recv(&mut buffer).expect("a message"), 8);
        }
        sending.join().expect("no panic").expect("sent");
    });
}

#[test]
fn who_counts_the_others_takes_no_ring_from_a_thread_that_waits() {
    let _watchdog = watchdog(PATIENCE);
    let mut sleepy = options();
    let queue = sleepy.spin(Spin::Never).queue().expect("memory");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                let _ = consumer.producers().expect("counted");
            }
        });
        scope.spawn(|| (0..5_000).for_each(|_| producer.send(b"message!").expect("room comes")));
        for _ in 0..5_000 {
            assert_eq!(consumer.recv(&mut [0; 8]).expect("a message"), 8);
        }
        over.store(true, SeqCst);
    });
}

#[test]
fn who_counts_the_others_takes_nothing_from_who_awaits_the_descriptor() {
    let _watchdog = watchdog(PATIENCE);
    let Beginner { queue, child, .. } = beginner("fill");
    let consumer = queue.consumer().expect("a seat");
    let is_told = || {
        let fd = consumer.descriptor(Interest::Read);
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        wait_any(&mut fds, Until::Now).expect("polled")
    };
    assert_eq!(consumer.recv(&mut [0; 16]).expect("committed"), 9);
    assert!(!consumer.arm(Interest::Read).expect("armed"));
    assert!(!is_told());
    let second = queue.producer().expect("a seat");
    second.send(b"message").expect("room");
    assert_eq!(consumer.producers().expect("counted"), 2);
    assert!(is_told(), "of a message");
    assert_eq!(consumer.recv(&mut [0; 16]).expect("it came"), 7);
    drop(second);
    assert!(!consumer.arm(Interest::Read).expect("armed"));
    assert!(!is_told());
    child.kill();
    child.wait_dead();
    assert_eq!(consumer.producers().expect("counted"), 0);
    assert!(is_told(), "of a death");
    let end = consumer.recv(&mut [0; 16]).expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::PeerDied);
}

#[test]
fn members_go_on_without_the_maker_until_the_last_has_gone() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let lonely = options().queue().expect("memory");
    let alone = lonely.consumer().expect("a seat");
    drop((queue, lonely));
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            (0..1_000).for_each(|number| producer.send(&message(0, number)).expect("sent"));
        });
        let mut buffer = Vec::new();
        for number in 0..1_000 {
            consumer.recv_vec(&mut buffer).expect("a message");
            assert_eq!(buffer, message(0, number));
        }
        sending.join().expect("no panic");
        let end = consumer.recv_vec(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
        // Nobody can ever come to it.
        let end = alone.recv_vec(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    });
}

#[test]
fn who_comes_after_the_end_begins_anew() {
    let _watchdog = watchdog(PATIENCE);
    let queue = options().queue().expect("memory");
    let consumer = queue.consumer().expect("a seat");
    let mut buffer = [0; 8];
    // Before anybody came there is nothing that could have ended.
    let none = consumer.recv_timeout(&mut buffer, Duration::from_millis(1));
    assert_eq!(none.expect_err("nobody yet").kind(), ErrorKind::TimedOut);
    for _ in 0..3 {
        let producer = queue.producer().expect("a seat");
        producer.send(b"one").expect("room");
        drop(producer);
        assert_eq!(consumer.recv(&mut buffer).expect("a message"), 3);
        let end = consumer.recv(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    }
    let producer = queue.producer().expect("a seat");
    drop(consumer);
    let end = producer.send(b"nobody").expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::Closed);
    let consumer = queue.consumer().expect("a seat");
    producer.send(b"somebody").expect("room");
    assert_eq!(consumer.recv(&mut buffer).expect("a message"), 8);
}

pub(crate) fn silent_member(stage: Stage) {
    let (path, fill) = (stage.argument(0), stage.argument(1) == "fill");
    if stage.argument(2) == "consumer" {
        let _consumer = Options::new().consume(path).expect("it listens");
        park();
    }
    let producer = Options::new().produce(path).expect("it listens");
    producer.send(b"committed").expect("room");
    let slot = producer.loan(9).expect("room");
    producer_says(&stage);
    if fill {
        park();
    }
    // Stopped meanwhile, and continued.
    let go = ipc_ring::connect(stage.argument(3)).expect("it listens");
    go.receiver().recv(&mut [0; 8]).expect("go");
    slot.send().expect("its slot is its own");
    park();
}

fn producer_says(stage: &Stage) {
    let told = ipc_ring::connect(stage.argument(3)).expect("it listens");
    told.sender().send(b"ready").expect("heard");
    told.receiver().recv(&mut [0; 8]).expect("heard");
}

fn park() -> ! {
    loop {
        std::thread::park();
    }
}

/// A producer in another process, that has sent one message and begun another.
struct Beginner {
    queue: ipc_ring::Queue,
    child: ipc_testkit::Child,
    told: ipc_ring::Listener,
    _dir: TempDir,
}

fn beginner(fill: &str) -> Beginner {
    let dir = TempDir::new();
    let (path, told) = (dir.join("queue"), dir.join("told"));
    let listener = Options::new().bind(&path).expect("bind");
    let told_here = Options::new().bind(&told).expect("bind");
    let queue = options().queue().expect("memory");
    let child = Role::new("silent member")
        .argument(path.display())
        .argument(fill)
        .argument("producer")
        .argument(told.display())
        .spawn();
    queue.accept(&listener).expect("it comes");
    let channel = told_here.accept().expect("it says so");
    channel.receiver().recv(&mut [0; 8]).expect("ready");
    channel.sender().send(b"!").expect("heard");
    Beginner {
        queue,
        child,
        told: told_here,
        _dir: dir,
    }
}

#[test]
fn what_a_dead_producer_had_begun_is_skipped_and_what_it_had_committed_comes() {
    let _watchdog = watchdog(PATIENCE);
    let Beginner { queue, child, .. } = beginner("fill");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let mut buffer = [0; 256];
    assert_eq!(consumer.recv(&mut buffer).expect("a message"), 9);
    assert_eq!(&buffer[..9], b"committed");
    std::thread::scope(|scope| {
        // Others pass its slot, until the ring comes round to it.
        let sending = scope.spawn(move || {
            for number in 0..100 {
                producer.send(&message(0, number)).expect("sent");
            }
        });
        let mut came = Vec::new();
        for number in 0..15 {
            consumer.recv_vec(&mut came).expect("a message");
            assert_eq!(came, message(0, number));
        }
        let waiting = consumer.recv_timeout(&mut buffer, Duration::from_millis(20));
        assert_eq!(waiting.expect_err("its slot").kind(), ErrorKind::TimedOut);
        child.kill();
        for number in 15..100 {
            consumer.recv_vec(&mut came).expect("a message");
            assert_eq!(came, message(0, number));
        }
        sending.join().expect("no panic");
    });
    let end = consumer.recv(&mut buffer).expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::PeerDied);
    child.wait_dead();
}

#[test]
fn a_death_is_told_though_another_came_before_anybody_looked() {
    let _watchdog = watchdog(PATIENCE);
    for killed_first in [true, false] {
        let Beginner { queue, child, .. } = beginner("fill");
        let consumer = queue.consumer().expect("a seat");
        assert_eq!(consumer.producers().expect("counted"), 1);
        let second = (!killed_first).then(|| queue.producer().expect("a seat"));
        child.kill();
        child.wait_dead();
        // Now it sits where the dead one sat.
        drop(second.unwrap_or_else(|| queue.producer().expect("a seat")));
        let mut buffer = [0; 16];
        assert_eq!(consumer.recv(&mut buffer).expect("committed"), 9);
        let end = consumer.recv(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::PeerDied);
        // The end was told: what comes now begins anew.
        drop(queue.producer().expect("a seat"));
        let end = consumer.recv(&mut buffer).expect_err("the end");
        assert_eq!(end.kind(), ErrorKind::Closed);
    }
}

#[test]
fn the_slot_of_a_stopped_producer_is_its_own() {
    let _watchdog = watchdog(PATIENCE);
    let Beginner {
        queue,
        child,
        told,
        _dir,
    } = beginner("stop");
    let (producer, consumer) = (
        queue.producer().expect("a seat"),
        queue.consumer().expect("a seat"),
    );
    let mut buffer = [0; 256];
    assert_eq!(consumer.recv(&mut buffer).expect("a message"), 9);
    let stopped = rustix::process::pidfd_send_signal(child.pidfd(), Signal::STOP);
    stopped.expect("our own child");
    // All other slots, round after round, for as long as its own does not come.
    let (mut sent, mut came) = (0, Vec::new());
    while producer.try_send(&message(0, sent)).is_ok() {
        consumer.recv_vec(&mut came).expect("a message");
        assert_eq!(came, message(0, sent));
        sent += 1;
    }
    assert_eq!(sent, 15);
    let full = producer.send_timeout(&message(0, sent), Duration::from_millis(20));
    assert_eq!(full.expect_err("its slot").kind(), ErrorKind::TimedOut);
    assert_eq!(queue.members().expect("counted"), (2, 1));
    let gone_on = rustix::process::pidfd_send_signal(child.pidfd(), Signal::CONT);
    gone_on.expect("our own child");
    let channel = told.accept().expect("it goes on");
    channel.sender().send(b"!").expect("heard");
    assert_eq!(consumer.recv(&mut buffer).expect("its message"), 9);
    producer.send(&message(0, sent)).expect("room");
    consumer.recv_vec(&mut came).expect("a message");
    assert_eq!(came, message(0, sent));
}

#[test]
fn the_last_consumers_death_ends_every_wait_of_producers() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("queue");
    let listener = Options::new().bind(&path).expect("bind");
    let queue = options().queue().expect("memory");
    let child = Role::new("silent member")
        .argument(path.display())
        .argument("")
        .argument("consumer")
        .spawn();
    queue.accept(&listener).expect("it comes");
    let producers = [(); 2].map(|()| queue.producer().expect("a seat"));
    std::thread::scope(|scope| {
        let sending = producers.each_ref().map(|producer| {
            scope.spawn(move || {
                loop {
                    if let Err(error) = producer.send(b"message") {
                        return error.kind();
                    }
                }
            })
        });
        child.kill();
        for sending in sending {
            assert_eq!(sending.join().expect("no panic"), ErrorKind::PeerDied);
        }
    });
    child.wait_dead();
}
