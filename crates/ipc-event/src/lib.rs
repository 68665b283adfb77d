#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod event;
mod options;
mod sys;

pub use crate::{event::Event, options::Options};
pub use ipc_core::{Error, ErrorKind, Result};

/// Largest count that an event can hold; a [`notify`](Event::notify) above it waits
/// (eventfd(2)).
pub const MAX_COUNT: u64 = u64::MAX - 1;

/// Makes an event with the default options: a counter that stands at nought.
///
/// # Errors
/// As [`Options::create`].
pub fn create() -> Result<Event> {
    Options::new().create()
}
