#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acceptor;
mod balance;
mod endpoint;
mod handshake;
#[cfg(feature = "tls")]
mod identities;
pub mod inproc;
mod listener;
mod local;
mod meeting;
mod options;
mod pool;
mod reconnect;
mod seats;
#[cfg(feature = "tls")]
mod secured;
mod several;
mod wire;

pub use crate::{
    acceptor::{Acceptor, Stopped, Stopper},
    balance::{Backend, Balanced, Pick},
    endpoint::Endpoint,
    listener::Listener,
    options::Options,
    pool::Pool,
    reconnect::{Connected, Reconnecting},
    seats::{Seat, Seats},
    wire::Wire,
};
pub use ipc_core::{Error, ErrorKind, Result};
