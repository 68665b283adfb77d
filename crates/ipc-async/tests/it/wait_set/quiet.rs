//! A set that sleeps does nothing, whatever was left unread.

use super::{PATIENCE, QUIET};
use ipc_async::{ErrorKind, Interest, WaitSet};
use ipc_testkit::{isolated, watchdog};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The processor time of this thread.
fn burnt() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Waits for nothing, and checks that it slept meanwhile.
#[track_caller]
fn assert_asleep(set: &WaitSet<'_, u32>) {
    let (start, before) = (Instant::now(), burnt());
    let error = set.wait_timeout(QUIET * 4).expect_err("nothing new");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // A wait that spins burns all of it.
    let (burnt, took) = (burnt() - before, start.elapsed());
    assert!(burnt < took / 4, "{burnt:?} of {took:?}");
}

#[test]
fn what_was_told_once_is_quiet_until_it_is_asked_for() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let (ring_tx, ring_rx) = ipc_ring::pair().expect("a ring");
        let set = WaitSet::new();
        let pipe = set.add_once(&rx, Interest::Read, 1).expect("added");
        let ring = set.add_once(&ring_rx, Interest::Read, 2).expect("added");
        tx.send(b"unread").expect("sent");
        ring_tx.send(b"unread").expect("sent");
        let mut told = vec![set.wait().expect("one"), set.wait().expect("the other")];
        told.sort_unstable();
        assert_eq!(told, [1, 2]);
        assert_asleep(&set);
        tx.send(b"more").expect("sent");
        ring_tx.send(b"more").expect("sent");
        assert_asleep(&set);
        for (entry, key) in [(pipe, 1), (ring, 2)] {
            assert!(set.again(entry).expect("it is there"));
            assert_eq!(set.wait().expect("it is still ready"), key);
        }
        drop((tx, ring_tx));
        assert_asleep(&set);
        assert!(set.remove(pipe) && set.remove(ring));
        assert!(!set.again(pipe).expect("no failure"));
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn a_wake_for_nothing_does_not_wake_twice() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let directory = ipc_testkit::TempDir::new();
        let log = ipc_file::open_log(directory.path().join("log")).expect("a log");
        let reader = ipc_file::follow(directory.path().join("log")).expect("a reader");
        let (ring_tx, ring_rx) = ipc_ring::pair().expect("a ring");
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let rx = rx.framed();
        let set = WaitSet::new();
        // A ring whose bell was rung for a message that was taken since.
        set.add(&ring_rx, 1).expect("added");
        let nothing = set.try_wait().expect_err("nothing");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        ring_tx.send(b"x").expect("sent");
        assert_eq!(ring_rx.recv(&mut [0; 8]).expect("a message"), 1);
        // A log that is followed, and read to its end.
        set.add(&reader, 2).expect("added");
        log.append(b"entry").expect("appended");
        assert_eq!(set.wait().expect("an entry"), 2);
        let mut bytes = [0; 64];
        assert_eq!(reader.try_recv(&mut bytes).expect("an entry"), 5);
        while reader.try_recv(&mut bytes).is_ok() {}
        // Half a frame.
        set.add(&rx, 3).expect("added");
        tx.send(&[4, 0]).expect("the beginning of a frame");
        while set.wait().expect("its beginning") != 3 {}
        assert!(rx.try_recv(&mut bytes).is_err(), "it is not whole");
        assert_asleep(&set);
        // And still nothing is missed.
        ring_tx.send(b"y").expect("sent");
        assert_eq!(set.wait().expect("a message"), 1);
        assert_eq!(ring_rx.try_recv(&mut bytes).expect("a message"), 1);
        log.append(b"second").expect("appended");
        assert_eq!(set.wait().expect("an entry"), 2);
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn an_empty_set_sleeps() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        assert_asleep(&WaitSet::new());
        std::process::exit(ipc_testkit::DONE);
    });
}
