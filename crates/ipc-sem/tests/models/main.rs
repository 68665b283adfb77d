//! Models of the algorithms that are more than one atomic operation, under a scheduler that
//! chooses every interleaving of a schedule: `RUSTFLAGS="--cfg ipc_model" cargo test -p ipc-sem
//! --test models --release`.
#![cfg(ipc_model)]

#[path = "../../src/ledger.rs"]
mod ledger;

/// The atomics of the scheduler, by the name under which the algorithm asks for its own.
mod atomic {
    pub(crate) use crate::doomed::AtomicU64;
    pub(crate) use shuttle::sync::atomic::Ordering;
}

mod doomed;
mod parking;
mod permits;
