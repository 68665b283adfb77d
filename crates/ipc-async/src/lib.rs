#![doc = include_str!("../README.md")]

mod endpoint;
mod stream;
mod sys;
mod verbs;

pub use crate::endpoint::Async;
pub use ipc_core::{Error, ErrorKind, Interest, Result};
