//! Every mechanism whose kernel object can be waited for, in one set.

use super::PATIENCE;
use ipc_async::{ErrorKind, Interest, WaitSet};
use ipc_core::{Pollable, TryRecv};
use ipc_testkit::{TempDir, isolated, watchdog};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

/// Makes `endpoint` ready, expects `key` alone, takes what came and expects nothing.
#[track_caller]
fn told<K: Copy + PartialEq + std::fmt::Debug>(set: &WaitSet<'_, K>, key: K, take: impl FnOnce()) {
    let mut ready = Vec::new();
    set.wait_many(&mut ready).expect("it comes");
    assert_eq!(ready, [key]);
    take();
    let after = set.try_wait();
    let kind = after.map_err(|error| error.kind());
    assert_eq!(kind, Err(ErrorKind::WouldBlock), "after {key:?}");
}

#[track_caller]
fn took(receiver: &impl TryRecv) {
    assert!(receiver.try_recv(&mut [0; 64]).expect("a message") > 0);
}

#[test]
fn pipes_queues_sockets_and_rings_are_told_each_by_its_key() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    let (pipe_tx, pipe_rx) = ipc_pipe::pair().expect("a pipe");
    let (frame_tx, frame_rx) = ipc_pipe::pair().expect("a pipe");
    let (frame_tx, frame_rx) = (frame_tx.framed(), frame_rx.framed());
    let fifo = ipc_pipe::create(directory.join("fifo")).expect("a FIFO");
    let fifo_rx = fifo.receiver().expect("a receiver");
    let fifo_tx = fifo.sender().expect("a sender");
    let (stream, stream_far) = ipc_uds::pair().expect("sockets");
    let (packet, packet_far) = ipc_uds::pair_seqpacket().expect("sockets");
    let (datagram, datagram_far) = ipc_uds::pair_datagram().expect("sockets");
    let path = directory.join("socket");
    let listener = ipc_uds::bind(&path).expect("a listener");
    let (tcp, tcp_far) = ipc_net::pair().expect("sockets");
    let udp = ipc_net::bind_datagram("127.0.0.1:0").expect("a socket");
    let udp_far = ipc_net::connect_datagram(udp.address().expect("bound")).expect("ours");
    let (ring_tx, ring_rx) = ipc_ring::pair().expect("a ring");
    let queue = ipc_ring::Options::new().queue().expect("a queue");
    let consumer = queue.consumer().expect("a consumer");
    let producer = queue.producer().expect("a producer");
    let (broadcaster, subscriber) = crate::broadcast();
    let set = WaitSet::new();
    let all: [&(dyn Pollable + Send + Sync); 12] = [
        &pipe_rx,
        &frame_rx,
        &fifo_rx,
        &stream,
        &packet,
        &datagram,
        &listener,
        &tcp,
        &udp,
        &ring_rx,
        &consumer,
        &subscriber,
    ];
    for (key, endpoint) in all.into_iter().enumerate() {
        set.add(endpoint, key).expect("added");
    }
    assert_eq!(
        set.try_wait().expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
    for _ in 0..3 {
        pipe_tx.send(b"x").expect("sent");
        told(&set, 0, || took(&pipe_rx));
        frame_tx.send(b"x").expect("sent");
        told(&set, 1, || took(&frame_rx));
        fifo_tx.send(b"x").expect("sent");
        told(&set, 2, || took(&fifo_rx));
        stream_far.send(b"x").expect("sent");
        told(&set, 3, || took(&stream));
        packet_far.send(b"x").expect("sent");
        told(&set, 4, || took(&packet));
        datagram_far.send(b"x").expect("sent");
        told(&set, 5, || took(&datagram));
        let _client = ipc_uds::connect(&path).expect("connected");
        told(&set, 6, || _ = listener.try_accept().expect("a client"));
        tcp_far.send(b"x").expect("sent");
        told(&set, 7, || took(&tcp));
        udp_far.send(b"x").expect("sent");
        told(&set, 8, || took(&udp));
        ring_tx.send(b"x").expect("sent");
        told(&set, 9, || took(&ring_rx));
        producer.send(b"x").expect("sent");
        told(&set, 10, || took(&consumer));
        broadcaster.send(b"x").expect("sent");
        told(&set, 11, || took(&subscriber));
    }
    // Two frames that come in one read: the second is told though its descriptor is empty.
    frame_tx.send(b"first").expect("sent");
    frame_tx.send(b"second").expect("sent");
    assert_eq!(set.wait().expect("a frame"), 1);
    took(&frame_rx);
    told(&set, 1, || took(&frame_rx));
}

