#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connect;
mod cutter;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod meter;
mod serve;
mod stream;

pub use crate::{connect::connect, limits::Limits, serve::serve, stream::WireStream};
