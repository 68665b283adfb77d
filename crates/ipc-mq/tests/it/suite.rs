//! Queues go through the suite that all channels share, however they were made.

use crate::generator::Named;
use ipc_mq::{Options, Queue, Result, Spin};
use rustix::fs::OFlags;
use std::sync::atomic::{AtomicU32, Ordering};

fn options() -> Options {
    let mut options = Options::new();
    options.max_messages(8).message_size_bytes(64);
    options
}

fn unnamed() -> Result<(Queue, Queue)> {
    let queue = options().create_unnamed()?;
    Ok((queue.try_clone()?, queue))
}

ipc_testkit::conformance! {
    mod unnamed_queues {
        pair: unnamed() => (Queue, Queue),
        unit: messages, flush: no, ends: no, send_with: 0
    }
}

fn named() -> Result<(Queue, Queue)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = Named::new(&format!("suite.{number}"));
    let rx = options().receive_only().create(&name.0)?;
    Ok((Options::new().send_only().open(&name.0)?, rx))
}

ipc_testkit::conformance! {
    mod named_queues {
        pair: named() => (Queue, Queue),
        unit: messages, flush: no, ends: no, send_with: 7
    }
}

/// Descriptions that somebody else has set not to block.
fn adopted() -> Result<(Queue, Queue)> {
    let (tx, rx) = named()?;
    for queue in [&tx, &rx] {
        rustix::fs::fcntl_setfl(queue, OFlags::NONBLOCK).expect("flags");
    }
    let adopt = |queue: Queue| Queue::from_descriptor(queue.into());
    Ok((adopt(tx)?, adopt(rx)?))
}

ipc_testkit::conformance! {
    mod queues_that_do_not_block {
        pair: adopted() => (Queue, Queue),
        unit: messages, flush: no, ends: no, send_with: ipc_mq::MAX_PRIORITY
    }
}

fn spinning(spin: Spin) -> Result<(Queue, Queue)> {
    let queue = options().spin(spin).create_unnamed()?;
    Ok((queue.try_clone()?, queue))
}

ipc_testkit::conformance! {
    mod queues_that_spin {
        pair: spinning(Spin::Learned) => (Queue, Queue),
        unit: messages, flush: no, ends: no, send_with: 0
    }
}

ipc_testkit::conformance! {
    mod queues_that_always_spin {
        pair: spinning(Spin::Always) => (Queue, Queue),
        unit: messages, flush: no, ends: no, send_with: 0
    }
}
