//! The locks' own sources under a scheduler that chooses every interleaving of a schedule, on a
//! kernel of the model's own, with deaths between any two steps: `cargo xtask models`.
#![cfg(ipc_model)]
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "the sources are parts of another crate here"
)]

#[path = "../../src/barrier.rs"]
mod barrier;
#[path = "../../src/condvar.rs"]
mod condvar;
#[path = "../../src/event.rs"]
mod event;
#[path = "../../src/header.rs"]
mod header;
#[path = "../../src/ledger.rs"]
mod ledger;
#[path = "../../src/lock.rs"]
mod lock;
#[path = "../../src/mutex.rs"]
mod mutex;
#[path = "../../src/once.rs"]
mod once;
#[path = "../../src/options.rs"]
mod options;
#[path = "../../src/rw_lock.rs"]
mod rw_lock;
#[path = "../../src/semaphore.rs"]
mod semaphore;
#[path = "../../src/table.rs"]
mod table;

/// The atomics of the scheduler, by the name under which the algorithms ask for their own.
mod atomic {
    pub(crate) use crate::doomed::{AtomicU32, AtomicU64};
    pub(crate) use shuttle::sync::atomic::{Ordering, fence};
    pub(crate) use shuttle::thread_local;
}

mod doomed;
mod kernel;
mod locks;
mod makers;
mod meetings;
mod permits;
mod schedules;
mod sys;
mod turns;

pub use crate::{
    barrier::Barrier, condvar::Condvar, event::Event, mutex::Mutex, once::Once, options::Options,
    rw_lock::RwLock, semaphore::Semaphore, table::MAX_PARTICIPANTS,
};
pub use ipc_core::{Error, ErrorKind, Result};

/// As the crate's own.
pub trait Plain:
    zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + Copy + Send + Sync + 'static
{
}

impl Plain for () {}
