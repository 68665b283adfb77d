#![doc = include_str!("../README.md")]

mod atomic;
mod barrier;
mod condvar;
#[cfg(feature = "lock-cycles")]
pub mod cycles;
mod event;
#[cfg(any(feature = "lock-cycles", feature = "raw-sync"))]
mod glance;
mod header;
mod ledger;
mod lock;
mod mutex;
mod once;
mod options;
pub mod posix;
#[cfg(feature = "raw-sync")]
pub mod raw_sync;
mod rw_lock;
mod semaphore;
mod set_name;
mod sys;
pub mod sysv;
mod table;

pub use crate::{
    barrier::Barrier,
    condvar::Condvar,
    event::Event,
    mutex::{Damage, Guard, Mutex, Recovery},
    once::Once,
    options::Options,
    rw_lock::{ReadGuard, RwLock, WriteGuard, WriteRecovery},
    semaphore::{Permit, Semaphore},
    table::MAX_PARTICIPANTS,
};
pub use ipc_core::{Error, ErrorKind, Result};
pub use ipc_shm::Region;

/// What the offset of every object in a region is a multiple of: 64 bytes, a cache line.
pub const ALIGN_BYTES: usize = sys::ALIGN_BYTES;

/// What a lock may hold: a type without pointers, of which any bytes are a value, so that a
/// process that dies in the middle of a change leaves no undefined behaviour behind.
///
/// Derive `zerocopy::FromBytes`, `IntoBytes` and `Immutable` for a type of your own.
pub trait Plain:
    zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable + Copy + Send + Sync + 'static
{
}

impl<T> Plain for T where
    T: zerocopy::FromBytes
        + zerocopy::IntoBytes
        + zerocopy::Immutable
        + Copy
        + Send
        + Sync
        + 'static
{
}
