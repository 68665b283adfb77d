#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acked;
mod audience;
mod batch;
mod bell;
mod bells;
mod both_ends;
mod broadcaster;
mod caller;
mod cell;
// Models make no gifts: what is given away stands on descriptors.
#[cfg(not(ipc_model))]
mod give;
mod ground;
mod join;
mod layout;
mod link;
mod loan;
mod mailbox;
mod many;
mod meet;
mod options;
mod receiver;
mod responder;
mod sender;
mod spin;
mod stream;
mod subscriber;
mod timed;
mod tries;
mod turns;
mod when_full;

#[cfg(not(ipc_model))]
pub use crate::give::NotGiven;
pub use crate::{
    acked::Ack,
    batch::Batch,
    broadcaster::Broadcaster,
    caller::Caller,
    layout::{FORMAT_VERSION, INLINE_BYTES},
    loan::{Lent, Loan},
    many::{Consumer, MAX_MEMBERS, Producer, Queue, Slot},
    meet::{Channel, Listener, Meeting},
    options::Options,
    receiver::Receiver,
    responder::Responder,
    sender::Sender,
    spin::Spin,
    stream::Stream,
    subscriber::{Received, Subscriber},
    when_full::WhenFull,
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

/// Connects to the process that listens at `address`, with the default options.
///
/// # Errors
/// As [`Options::connect`].
pub fn connect(address: impl ipc_uds::ToAddress) -> Result<Channel> {
    Options::new().connect(address)
}

/// Listens at `address`, with the default options.
///
/// # Errors
/// As [`Options::bind`].
pub fn bind(address: impl ipc_uds::ToAddress) -> Result<Listener> {
    Options::new().bind(address)
}
