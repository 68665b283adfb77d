#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bell;
mod layout;
mod link;
mod loan;
mod meet;
mod options;
mod receiver;
mod sender;
mod spin;
mod turns;

pub use crate::{
    layout::{FORMAT_VERSION, INLINE_BYTES},
    loan::{Lent, Loan},
    meet::{Channel, Listener},
    options::Options,
    receiver::Receiver,
    sender::Sender,
    spin::Spin,
};
pub use ipc_core::{Error, ErrorKind, Result};

/// Makes a channel with the default options, whose ends are in this process until one of them is
/// sent to another.
///
/// # Errors
/// As [`Options::pair`].
pub fn pair() -> Result<(Sender, Receiver)> {
    Options::new().pair()
}
