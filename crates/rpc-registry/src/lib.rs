#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod discovered;
mod embedded;
mod host;
mod leases;
mod registry;
mod wire;

pub use crate::{
    discovered::Discovered,
    embedded::{Embedded, KEPT},
    host::{MAX_ENTRIES, MAX_TEXT_BYTES, TAKE_OVER},
    registry::{Answer, Lease, Registry, Seen, Watch},
    wire::{Entries, Entry},
};
pub use rpc_core::{Code, Status};

/// The contract between a process and the host of an [`Embedded`] registry.
pub static CONTRACT: &rpc_core::ServiceDescriptor = &wire::REGISTRAR_SERVICE;
