#![doc = include_str!("../README.md")]

mod endpoint;
mod looking;
mod readiness;
mod registration;
mod runtime;
#[cfg(feature = "smol")]
mod smol_runtime;
#[cfg(any(feature = "tokio", feature = "smol"))]
mod stream;
mod sys;
#[cfg(feature = "tokio")]
mod tokio_runtime;
mod verbs;
mod wait_set;

#[cfg(feature = "smol")]
pub use crate::smol_runtime::Smol;
#[cfg(feature = "tokio")]
pub use crate::tokio_runtime::Tokio;
pub use crate::{
    endpoint::Async,
    runtime::{Runtime, Seen, Watch},
    sys::Descriptor,
    wait_set::{Entry, MAX_TOLD, WaitSet},
};
pub use ipc_core::{Error, ErrorKind, Interest, Result};
