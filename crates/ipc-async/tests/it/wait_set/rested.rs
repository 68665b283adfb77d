//! Who was asked and has nothing is left alone, until it is used: then nothing of it is missed.

use super::{PATIENCE, this_thread, until_asleep};
use ipc_async::{Interest, WaitSet};
use ipc_core::{Framed, Pollable, Rest, Result, TryRecv, Until};
use ipc_testkit::{isolated, watchdog};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(1);

/// Framed messages that count how often a set asks for them.
struct Counted {
    inner: Framed<ipc_uds::Stream>,
    asked: AtomicU64,
}

impl Counted {
    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Pollable for Counted {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.inner.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.wait_ready(interests, until)
    }
    fn is_armed(&self, interest: Interest) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.is_armed(interest)
    }
    fn has_buffered(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.has_buffered()
    }
    fn shows_truly(&self) -> bool {
        self.inner.shows_truly()
    }
    fn rest(&self, interest: Interest) -> Option<&Rest> {
        self.inner.rest(interest)
    }
}

/// In a process of its own, since whatever any set of a process relies on may disturb this one.
#[test]
fn a_wait_asks_none_of_the_idle() {
    isolated!({
        const IDLE: usize = 100;
        let _watchdog = watchdog(PATIENCE);
        let (tx, members): (Vec<_>, Vec<_>) = (0..=IDLE)
            .map(|_| {
                let (near, far) = ipc_uds::pair().expect("sockets");
                let (inner, asked) = (far.framed(), AtomicU64::new(0));
                (near.framed(), Counted { inner, asked })
            })
            .unzip();
        let set = WaitSet::new();
        for (key, member) in members.iter().enumerate() {
            set.add(member, key).expect("added");
        }
        set.try_wait().expect_err("nothing is there");
        let (idle, used) = (&members[..IDLE], &members[IDLE]);
        let before: Vec<u64> = idle.iter().map(Counted::asked).collect();
        // Others in the process that nobody relies on disturb nobody.
        let (other_tx, other) = ipc_ring::pair().expect("a ring");
        let mut bytes = [0; 8];
        for _ in 0..100 {
            // Several at once, so that all but one of them are in memory when they are told.
            for number in 0..3_u64 {
                tx[IDLE].send(&number.to_le_bytes()).expect("sent");
            }
            for number in 0..3_u64 {
                assert_eq!(set.wait().expect("a message"), IDLE);
                assert_eq!(used.inner.try_recv(&mut bytes).expect("a message"), 8);
                assert_eq!(u64::from_le_bytes(bytes), number);
            }
            let late = other.recv_timeout(&mut bytes, Duration::from_micros(1));
            late.expect_err("nothing was sent");
        }
        set.try_wait().expect_err("all is taken");
        let after: Vec<u64> = idle.iter().map(Counted::asked).collect();
        assert_eq!(before, after);
        assert!(
            used.asked() > 300,
            "the one that is used is asked each time"
        );
        drop((tx, other_tx));
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn a_frame_that_an_untold_receive_leaves_in_memory_is_told() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = ipc_uds::pair().expect("sockets");
    let (pipe_tx, pipe_rx) = ipc_pipe::pair().expect("a pipe");
    let (ring_tx, ring_rx) = crate::ring_streams();
    untold(&near.framed(), &far.framed());
    untold(&pipe_tx.framed(), &pipe_rx.framed());
    untold(&ring_tx.framed(), &ring_rx.framed());
}

/// Receives one of two frames without having been told of them.
fn untold<S, T>(tx: &Framed<S>, rx: &Framed<T>)
where
    S: ipc_core::ByteSink,
    T: ipc_core::ByteSource + Send + Sync,
{
    let (set, other) = (WaitSet::new(), WaitSet::new());
    set.add(rx, ()).expect("added");
    // Another set relies on the same endpoint.
    other.add(rx, ()).expect("added");
    let mut bytes = [0; 8];
    for round in 0..50 {
        set.try_wait().expect_err("nothing is there");
        other.try_wait().expect_err("nothing is there");
        tx.send(b"first").expect("sent");
        tx.send(b"second").expect("sent");
        assert_eq!(rx.recv(&mut bytes).expect("a message"), 5);
        set.wait().expect("the second is in memory");
        other.wait().expect("so it is to the other set");
        if round % 2 == 0 {
            assert_eq!(rx.recv(&mut bytes).expect("the second"), 6);
        } else {
            assert_eq!(rx.try_recv(&mut bytes).expect("the second"), 6);
            rx.try_recv(&mut bytes).expect_err("both are taken");
        }
    }
}

#[test]
fn a_ring_that_slept_or_heard_its_bell_untold_is_told() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_ring::pair().expect("a ring");
    let set = WaitSet::new();
    set.add(&rx, ()).expect("added");
    let mut bytes = [0; 8];
    for round in 0..60 {
        set.try_wait().expect_err("nothing is there");
        match round % 3 {
            // It slept, and its sender need not ring any more.
            0 => {
                _ = rx
                    .recv_timeout(&mut bytes, MOMENT)
                    .expect_err("nothing was sent")
            }
            // It was rung for, and heard that while it tried in vain.
            1 => {
                tx.send(b"early").expect("sent");
                assert_eq!(rx.recv(&mut bytes).expect("a message"), 5);
                for _ in 0..600 {
                    rx.try_recv(&mut bytes).expect_err("it was the only one");
                }
            }
            // It was prepared for another sleep, as a runtime does.
            _ => _ = rx.looks(),
        }
        tx.send(b"late").expect("sent");
        set.wait().expect("a message");
        assert_eq!(rx.try_recv(&mut bytes).expect("a message"), 4);
    }
}

#[test]
fn a_subscriber_that_slept_untold_is_told() {
    let _watchdog = watchdog(PATIENCE);
    let (broadcaster, subscriber) = crate::broadcast();
    let set = WaitSet::new();
    set.add(&subscriber, ()).expect("added");
    let mut bytes = [0; 8];
    for _ in 0..20 {
        set.try_wait().expect_err("nothing is there");
        let late = subscriber.recv_timeout(&mut bytes, MOMENT);
        late.expect_err("nothing was sent");
        broadcaster.send(b"late").expect("sent");
        set.wait().expect("a message");
        let received = TryRecv::try_recv(&subscriber, &mut bytes);
        assert_eq!(received.expect("a message"), 4);
    }
}

#[test]
fn a_full_ring_that_slept_untold_is_told_of_room() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_ring::pair().expect("a ring");
    let set = WaitSet::new();
    set.add_for(&tx, Interest::Write, ()).expect("added");
    let mut bytes = [0; 8];
    for round in 0..20 {
        while tx.try_send(b"x").is_ok() {}
        set.try_wait().expect_err("it is full");
        if round % 2 == 0 {
            tx.send_timeout(b"x", MOMENT).expect_err("it is full");
        }
        while rx.try_recv(&mut bytes).is_ok() {}
        rx.recv_timeout(&mut bytes, MOMENT)
            .expect_err("it is empty");
        set.wait().expect("there is room");
    }
}