#[test]
fn events_signals_children_files_and_queues_are_told_each_by_its_key() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let directory = TempDir::new();
        let event = ipc_event::create().expect("an event");
        let watch = ipc_file::watch().expect("a watch");
        watch.add(directory.path()).expect("a directory");
        let spool = ipc_file::open_spool(directory.join("spool")).expect("a spool");
        let log = ipc_file::open_log(directory.join("log")).expect("a log");
        let reader = ipc_file::follow(directory.join("log")).expect("a reader");
        while watch.try_recv().is_ok() {}
        let signal = ipc_signal::Signal::real_time(1).expect("a signal");
        let mut options = ipc_signal::Options::new();
        let signals = options
            .unchecked_threads(true)
            .receiver([signal])
            .expect("a receiver");
        let mut cat = Command::new("cat");
        let mut child = ipc_signal::Child::spawn(cat.stdin(Stdio::piped())).expect("a child");
        let stdin = child.std_mut().stdin.take();
        let set = WaitSet::new();
        let all: [&(dyn Pollable + Send + Sync); 6] =
            [&event, &watch, &spool, &reader, &signals, &child];
        for (key, endpoint) in all.into_iter().enumerate() {
            set.add(endpoint, key).expect("added");
        }
        let nothing = set.try_wait().expect_err("nothing");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        event.notify().expect("counted");
        told(&set, 0, || _ = event.try_wait().expect("an event"));
        std::fs::write(directory.join("new"), "x").expect("ours");
        told(&set, 1, || while watch.try_recv().is_ok() {});
        spool.deliver(b"job").expect("delivered");
        assert_eq!(set.wait().expect("a job"), 2);
        spool.try_claim().expect("a job").finish().expect("ours");
        // What a spool does itself in its directory is a notice, too.
        while let Ok(key) = set.try_wait() {
            assert_eq!(key, 2);
            assert!(spool.try_claim().is_err());
        }
        log.append(b"entry").expect("appended");
        let mut ready = Vec::new();
        // The directory of the log is watched, too.
        while !ready.contains(&3) {
            set.wait_many(&mut ready).expect("an entry");
            while watch.try_recv().is_ok() {}
        }
        took(&reader);
        let _ = reader.try_recv(&mut [0; 64]);
        let this = ipc_signal::Target::this_thread();
        this.notify_with(signal, 7).expect("queued");
        told(&set, 4, || {
            assert_eq!(signals.try_wait().expect("it").value(), Some(7))
        });
        drop(stdin);
        assert_eq!(set.wait().expect("its end"), 5);
        assert!(child.try_wait().expect("its status").success());
        std::process::exit(ipc_testkit::DONE);
    });
}

#[test]
fn a_posix_queue_is_told_for_messages_and_for_room() {
    let _watchdog = watchdog(PATIENCE);
    let mut options = ipc_mq::Options::new();
    options.max_messages(1).message_size_bytes(8);
    let queue = match options.create_unnamed() {
        Ok(queue) => queue,
        Err(error) => ipc_testkit::skip!("no POSIX queue here: {error}"),
    };
    let set = WaitSet::new();
    set.add(&queue, Interest::Read).expect("added");
    let room = set
        .add_for(&queue, Interest::Write, Interest::Write)
        .expect("added");
    told_only(&set, Interest::Write);
    queue.send(b"x", 0).expect("sent");
    told_only(&set, Interest::Read);
    set.remove(room);
    queue.recv(&mut [0; 8]).expect("a message");
    assert_eq!(
        set.try_wait().expect_err("empty").kind(),
        ErrorKind::WouldBlock
    );
}

