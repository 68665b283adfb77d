#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod answer;
mod client;
mod compression;
mod credentials;
mod framing;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
#[cfg(feature = "tonic")]
mod generated;
pub mod health;
mod late;
mod messages;
mod metadata;
mod options;
mod outgoing;
mod packing;
mod patient;
#[cfg(feature = "reflection")]
mod reflection;
mod replies;
mod server;
mod service;
mod service_config;
mod status;
mod timeout;
#[cfg(feature = "web")]
mod web;

#[cfg(feature = "tonic")]
pub use crate::generated::Generated;
#[cfg(feature = "reflection")]
pub use crate::reflection::reflect;
pub use crate::{
    answer::Answer, client::Connection, compression::Encoding, credentials::CallCredentials,
    gate::HealthGate, options::Options, packing::came_compressed, packing::uncompressed,
    server::Serving, service::GrpcService, service_config::ServiceConfig,
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
