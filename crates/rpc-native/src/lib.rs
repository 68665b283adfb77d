#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod alone;
mod answer;
mod arriving;
mod bindings;
mod blocking_client;
mod blocking_listener;
mod blocking_server;
mod channels;
mod client;
mod client_call;
mod client_side;
mod client_state;
mod codecs;
mod connection;
mod direct;
#[cfg(test)]
mod ending_tests;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod fuzzing_tests;
mod io;
mod limits;
mod link;
#[cfg(test)]
mod machine_tests;
mod named;
mod options;
mod reader;
mod server;
mod server_side;
mod straight;

pub use crate::{
    blocking_listener::BlockingListener,
    blocking_server::BlockingSession,
    channels::{BlockingConnection, Connection},
    codecs::Format,
    limits::Limits,
    options::Options,
    server::Serving,
};
pub use rpc_core::{Code, Status};
pub use rpc_transport::Stopper;

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

/// Connects without a runtime, with the default options.
///
/// # Errors
/// As [`Options::connect_blocking`].
pub fn connect_blocking(endpoint: &str) -> Result<BlockingConnection, Status> {
    Options::new().connect_blocking(endpoint)
}
