#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod client;
mod compression;
mod framing;
#[cfg(feature = "tonic")]
mod generated;
mod messages;
mod metadata;
mod options;
mod outgoing;
mod replies;
mod server;
mod service;
mod status;
mod timeout;

#[cfg(feature = "tonic")]
pub use crate::generated::Generated;
pub use crate::{
    answer::Answer, client::Connection, compression::Encoding, options::Options, server::Serving,
    service::GrpcService,
};
pub use rpc_core::{Code, Status};
pub use rpc_http::Limits;

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
