//! Endpoints that end, are dropped or stand in a set twice.

use super::{PATIENCE, QUIET};
use ipc_async::{Entry, ErrorKind, Interest, MAX_TOLD, WaitSet};
use ipc_testkit::{Role, Snapshot, TempDir, deny, isolated, watchdog};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Instant;

#[test]
fn the_same_endpoint_twice_is_told_under_both_keys() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("a pair");
    let set = WaitSet::new();
    set.add(&left, "first").expect("added");
    let second = set.add(&left, "second").expect("added");
    set.add_for(&left, Interest::Write, "room").expect("added");
    let mut ready = Vec::new();
    set.wait_many(&mut ready).expect("room");
    assert_eq!(ready, ["room"]);
    right.send(b"x").expect("sent");
    while set.wait_many(&mut ready).expect("ready") < 3 {}
    ready.sort_unstable();
    assert_eq!(ready, ["first", "room", "second"]);
    // One at a time, each has its turn.
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 3 {
        seen.insert(set.wait().expect("ready"));
    }
    assert!(set.remove(second));
    for _ in 0..9 {
        assert_ne!(set.wait().expect("ready"), "second");
    }
}

#[test]
fn an_endpoint_of_the_sets_own_is_closed_when_it_is_removed() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let set = WaitSet::new();
        let entry: Entry = set.add(rx, ()).expect("added");
        tx.send(b"x").expect("a reader is there");
        set.wait().expect("a message");
        assert!(set.remove(entry));
        assert_eq!(
            tx.send(b"x").expect_err("no reader").kind(),
            ErrorKind::Closed
        );
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        set.add(Arc::new(rx), ()).expect("added");
        drop(set);
        assert_eq!(
            tx.send(b"x").expect_err("no reader").kind(),
            ErrorKind::Closed
        );
    });
}

#[test]
fn an_endpoint_that_is_dropped_while_it_is_waited_for_is_closed_and_told_no_more() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let (other_tx, other_rx) = ipc_pipe::pair().expect("a pipe");
        let rx = Arc::new(rx);
        let set = WaitSet::new();
        let entry = set.add_weak(&rx, Interest::Read, 1).expect("added");
        set.add(&other_rx, 2).expect("added");
        tx.send(b"x").expect("sent");
        assert_eq!(set.wait().expect("a message"), 1);
        assert_eq!(set.wait().expect("it is not taken"), 1);
        assert_eq!(rx.recv(&mut [0; 4]).expect("a message"), 1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| set.wait().expect("the other"));
            drop(rx);
            assert_eq!(
                tx.send(b"x").expect_err("no reader").kind(),
                ErrorKind::Closed
            );
            other_tx.send(b"x").expect("sent");
            assert_eq!(waiting.join().expect("no panic"), 2);
        });
        assert!(!set.again(entry).expect("no failure") || set.remove(entry));
    });
}

#[test]
fn a_dropped_endpoint_whose_description_lives_on_does_not_make_the_set_spin() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        let elsewhere = rx.as_fd().try_clone_to_owned().expect("a descriptor");
        let rx = Arc::new(rx);
        let later: [std::sync::OnceLock<ipc_pipe::Receiver>; 2] = Default::default();
        let set = WaitSet::new();
        set.add_weak(&rx, Interest::Read, 1).expect("added");
        drop(rx);
        tx.send(b"x").expect("the description is open");
        // The kernel still has the registration, under a number that is free again.
        let error = set.wait_timeout(QUIET).expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // Another endpoint gets the number: it is told, and the one before it is not.
        let (_kept, next_rx) = ipc_pipe::pair().expect("a pipe");
        let (next_tx, next) = ipc_pipe::pair().expect("a pipe");
        set.add(later[0].get_or_init(|| next_rx), 2).expect("added");
        set.add(later[1].get_or_init(|| next), 3).expect("added");
        tx.send(b"y").expect("the description is open");
        assert_eq!(
            set.wait_timeout(QUIET).expect_err("none").kind(),
            ErrorKind::TimedOut
        );
        next_tx.send(b"z").expect("sent");
        assert_eq!(set.wait().expect("a message"), 3);
        drop(elsewhere);
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn the_end_and_the_death_of_a_peer_show() {
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let (full, full_rx) = ipc_pipe::pair().expect("a pipe");
    let holder = Role::new("hold")
        .descriptor(&tx)
        .descriptor(&full_rx)
        .spawn_holding();
    drop((tx, full_rx));
    let directory = TempDir::new();
    let path = directory.join("socket");
    let mut options = ipc_uds::Options::new();
    let listener = options.watch_peer(true).bind(&path).expect("a listener");
    let client = Role::new("client").argument(path.display()).spawn();
    let near = listener.accept().expect("a client");
    assert_eq!(near.recv(&mut [0; 4]).expect("its word"), 2);
    while full.try_send(&[0; 4096]).is_ok() {}
    let set = WaitSet::new();
    set.add(&rx, 1).expect("added");
    set.add(&near, 2).expect("added");
    set.add_for(&full, Interest::Write, 3).expect("added");
    let nothing = set.try_wait().expect_err("all live");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    holder.kill();
    client.kill();
    let mut told = [0; 4];
    let mut death = None;
    while death.is_none() || told[1] == 0 || told[3] == 0 {
        let key = set.wait().expect("an end");
        told[key] += 1;
        if key == 2 {
            match near.try_recv(&mut [0; 4]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                end => death = Some(end.expect_err("dead")),
            }
        }
    }
    let death = death.expect("seen");
    assert_eq!(death.kind(), ErrorKind::PeerDied);
    let closed = rx.try_recv(&mut [0; 4]).expect_err("dead");
    assert_eq!(closed.kind(), ErrorKind::Closed);
    let closed = full.try_send(b"x").expect_err("dead");
    assert_eq!(closed.kind(), ErrorKind::Closed);
}

