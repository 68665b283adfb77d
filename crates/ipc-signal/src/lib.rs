#![doc = include_str!("../README.md")]

mod child;
mod delivery;
mod mask;
mod options;
mod receiver;
mod shutdown;
mod signal;
mod signal_set;
mod sys;
mod target;
mod threads;

pub use crate::{
    child::Child,
    delivery::{Code, Delivery},
    mask::Mask,
    options::Options,
    receiver::Receiver,
    shutdown::Shutdown,
    signal::Signal,
    signal_set::SignalSet,
    target::Target,
};
pub use ipc_core::{Error, ErrorKind, Result};

/// Makes a receiver of `signals` with the default options, and blocks them in this thread.
///
/// # Errors
/// As [`Options::receiver`].
pub fn receiver(signals: impl Into<SignalSet>) -> Result<Receiver> {
    Options::new().receiver(signals)
}

/// Turns the first SIGINT or SIGTERM into an event that can be awaited; the second ends the
/// process as if nothing had been arranged. See [`Shutdown`].
///
/// # Errors
/// As [`Options::shutdown`].
pub fn shutdown() -> Result<Shutdown> {
    Options::new().shutdown()
}
