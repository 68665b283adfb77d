#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connect;
mod endpoint;
mod listener;
mod wire;

pub use crate::{
    connect::{connect, connect_async},
    endpoint::Endpoint,
    listener::Listener,
    wire::Wire,
};
pub use ipc_core::{Error, ErrorKind, Result};
