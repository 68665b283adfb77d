#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod client_session;
mod client_side;
mod connection;
mod counts;
mod estimate;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod fuzzing_tests;
mod limits;
#[cfg(test)]
mod machine_tests;
mod options;
mod packet;
mod server;
mod server_side;
mod session;
mod token;

pub use crate::{
    connection::Connection,
    counts::Counts,
    limits::Limits,
    options::Options,
    server::{Counted, Serving},
};
pub use rpc_core::{Code, Status};
pub use rpc_transport::Stopper;
