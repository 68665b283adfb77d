#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod credentials;
mod debt;
mod duplex;
mod error;
mod forms;
mod framed;
mod inbox;
mod mode;
mod name;
mod pollable;
mod rest;
mod spin;
mod turn;
mod until;

pub use crate::{
    credentials::Credentials,
    debt::Debt,
    duplex::{ByteSink, ByteSource, Duplex, HalfClose},
    error::{Error, ErrorKind, Result},
    forms::{
        Flush, TryAccept, TryRecv, TryRecvBatch, TryRecvFdList, TryRecvFds, TryRecvFrom,
        TryRecvVec, TrySend, TrySendBatch, TrySendFdList, TrySendFds, TrySendFdsTo, TrySendTo,
        TryWait,
    },
    framed::Framed,
    mode::Mode,
    name::Name,
    pollable::{Interest, Pollable},
    rest::Rest,
    spin::{Spin, SpinBudget},
    turn::{Held, Turn},
    until::Until,
};
