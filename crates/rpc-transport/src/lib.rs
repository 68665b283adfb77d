#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connect;
mod endpoint;
mod listener;
mod pool;
mod reconnect;
mod wire;

pub use crate::{
    connect::{connect, connect_async},
    endpoint::Endpoint,
    listener::Listener,
    pool::Pool,
    reconnect::{Connected, Reconnecting},
    wire::Wire,
};
pub use ipc_core::{Error, ErrorKind, Result};
