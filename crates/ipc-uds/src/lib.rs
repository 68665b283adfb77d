#![doc = include_str!("../README.md")]

mod address;
mod ancillary;
mod batch;
mod bound_path;
mod connect;
mod datagram;
mod datagram_traits;
mod failures;
mod fd_list;
mod fd_quota;
mod listener;
mod making;
mod options;
mod peer;
mod policy;
mod seqpacket;
mod socket;
mod stream;
mod stream_traits;
mod sys;
mod waiting;

pub use crate::{
    address::{Address, MAX_PATH_BYTES, ToAddress},
    ancillary::{Ancillary, MAX_FDS},
    batch::Batch,
    datagram::Datagram,
    fd_list::MAX_LISTED_FDS,
    listener::{Listener, SeqPacketListener},
    options::Options,
    peer::{Peer, Probe, probe},
    policy::Policy,
    seqpacket::SeqPacket,
    stream::Stream,
    sys::MAX_BATCH,
};
pub use ipc_core::{Credentials, Error, ErrorKind, Framed, Result, Spin};
pub use ipc_sys::{DescriptorKind, Place, Process, descriptor_kind};

use std::time::{Duration, Instant};

/// Listens for streams at `address` with the default options.
///
/// # Errors
/// As [`Options::bind`].
pub fn bind(address: impl ToAddress) -> Result<Listener> {
    Options::new().bind(address)
}

/// Listens for seqpacket connections at `address` with the default options.
///
/// # Errors
/// As [`Options::bind_seqpacket`].
pub fn bind_seqpacket(address: impl ToAddress) -> Result<SeqPacketListener> {
    Options::new().bind_seqpacket(address)
}

/// Receives datagrams at `address` with the default options.
///
/// # Errors
/// As [`Options::bind_datagram`].
pub fn bind_datagram(address: impl ToAddress) -> Result<Datagram> {
    Options::new().bind_datagram(address)
}

/// Connects to the stream listener at `address` with the default options.
///
/// # Errors
/// As [`Options::connect`].
pub fn connect(address: impl ToAddress) -> Result<Stream> {
    Options::new().connect(address)
}

/// [`connect`] without waiting.
///
/// # Errors
/// As [`Options::try_connect`].
pub fn try_connect(address: impl ToAddress) -> Result<Stream> {
    Options::new().try_connect(address)
}

/// [`connect`] for at most `timeout`.
///
/// # Errors
/// As [`Options::connect_timeout`].
pub fn connect_timeout(address: impl ToAddress, timeout: Duration) -> Result<Stream> {
    Options::new().connect_timeout(address, timeout)
}

/// [`connect`] until `deadline` at the latest.
///
/// # Errors
/// As [`Options::connect_deadline`].
pub fn connect_deadline(address: impl ToAddress, deadline: Instant) -> Result<Stream> {
    Options::new().connect_deadline(address, deadline)
}

/// Connects to the seqpacket listener at `address` with the default options.
///
/// # Errors
/// As [`Options::connect_seqpacket`].
pub fn connect_seqpacket(address: impl ToAddress) -> Result<SeqPacket> {
    Options::new().connect_seqpacket(address)
}

/// Sends datagrams to `address`, with the default options.
///
/// # Errors
/// As [`Options::connect_datagram`].
pub fn connect_datagram(address: impl ToAddress) -> Result<Datagram> {
    Options::new().connect_datagram(address)
}

/// A datagram socket without a name, with the default options.
///
/// # Errors
/// As [`Options::datagram`].
pub fn datagram() -> Result<Datagram> {
    Options::new().datagram()
}

/// Two streams that are connected, with the default options.
///
/// # Errors
/// As [`Options::pair`].
pub fn pair() -> Result<(Stream, Stream)> {
    Options::new().pair()
}

/// Two ends of a seqpacket connection, with the default options.
///
/// # Errors
/// As [`Options::pair_seqpacket`].
pub fn pair_seqpacket() -> Result<(SeqPacket, SeqPacket)> {
    Options::new().pair_seqpacket()
}

/// Two datagram sockets that are connected, with the default options.
///
/// # Errors
/// As [`Options::pair_datagram`].
pub fn pair_datagram() -> Result<(Datagram, Datagram)> {
    Options::new().pair_datagram()
}
