#![doc = include_str!("../README.md")]

mod endpoint;
mod stream;
mod sys;
mod verbs;
mod wait_set;

pub use crate::{
    endpoint::Async,
    wait_set::{Entry, MAX_TOLD, WaitSet},
};
pub use ipc_core::{Error, ErrorKind, Interest, Result};
