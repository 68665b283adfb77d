#![doc = include_str!("../README.md")]

mod limits;
mod listing;
mod notification;
mod options;
mod queue;
mod sys;
pub mod sysv;

pub use crate::{
    listing::{Listed, list},
    notification::Notification,
    options::Options,
    queue::{Queue, Status},
};
pub use ipc_core::{Error, ErrorKind, Result, Spin};

/// Highest priority of a message: 32,767 (`MQ_PRIO_MAX` less one); the lowest is 0.
pub const MAX_PRIORITY: u32 = 32_767;

/// Most messages that any queue of any host can be made for (the kernel's `HARD_MSGMAX`); without
/// privilege fs.mqueue.msg_max is the limit, 10 by default.
pub const MAX_MESSAGES: usize = 65_536;

/// Longest message that any queue of any host can be made for (the kernel's `HARD_MSGSIZEMAX`);
/// without privilege fs.mqueue.msgsize_max is the limit, 8,192 by default.
pub const MAX_MESSAGE_SIZE_BYTES: usize = 16 << 20;

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

/// Removes the name; those who have the queue open keep it, with all that is in it.
///
/// # Errors
/// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`] for another user's.
#[doc(alias = "mq_unlink")]
pub fn unlink(name: &str) -> Result<()> {
    Options::new().unlink(name)
}