#[test]
fn the_same_ring_twice_is_told_under_both_keys_each_time() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_ring::pair().expect("a ring");
    let (near, far) = ipc_uds::pair().expect("sockets");
    let (near, far) = (near.framed(), far.framed());
    let set = WaitSet::new();
    for key in [0, 1] {
        set.add(&rx, key).expect("added");
        set.add(&far, key + 2).expect("added");
    }
    let (mut keys, mut bytes) = (Vec::new(), [0; 8]);
    for _ in 0..100 {
        set.try_wait().expect_err("nothing is there");
        tx.send(b"x").expect("sent");
        near.send(b"y").expect("sent");
        let mut told = Vec::new();
        while told.len() < 4 {
            set.wait_many(&mut keys).expect("messages");
            keys.retain(|key| !told.contains(key));
            told.append(&mut keys);
        }
        rx.try_recv(&mut bytes).expect("a message");
        far.try_recv(&mut bytes).expect("a message");
        // The first wait may tell once more for what woke it.
        while set.try_wait().is_ok() {}
    }
}

#[test]
fn who_sleeps_is_woken_for_what_is_in_memory_when_it_is_asked_for_again() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = ipc_uds::pair().expect("sockets");
    let (near, far) = (near.framed(), far.framed());
    let set = WaitSet::new();
    let entry = set.add_once(&far, Interest::Read, ()).expect("added");
    let mut bytes = [0; 8];
    for _ in 0..20 {
        near.send(b"first").expect("sent");
        near.send(b"second").expect("sent");
        set.wait().expect("two messages");
        assert_eq!(far.try_recv(&mut bytes).expect("the first"), 5);
        let (say, said) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                say.send(this_thread()).expect("it listens");
                set.wait()
            });
            until_asleep(said.recv().expect("it begins"));
            assert!(set.again(entry).expect("it is there"));
            waiting.join().expect("no panic").expect("the second");
        });
        assert_eq!(far.try_recv(&mut bytes).expect("the second"), 6);
        assert!(set.again(entry).expect("it is there"));
        set.try_wait().expect_err("both are taken");
    }
}