#[test]
fn the_death_of_the_other_end_of_a_ring_shows() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let path = directory.path().join("ring");
    let listener = ipc_ring::bind(&path).expect("a listener");
    let child = Role::new("ring sender")
        .argument(path.display().to_string())
        .spawn();
    let (_sender, receiver) = listener.accept().expect("a channel").split();
    let set = WaitSet::new();
    set.add(&receiver, ()).expect("added");
    set.wait().expect("its message");
    assert_eq!(receiver.recv(&mut [0; 8]).expect("its message"), 5);
    assert_eq!(
        set.try_wait().expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
    child.kill();
    set.wait().expect("its death");
    let death = receiver.recv(&mut [0; 8]).expect_err("dead");
    assert_eq!(death.kind(), ErrorKind::PeerDied);
}

#[test]
fn adding_and_removing_leaves_nothing_behind() {
    isolated!({
        let before = Snapshot::take();
        let set = WaitSet::new();
        for _ in 0..1_000 {
            let (tx, rx) = ipc_pipe::pair().expect("a pipe");
            let rx = Arc::new(rx);
            let weak = set.add_weak(&rx, Interest::Read, 1).expect("added");
            let kept = set.add(Arc::clone(&rx), 2).expect("added");
            tx.send(b"x").expect("sent");
            set.wait().expect("a message");
            set.wait().expect("a message");
            assert!(set.remove(kept));
            if Arc::strong_count(&rx) % 2 == 0 {
                set.remove(weak);
            }
        }
        drop(set);
        before.assert_unchanged();
    });
}

#[test]
fn what_cannot_be_waited_for_is_refused_and_not_kept() {
    let _watchdog = watchdog(PATIENCE);
    struct Plain(std::fs::File);
    impl ipc_core::Pollable for Plain {
        fn descriptor(&self, _interest: Interest) -> std::os::fd::BorrowedFd<'_> {
            self.0.as_fd()
        }
        fn wait_ready(&self, _: &[Interest], _: ipc_core::Until) -> ipc_core::Result<()> {
            Ok(())
        }
    }
    let file = std::fs::File::open(std::env::current_exe().expect("a path")).expect("a file");
    let set = WaitSet::new();
    let error = set.add(Plain(file), ()).expect_err("a regular file");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        set.try_wait().expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn what_was_found_is_told_though_the_kernel_then_refuses_more() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let event = ipc_event::create().expect("an event");
        let (near, _far) = ipc_uds::pair().expect("sockets");
        let set = WaitSet::new();
        set.add_once(&event, Interest::Read, 1).expect("added");
        set.add(&near, 2).expect("added");
        for _ in 0..MAX_TOLD {
            set.at(Instant::now(), 3).expect("a timer");
        }
        let mut ready = Vec::new();
        // As many as a wait gives: the next asks the kernel before it does anything else.
        let count = set.wait_many(&mut ready).expect("timers");
        assert_eq!(count, MAX_TOLD);
        event.notify().expect("counted");
        near.try_send(&vec![7; 2_000_000]).expect("begun");
        // The rest of that waits for room, for which the kernel would have to watch.
        deny(libc::SYS_epoll_ctl, libc::ENOSPC);
        set.wait_many(&mut ready).expect("the event");
        assert_eq!(ready, [1]);
        let refused = set.wait_many(&mut ready).expect_err("no more watches");
        assert_eq!(refused.kind(), ErrorKind::LimitReached);
        std::process::exit(ipc_testkit::DONE);
    });
}

/// A connection that leaves its set when it is dropped, and is let go of by the last other one who
/// has it while the set looks at it.
struct Leaving {
    inner: ipc_uds::Stream,
    set: Weak<WaitSet<'static, u32>>,
    entry: OnceLock<Entry>,
    last: Mutex<Option<Arc<Leaving>>>,
}

impl ipc_core::Pollable for Leaving {
    fn descriptor(&self, interest: Interest) -> std::os::fd::BorrowedFd<'_> {
        self.inner.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: ipc_core::Until) -> ipc_core::Result<()> {
        drop(self.last.lock().expect("no panic").take());
        self.inner.wait_ready(interests, until)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let (Some(set), Some(entry)) = (self.set.upgrade(), self.entry.get()) {
            set.remove(*entry);
        }
    }
}

#[test]
fn an_endpoint_that_a_wait_drops_may_leave_its_set() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (inner, far) = ipc_uds::pair().expect("sockets");
        let event = ipc_event::create().expect("an event");
        let set = Arc::new(WaitSet::new());
        set.add(event.try_clone().expect("a descriptor"), 1)
            .expect("added");
        let leaving = Arc::new(Leaving {
            inner,
            set: Arc::downgrade(&set),
            entry: OnceLock::new(),
            last: Mutex::new(None),
        });
        let entry = set.add_weak(&leaving, Interest::Read, 2).expect("added");
        leaving.entry.set(entry).expect("once");
        *leaving.last.lock().expect("no panic") = Some(Arc::clone(&leaving));
        drop(leaving);
        far.send(b"x").expect("it is there");
        // The set looks, and whoever is dropped meanwhile is not told.
        let _ = set.try_wait();
        let closed = far.send(b"x").expect_err("it is closed");
        assert_eq!(closed.kind(), ErrorKind::Closed);
        assert!(!set.remove(entry), "it has left");
        event.notify().expect("counted");
        assert_eq!(set.wait().expect("the event"), 1);
    });
}
