#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod connect;
mod datagram;
mod exposure;
mod listener;
mod options;
mod policy;
mod resolve;
mod socket;
mod stream;
mod sys;
#[cfg(feature = "tls")]
pub mod tls;

pub use crate::{
    connect::Connecting,
    datagram::{Datagram, MAX_DATAGRAM_BYTES},
    listener::Listener,
    options::Options,
    policy::Policy,
    stream::{DRAIN_TIMEOUT, Stream},
};
pub use ipc_core::{Error, ErrorKind, Framed, Result};

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

/// Listens for streams at `address` with the default options.
///
/// # Errors
/// As [`Options::bind`].
pub fn bind(address: impl ToSocketAddrs) -> Result<Listener> {
    Options::new().bind(address)
}

/// Receives datagrams at `address` with the default options.
///
/// # Errors
/// As [`Options::bind_datagram`].
pub fn bind_datagram(address: impl ToSocketAddrs) -> Result<Datagram> {
    Options::new().bind_datagram(address)
}

/// Connects to the listener at `address` with the default options.
///
/// # Errors
/// As [`Options::connect`].
pub fn connect(address: impl ToSocketAddrs) -> Result<Stream> {
    Options::new().connect(address)
}

/// [`connect`] without waiting.
///
/// # Errors
/// As [`Options::try_connect`].
pub fn try_connect(address: impl ToSocketAddrs) -> Result<Stream> {
    Options::new().try_connect(address)
}

/// [`connect`] for at most `timeout`.
///
/// # Errors
/// As [`Options::connect_timeout`].
pub fn connect_timeout(address: impl ToSocketAddrs, timeout: Duration) -> Result<Stream> {
    Options::new().connect_timeout(address, timeout)
}

/// [`connect`] until `deadline` at the latest.
///
/// # Errors
/// As [`Options::connect_deadline`].
pub fn connect_deadline(address: impl ToSocketAddrs, deadline: Instant) -> Result<Stream> {
    Options::new().connect_deadline(address, deadline)
}

/// Sends datagrams to `address`, with the default options.
///
/// # Errors
/// As [`Options::connect_datagram`].
pub fn connect_datagram(address: impl ToSocketAddrs) -> Result<Datagram> {
    Options::new().connect_datagram(address)
}

/// Two streams that are connected over the loopback interface, with the default options.
///
/// # Errors
/// As [`Options::pair`].
pub fn pair() -> Result<(Stream, Stream)> {
    Options::new().pair()
}
