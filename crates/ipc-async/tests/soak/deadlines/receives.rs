//! Waits for bytes, messages and clients that do not come.

use super::{judge, leave_out};
use ipc_testkit::TempDir;
use ipc_testkit::crash::Lab;

pub(super) fn bytes(lab: &mut Lab) {
    let bytes = &mut [0; 64];
    let (tx, pipe) = ipc_pipe::pair().expect("a pipe");
    judge(lab, "pipe", |deadline| {
        pipe.recv_deadline(bytes, deadline).map(drop)
    });
    let (into, _out) = ipc_pipe::pair().expect("a pipe");
    judge(lab, "tee of an empty pipe", |deadline| {
        pipe.tee_to_deadline(&into, 64, deadline).map(drop)
    });
    judge(lab, "splice of an empty pipe", |deadline| {
        let target = std::os::fd::AsFd::as_fd(&into);
        pipe.splice_to_deadline(target, 64, deadline).map(drop)
    });
    judge(lab, "splice from an empty pipe", |deadline| {
        let source = std::os::fd::AsFd::as_fd(&pipe);
        into.splice_from_deadline(source, 64, deadline).map(drop)
    });
    drop(tx);
    let (stream, _far) = ipc_uds::pair().expect("sockets");
    judge(lab, "Unix stream", |deadline| {
        stream.recv_deadline(bytes, deadline).map(drop)
    });
    let framed = stream.framed();
    judge(lab, "framed Unix stream", |deadline| {
        framed.recv_deadline(bytes, deadline).map(drop)
    });
    let (tcp, _far) = ipc_net::pair().expect("sockets");
    judge(lab, "TCP", |deadline| {
        tcp.recv_deadline(bytes, deadline).map(drop)
    });
    judge(lab, "TCP, drained", |deadline| {
        tcp.drain_deadline(deadline).map(drop)
    });
    let listener = ipc_net::bind("127.0.0.1:0").expect("a port");
    judge(lab, "TCP listener", |deadline| {
        listener.accept_deadline(deadline).map(drop)
    });
    let directory = TempDir::new();
    let listener = ipc_uds::bind(directory.join("socket")).expect("a listener");
    judge(lab, "Unix listener", |deadline| {
        listener.accept_deadline(deadline).map(drop)
    });
}

pub(super) fn messages(lab: &mut Lab) {
    let bytes = &mut [0; 64];
    let (packet, _far) = ipc_uds::pair_seqpacket().expect("sockets");
    judge(lab, "seqpacket", |deadline| {
        packet.recv_deadline(bytes, deadline).map(drop)
    });
    let mut ancillary = ipc_uds::Ancillary::new();
    judge(lab, "seqpacket with descriptors", |deadline| {
        let received = packet.recv_with_fds_deadline(bytes, &mut ancillary, deadline);
        received.map(drop)
    });
    judge(lab, "list of descriptors", |deadline| {
        let received = packet.recv_fd_list_deadline(bytes, &mut ancillary, 300, deadline);
        received.map(drop)
    });
    let mut batch = ipc_uds::Batch::new(64);
    judge(lab, "seqpacket batch", |deadline| {
        let received = packet.recv_batch_deadline(&mut batch, 16, deadline);
        received.map(drop)
    });
    let (datagram, _far) = ipc_uds::pair_datagram().expect("sockets");
    judge(lab, "Unix datagram", |deadline| {
        datagram.recv_deadline(bytes, deadline).map(drop)
    });
    let udp = ipc_net::bind_datagram("127.0.0.1:0").expect("a socket");
    judge(lab, "UDP", |deadline| {
        udp.recv_deadline(bytes, deadline).map(drop)
    });
    let mut options = ipc_mq::Options::new();
    let options = options.max_messages(1).message_size_bytes(64);
    match options.create_unnamed() {
        Ok(queue) => judge(lab, "POSIX queue", |deadline| {
            queue.recv_deadline(bytes, deadline).map(drop)
        }),
        Err(error) => leave_out(lab, "POSIX queue", &error),
    }
    let queue = options.create_unnamed();
    match queue.as_ref().map(|queue| queue.notify()) {
        Ok(Ok(notification)) => judge(lab, "notification of a queue", |deadline| {
            notification.wait_deadline(deadline)
        }),
        Ok(Err(error)) => leave_out(lab, "notification of a queue", &error),
        Err(error) => leave_out(lab, "notification of a queue", error),
    }
}

/// At an end at which another thread waits.
pub(super) fn a_turn(lab: &mut Lab) {
    let (tx, rx) = ipc_pipe::Options::new()
        .record(true)
        .pair()
        .expect("a pipe");
    let ready = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ready.wait();
            rx.recv(&mut [0; 64]).expect("the last word")
        });
        ready.wait();
        judge(lab, "an end at which others wait", |deadline| {
            rx.recv_deadline(&mut [0; 64], deadline).map(drop)
        });
        tx.send(b"over").expect("it is waited for");
    });
}
