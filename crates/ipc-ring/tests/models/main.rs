//! The channels' own sources under a scheduler that chooses every interleaving of a schedule, on a
//! machine whose threads see their own stores before others do: `cargo xtask models`.
#![cfg(ipc_model)]
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    unused_imports,
    unused_macros,
    reason = "the sources are parts of another crate here"
)]

#[path = "../../src/acked.rs"]
mod acked;
#[path = "../../src/audience.rs"]
mod audience;
#[path = "../../src/batch.rs"]
mod batch;
#[path = "../../src/both_ends.rs"]
mod both_ends;
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
#[path = "../../src/sender.rs"]
mod sender;
#[path = "../../src/spin.rs"]
mod spin;
#[path = "../../src/subscriber.rs"]
mod subscriber;
#[path = "../../src/tries.rs"]
mod tries;
#[path = "../../src/turns.rs"]
mod turns;
#[path = "../../src/when_full.rs"]
mod when_full;

extern crate ipc_sys as system;
/// Where the sources poll, they poll the model's kernel.
extern crate self as ipc_sys;
pub(crate) use {
    poll::{PollFd, wait_any},
    system::{PollFlags, crash_point, os_error},
};

/// What sleeps and wakes by the scheduler.
use shuttle::sync as checker;

mod bell;
mod bells;
mod broadcasts;
mod deaths;
mod ground;
mod holders;
mod join;
mod locks;
mod machine;
mod mailbox;
mod many;
mod options;
mod payers;
mod poll;
mod schedules;
mod sleepers;
mod slots;
mod streams;

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
