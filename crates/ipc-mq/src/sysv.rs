//! System V queues: messages with a type, received by type.
//!
//! A queue has a name (a file of the user's private runtime directory leads to it) or an id alone,
//! which its maker passes on. It has no descriptor, and the kernel knows no deadline for it: verbs
//! wait or try, and there is no timed and no async form.

mod messages;
mod options;
mod queue;

pub use self::{
    messages::{Received, Select},
    options::Options,
    queue::{Queue, Status},
};

use ipc_core::Result;

/// Makes the queue `name`, which must be new, with the default options.
///
/// # Errors
/// As [`Options::create`].
pub fn create(name: &str) -> Result<Queue> {
    Options::new().create(name)
}

/// Opens the queue `name`, which must exist, with the default options.
///
/// # Errors
/// As [`Options::open`].
pub fn open(name: &str) -> Result<Queue> {
    Options::new().open(name)
}

/// Opens the queue `name`, or makes it, with the default options.
///
/// # Errors
/// As [`Options::open_or_create`].
pub fn open_or_create(name: &str) -> Result<Queue> {
    Options::new().open_or_create(name)
}

/// Removes the queue `name`; those who wait at it are told.
///
/// # Errors
/// As [`Options::unlink`].
pub fn unlink(name: &str) -> Result<()> {
    Options::new().unlink(name)
}
