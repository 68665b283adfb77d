//! Waits for room that does not come.

use super::{judge, leave_out};
use ipc_testkit::crash::Lab;

/// More than any channel here holds, so that a send never ends for want of room in between.
const PIECE: [u8; 4096] = [7; 4096];

pub(super) fn bytes(lab: &mut Lab) {
    let (full, _rx) = ipc_pipe::pair().expect("a pipe");
    while full.try_send(&PIECE).is_ok() {}
    judge(lab, "full pipe", |deadline| {
        full.send_deadline(&PIECE, deadline)
    });
    let pages = ipc_pipe::Pages::of_static(&PIECE);
    judge(lab, "full pipe, pages", |deadline| {
        full.send_pages_deadline(&pages, deadline)
    });
    let (full, _far) = ipc_uds::pair().expect("sockets");
    while full.try_send(&PIECE).is_ok() {}
    judge(lab, "full Unix stream", |deadline| {
        full.send_deadline(&PIECE, deadline)
    });
    let (near, _far) = ipc_uds::pair().expect("sockets");
    let full = near.framed();
    while full.try_send(&PIECE).is_ok() {}
    judge(lab, "full framed stream", |deadline| {
        full.send_deadline(&PIECE, deadline)
    });
    let (near, _far) = ipc_uds::pair().expect("sockets");
    let owing = near.framed();
    // It is begun, and so it is sent; most of it has found no room yet.
    owing.try_send(&vec![7; 1 << 20]).expect("begun");
    judge(lab, "flush of what is owed", |deadline| {
        owing.flush_deadline(deadline)
    });
    let (full, _far) = ipc_net::pair().expect("sockets");
    // The far end takes a while until it says that it can take no more.
    let patience = std::time::Duration::from_millis(50);
    while full.send_timeout(&PIECE, patience).is_ok() {}
    judge(lab, "full TCP", |deadline| {
        full.send_deadline(&PIECE, deadline)
    });
}

pub(super) fn messages(lab: &mut Lab) {
    let (full, _far) = ipc_uds::pair_seqpacket().expect("sockets");
    while full.try_send(&PIECE).is_ok() {}
    judge(lab, "full seqpacket", |deadline| {
        full.send_deadline(&PIECE, deadline)
    });
    judge(lab, "full seqpacket, batch", |deadline| {
        let sent = full.send_batch_deadline(&[&PIECE, &PIECE], deadline);
        sent.map(drop)
    });
    let (full, _far) = ipc_uds::pair_datagram().expect("sockets");
    while full.try_send(&PIECE).is_ok() {}
    judge(lab, "full Unix datagram", |deadline| {
        full.send_deadline(&PIECE, deadline)
    });
    let mut options = ipc_mq::Options::new();
    match options
        .max_messages(1)
        .message_size_bytes(64)
        .create_unnamed()
    {
        Ok(full) => {
            full.send(b"x", 0).expect("it is empty");
            judge(lab, "full POSIX queue", |deadline| {
                full.send_deadline(b"x", 0, deadline)
            });
        }
        Err(error) => leave_out(lab, "full POSIX queue", &error),
    }
    let full = ipc_event::create().expect("an event");
    let most = ipc_event::MAX_COUNT.to_ne_bytes();
    rustix::io::write(&full, &most).expect("the counter is nought");
    judge(lab, "event at its limit", |deadline| {
        full.notify_deadline(deadline)
    });
}