#[track_caller]
fn told_only(set: &WaitSet<'_, Interest>, interest: Interest) {
    let mut ready = Vec::new();
    set.wait_many(&mut ready).expect("ready");
    assert_eq!(ready, [interest]);
}

#[test]
fn room_is_told_where_it_is_waited_for() {
    let _watchdog = watchdog(PATIENCE);
    let (pipe_tx, pipe_rx) = ipc_pipe::pair().expect("a pipe");
    let (ring_tx, ring_rx) = ipc_ring::Options::new()
        .capacity_messages(8)
        .pair()
        .expect("a ring");
    let set = WaitSet::new();
    set.add_for(&pipe_tx, Interest::Write, 1).expect("added");
    set.add_for(&ring_tx, Interest::Write, 2).expect("added");
    let mut ready = Vec::new();
    assert_eq!(set.wait_many(&mut ready).expect("room"), 2);
    while pipe_tx.try_send(&[0; 4096]).is_ok() {}
    while ring_tx.try_send(b"x").is_ok() {}
    assert_eq!(
        set.try_wait().expect_err("full").kind(),
        ErrorKind::WouldBlock
    );
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| set.wait().expect("room"));
        while ring_rx.try_recv(&mut [0; 8]).is_ok() {}
        assert_eq!(waiting.join().expect("no panic"), 2);
    });
    while ring_tx.try_send(b"x").is_ok() {}
    while pipe_rx.try_recv(&mut [0; 4096]).is_ok() {}
    assert_eq!(set.wait().expect("room"), 1);
}

#[test]
fn a_tail_is_written_while_the_answer_is_waited_for() {
    let _watchdog = watchdog(PATIENCE);
    let (near, far) = ipc_uds::pair().expect("sockets");
    let question: Vec<u8> = (0..2_000_000).map(|at| (at % 251) as u8).collect();
    near.try_send(&question).expect("begun");
    assert!(near.owes(), "more than the socket holds");
    let set = WaitSet::new();
    set.add(&near, ()).expect("added");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut came, mut bytes) = (Vec::new(), [0; 4096]);
            while came.len() < question.len() {
                let length = far.recv(&mut bytes).expect("the rest");
                came.extend_from_slice(&bytes[..length]);
            }
            assert!(came == question);
            far.send(b"answer").expect("sent");
        });
        set.wait().expect("the answer");
    });
    assert_eq!(near.recv(&mut [0; 64]).expect("the answer"), 6);
    assert!(!near.owes());
}

#[test]
fn a_thousand_endpoints_are_told_each_once_and_in_turn() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let mut events: Vec<_> = (0..1_000).map_while(|_| ipc_event::create().ok()).collect();
        if events.len() < 1_000 {
            // This host allows fewer descriptors; the set needs some, too.
            events.truncate(events.len().saturating_sub(4));
        }
        assert!(events.len() > 100, "{} descriptors alone", events.len());
        let set = WaitSet::new();
        for (key, event) in events.iter().enumerate() {
            set.add(event, key).expect("added");
        }
        for (key, event) in events.iter().enumerate() {
            event.notify().expect("counted");
            assert_eq!(set.wait().expect("told"), key);
            event.try_wait().expect("counted");
        }
        // All at once, and nobody takes anything: each comes before any comes again.
        events
            .iter()
            .for_each(|event| event.notify().expect("counted"));
        let mut seen = vec![0; events.len()];
        for _ in 0..events.len() {
            seen[set.wait().expect("told")] += 1;
        }
        assert!(seen.iter().all(|times| *times == 1), "each in its turn");
        drop(set);
        assert!(
            events[0].as_fd().try_clone_to_owned().is_ok(),
            "the endpoints are theirs"
        );
        std::process::exit(ipc_testkit::DONE);
    });
}
