#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod endpoint;
#[cfg(feature = "tls")]
mod identities;
pub mod inproc;
mod listener;
mod options;
mod pool;
mod reconnect;
mod wire;

pub use crate::{
    endpoint::Endpoint,
    listener::Listener,
    options::Options,
    pool::Pool,
    reconnect::{Connected, Reconnecting},
    wire::Wire,
};
pub use ipc_core::{Error, ErrorKind, Result};
