//! The channels' own sources in every execution that the memory model of the language allows, with
//! up to three preemptions: `cargo xtask models`.
#![cfg(ipc_model)]
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    unused_imports,
    reason = "the sources are parts of another crate here"
)]

#[path = "../../src/acked.rs"]
mod acked;
#[path = "../../src/audience.rs"]
mod audience;
#[path = "../../src/batch.rs"]
mod batch;
#[path = "../../src/broadcaster.rs"]
mod broadcaster;
#[path = "../../src/cell.rs"]
mod cell;
#[path = "../../src/layout.rs"]
mod layout;
#[path = "../../src/link.rs"]
mod link;
#[path = "../../src/loan.rs"]
mod loan;
#[path = "../../src/receiver.rs"]
mod receiver;
#[path = "../../src/turns.rs"]
mod revoked;
#[path = "../../src/sender.rs"]
mod sender;
#[path = "../../src/spin.rs"]
mod spin;
#[path = "../../src/subscriber.rs"]
mod subscriber;
#[path = "../../src/tries.rs"]
mod tries;
#[path = "../../src/when_full.rs"]
mod when_full;

/// What sleeps and wakes by the checker.
use loom::sync as checker;

#[path = "../models/bell.rs"]
mod bell;
#[path = "../models/bells.rs"]
mod bells;
#[path = "../models/join.rs"]
mod join;
#[path = "../models/locks.rs"]
mod locks;
#[path = "../models/mailbox.rs"]
mod mailbox;
#[path = "../models/options.rs"]
mod options;
#[path = "../models/slots.rs"]
mod slots;

mod executions;
mod ground;
mod machine;
mod many;
mod protocols;
mod turns;

pub use crate::{
    acked::Ack,
    batch::Batch,
    broadcaster::Broadcaster,
    loan::{Lent, Loan},
    options::{Listener, Options},
    receiver::Receiver,
    sender::Sender,
    spin::Spin,
    subscriber::{Received, Subscriber},
    when_full::WhenFull,
};
pub use ipc_core::{Error, ErrorKind, Result};
