#![doc = include_str!("../README.md")]

mod fifo;
mod options;
mod pages;
mod probe;
mod receiver;
mod sender;
mod splice;
mod stream;
mod sys;

pub use crate::{
    fifo::Fifo,
    options::{Capacity, Options},
    pages::Pages,
    probe::{Probe, Vmsplice, probe},
    receiver::Receiver,
    sender::Sender,
    stream::Stream,
};
pub use ipc_core::{Error, ErrorKind, Framed, Result, Spin};
pub use ipc_sys::{Place, ToPlace};

/// Largest write that the kernel keeps whole among many writers, and so the largest record:
/// 4,096 bytes (`PIPE_BUF`, pipe(7)).
pub const MAX_RECORD_BYTES: usize = libc::PIPE_BUF;

/// Makes a pipe with the default options.
///
/// # Errors
/// As [`Options::pair`].
pub fn pair() -> Result<(Sender, Receiver)> {
    Options::new().pair()
}

/// Makes two pipes with the default options: a stream in both directions.
///
/// # Errors
/// As [`Options::duplex`].
pub fn duplex() -> Result<(Stream, Stream)> {
    Options::new().duplex()
}

/// Makes a FIFO at `place`, which must be new, with the default options.
///
/// # Errors
/// As [`Options::create`].
pub fn create(place: impl ToPlace) -> Result<Fifo> {
    Options::new().create(place)
}

/// Opens the FIFO at `place`, which must exist, with the default options.
///
/// # Errors
/// As [`Options::open`].
pub fn open(place: impl ToPlace) -> Result<Fifo> {
    Options::new().open(place)
}

/// Opens the FIFO at `place`, or makes it, with the default options.
///
/// # Errors
/// As [`Options::open_or_create`].
pub fn open_or_create(place: impl ToPlace) -> Result<Fifo> {
    Options::new().open_or_create(place)
}

/// Removes the name of the FIFO at `place`.
///
/// # Errors
/// As [`Options::unlink`].
pub fn unlink(place: impl ToPlace) -> Result<()> {
    Options::new().unlink(place)
}
