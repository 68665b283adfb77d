//! Waits at channels in shared memory, before and after both ends have met.

use super::judge;
use ipc_core::Until;
use ipc_ring::{Ack, Options};
use ipc_testkit::TempDir;
use ipc_testkit::crash::Lab;
use std::time::Duration;

pub(super) fn receive(lab: &mut Lab) {
    let bytes = &mut [0; 64];
    let (_tx, ring) = ipc_ring::pair().expect("a ring");
    judge(lab, "ring", |deadline| {
        ring.recv_deadline(bytes, deadline).map(drop)
    });
    judge(lab, "ring, lent", |deadline| {
        ring.recv_loan_deadline(deadline).map(drop)
    });
    let mut batch = ipc_ring::Batch::new();
    judge(lab, "ring, batch", |deadline| {
        let received = ring.recv_batch_deadline(&mut batch, 16, deadline);
        received.map(drop)
    });
}

pub(super) fn send(lab: &mut Lab) {
    let (full, _rx) = ipc_ring::pair().expect("a ring");
    while full.try_send(b"x").is_ok() {}
    judge(lab, "full ring", |deadline| {
        full.send_deadline(b"x", deadline)
    });
    judge(lab, "full ring, loan", |deadline| {
        full.loan_deadline(1, deadline).map(drop)
    });
    judge(lab, "full ring, batch", |deadline| {
        full.send_batch_deadline(&[b"x"], deadline).map(drop)
    });
}

pub(super) fn call(lab: &mut Lab) {
    let (near, far) = channels();
    let caller = near.caller();
    let mut reply = Vec::new();
    judge(lab, "ring call", |deadline| {
        caller.call_deadline(b"?", &mut reply, deadline)
    });
    drop(far);
    let (near, _far) = channels();
    let responder = near.responder();
    judge(lab, "ring answer", |deadline| {
        responder.answer_deadline(|_, _| {}, deadline)
    });
    let (near, _far) = channels();
    let stream = near.stream();
    judge(lab, "ring stream", |deadline| {
        stream.recv_deadline(&mut [0; 64], deadline).map(drop)
    });
    while stream.try_send(&[7; 4096]).is_ok() {}
    judge(lab, "full ring stream", |deadline| {
        stream.send_deadline(&[7; 4096], deadline)
    });
}

fn channels() -> (ipc_ring::Channel, ipc_ring::Channel) {
    let (left, right) = ipc_uds::pair_seqpacket().expect("sockets");
    let left = Options::new().begin(left).expect("memory");
    let right = Options::new().begin(right).expect("memory");
    left.finish().expect("it has begun");
    right.finish().expect("it has begun");
    let (left, right) = (left.channel(), right.channel());
    (left.expect("finished"), right.expect("finished"))
}

pub(super) fn meet(lab: &mut Lab) {
    let directory = TempDir::new();
    let path = directory.join("ring");
    let listener = ipc_ring::bind(&path).expect("a listener");
    judge(lab, "ring listener", |deadline| {
        listener.accept_deadline(deadline).map(drop)
    });
    // Who comes and says nothing.
    let mut silent = Vec::new();
    judge(lab, "ring listener, a silent client", |deadline| {
        silent.push(ipc_uds::Options::new().try_connect_seqpacket(&path)?);
        listener.accept_deadline(deadline).map(drop)
    });
    let broadcaster = Options::new().broadcast().expect("memory");
    judge(lab, "broadcaster, a silent client", |deadline| {
        silent.push(ipc_uds::Options::new().try_connect_seqpacket(&path)?);
        broadcaster.accept_deadline(&listener, deadline)
    });
    let queue = Options::new().queue().expect("a queue");
    judge(lab, "queue, a silent client", |deadline| {
        silent.push(ipc_uds::Options::new().try_connect_seqpacket(&path)?);
        queue.accept_deadline(&listener, deadline)
    });
    drop(silent);
    let (near, _far) = ipc_uds::pair_seqpacket().expect("sockets");
    // One meeting for all waits: it is over for good when its own time is.
    let meeting = Options::new()
        .meet_timeout(Duration::from_secs(3600))
        .begin(near);
    let meeting = meeting.expect("memory");
    judge(lab, "meeting", |deadline| meeting.finish_deadline(deadline));
    let (near, _far) = ipc_uds::pair_seqpacket().expect("sockets");
    let options = Options::new();
    judge(lab, "sender that nobody gives", |deadline| {
        options.take_sender_deadline(&near, deadline).map(drop)
    });
}

pub(super) fn many(lab: &mut Lab) {
    let bytes = &mut [0; 64];
    let queue = Options::new().queue().expect("a queue");
    let consumer = queue.consumer().expect("a consumer");
    judge(lab, "queue", |deadline| {
        consumer.recv_deadline(bytes, deadline).map(drop)
    });
    let producer = queue.producer().expect("a producer");
    while producer.try_send(b"x").is_ok() {}
    judge(lab, "full queue", |deadline| {
        producer.send_deadline(b"x", deadline)
    });
    judge(lab, "full queue, loan", |deadline| {
        producer.loan_deadline(1, deadline).map(drop)
    });
    let broadcaster = Options::new().broadcast().expect("memory");
    let (ours, theirs) = ipc_uds::pair_seqpacket().expect("sockets");
    let subscriber = std::thread::scope(|scope| {
        let joining = scope.spawn(|| Options::new().subscribe_over(theirs));
        broadcaster.add(ours).expect("it comes");
        joining.join().expect("no panic").expect("it is taken in")
    });
    judge(lab, "subscriber", |deadline| {
        subscriber.recv_deadline(bytes, deadline).map(drop)
    });
    while broadcaster.try_send(b"x").is_ok() {}
    judge(lab, "broadcaster, a slow reader", |deadline| {
        broadcaster.send_deadline(b"x", deadline)
    });
    let (near, far) = channels();
    let (sender, _) = near.split();
    judge(lab, "acknowledged send", |deadline| {
        // It is sent, and nobody says that it is done.
        match sender.send_acked_deadline(b"x", Ack::Done, deadline)? {
            true => Ok(()),
            false => Err(Until::At(deadline).over("send")),
        }
    });
    drop(far);
}
