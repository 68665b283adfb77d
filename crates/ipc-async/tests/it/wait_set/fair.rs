//! Who is always ready keeps nobody from being told.

use super::PATIENCE;
use ipc_async::{Interest, MAX_TOLD, WaitSet};
use ipc_core::{Pollable, TryRecv};
use ipc_testkit::watchdog;
use std::time::Duration;

const TURNS: usize = 8_000;

#[test]
fn of_those_that_are_always_ready_each_has_its_share() {
    let _watchdog = watchdog(PATIENCE);
    let (pipe_tx, pipe_rx) = ipc_pipe::pair().expect("a pipe");
    let (frame_tx, frame_rx) = ipc_pipe::pair().expect("a pipe");
    let (frame_tx, frame_rx) = (frame_tx.framed(), frame_rx.framed());
    let (stream, stream_far) = ipc_uds::pair().expect("sockets");
    let (packet, packet_far) = ipc_uds::pair_seqpacket().expect("sockets");
    let (tcp, tcp_far) = ipc_net::pair().expect("sockets");
    let (ring_tx, ring_rx) = ipc_ring::pair().expect("a ring");
    let queue = ipc_ring::Options::new().queue().expect("a queue");
    let consumer = queue.consumer().expect("a consumer");
    let producer = queue.producer().expect("a producer");
    let event = ipc_event::create().expect("an event");
    pipe_tx.send(b"x").expect("sent");
    frame_tx.send(b"x").expect("sent");
    stream_far.send(b"x").expect("sent");
    packet_far.send(b"x").expect("sent");
    tcp_far.send(b"x").expect("sent");
    ring_tx.send(b"x").expect("sent");
    producer.send(b"x").expect("sent");
    event.notify().expect("counted");
    let set = WaitSet::new();
    let all: [&(dyn Pollable + Send + Sync); 8] = [
        &pipe_rx, &frame_rx, &stream, &packet, &tcp, &ring_rx, &consumer, &event,
    ];
    for (key, endpoint) in all.into_iter().enumerate() {
        set.add(endpoint, key).expect("added");
    }
    set.add_for(&stream, Interest::Write, 8).expect("added");
    set.every(Duration::from_nanos(1), 9).expect("a timer");
    let mut told = [0; 10];
    for _ in 0..TURNS {
        told[set.wait().expect("all are ready")] += 1;
    }
    // The kernel's, those that are asked, and timers have a turn each, whatever their number.
    let share = TURNS / told.len() / 4;
    assert!(told.iter().all(|times| *times >= share), "{told:?}");
    // With many keys at once, each wait tells of each.
    let mut ready = Vec::new();
    for _ in 0..10 {
        set.wait_many(&mut ready).expect("all are ready");
        ready.sort_unstable();
        assert_eq!(ready, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

#[test]
fn a_flood_at_one_endpoint_delays_another_by_a_few_waits() {
    let _watchdog = watchdog(PATIENCE);
    let (flood_tx, flood) = ipc_ring::pair().expect("a ring");
    let (busy_tx, busy) = ipc_pipe::pair().expect("a pipe");
    let (other_tx, other) = ipc_ring::pair().expect("a ring");
    let (quiet_tx, quiet) = ipc_uds::pair().expect("sockets");
    let set = WaitSet::new();
    let all: [&(dyn Pollable + Send + Sync); 4] = [&flood, &busy, &other, &quiet];
    for (key, endpoint) in all.into_iter().enumerate() {
        set.add(endpoint, key).expect("added");
    }
    let mut bytes = [0; 8];
    for round in 0..500 {
        other_tx.send(b"x").expect("sent");
        quiet_tx.send(b"x").expect("sent");
        let (mut missing, mut waits) = (vec![2, 3], 0);
        while !missing.is_empty() {
            // Each is full again before the next wait.
            while flood_tx.try_send(b"y").is_ok() {}
            let _ = busy_tx.try_send(b"y");
            match set.wait().expect("something") {
                0 => _ = flood.try_recv(&mut bytes).expect("a message"),
                1 => _ = busy.try_recv(&mut bytes).expect("a byte"),
                2 => _ = other.try_recv(&mut bytes).expect("a message"),
                _ => _ = TryRecv::try_recv(&quiet, &mut bytes).expect("a byte"),
            }
            missing.retain(|key| {
                let endpoint = all[*key];
                endpoint
                    .wait_ready(&[Interest::Read], ipc_core::Until::Now)
                    .is_ok()
            });
            waits += 1;
            assert!(waits <= 16, "{missing:?} is not told in round {round}");
        }
    }
}

#[test]
fn of_more_keys_than_a_wait_gives_each_has_its_turn() {
    let _watchdog = watchdog(PATIENCE);
    let events: Vec<_> = (0..MAX_TOLD)
        .map(|_| ipc_event::create().expect("an event"))
        .collect();
    let (always, once) = (WaitSet::new(), WaitSet::new());
    for (key, event) in events.iter().enumerate() {
        event.notify().expect("counted");
        always.add(event, key).expect("added");
        once.add_once(event, Interest::Read, key).expect("added");
    }
    // The kernel has one event fewer than there are keys.
    always.add(&events[0], MAX_TOLD).expect("added");
    let twice = once.add_once(&events[0], Interest::Read, MAX_TOLD);
    twice.expect("added");
    let (mut told, mut ready) = ([0; MAX_TOLD + 1], Vec::new());
    for _ in 0..4 * MAX_TOLD {
        let count = always.wait_many(&mut ready).expect("all are ready");
        assert_eq!((count, ready.len()), (MAX_TOLD, MAX_TOLD));
        ready.iter().for_each(|key| told[*key] += 1);
    }
    assert!(told.iter().all(|times| *times >= MAX_TOLD), "{told:?}");
    let mut all = Vec::new();
    while all.len() <= MAX_TOLD {
        let count = once.wait_many(&mut ready).expect("the rest");
        assert!(count <= MAX_TOLD, "{count} keys");
        all.append(&mut ready);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..=MAX_TOLD), "each once");
}
