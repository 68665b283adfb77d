#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bindings;
mod client;
mod client_side;
mod codecs;
mod connection;
mod frame;
mod io;
mod limits;
mod link;
mod options;
mod server;
mod server_side;

pub use crate::{
    client::Connection,
    codecs::Format,
    limits::Limits,
    options::Options,
    server::{Serving, Stopper},
};
pub use rpc_core::{Code, Status};

/// Connects to the server at a string binding with the default options.
///
/// # Errors
/// As [`Options::connect`].
pub async fn connect(endpoint: &str) -> Result<Connection, Status> {
    Options::new().connect(endpoint).await
}

/// A way into a server at a string binding, with the default options.
///
/// # Errors
/// As [`Options::bind`].
pub fn bind(endpoint: &str) -> Result<Serving, Status> {
    Options::new().bind(endpoint)
}
