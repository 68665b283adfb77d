//! Which message a receiver takes, and what it learns of it.

use ipc_core::{Error, ErrorKind, Result};

/// Which message of a queue is received: of those that match, the oldest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Select {
    /// Any.
    #[default]
    First,
    /// One of this type.
    Exact(i64),
    /// One of the lowest type that is there, up to this.
    UpTo(i64),
    /// One of any type but this.
    #[doc(alias = "MSG_EXCEPT")]
    Except(i64),
}

impl Select {
    /// The type argument and the flags of msgrcv(2).
    #[inline]
    pub(super) fn kernel_form(self) -> Result<(i64, i32)> {
        match self {
            Self::First => Ok((0, 0)),
            Self::Exact(kind @ 1..) => Ok((kind, 0)),
            Self::UpTo(kind @ 1..) => Ok((-kind, 0)),
            Self::Except(kind @ 1..) => Ok((kind, libc::MSG_EXCEPT)),
            Self::Exact(kind) | Self::UpTo(kind) | Self::Except(kind) => Err(no_kind("recv", kind)),
        }
    }
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of the buffer the message fills.
    pub length: usize,
    /// Its type.
    pub kind: i64,
    /// Its rest did not fit, and is lost; only
    /// [`recv_truncated`](super::Queue::recv_truncated) allows that.
    pub truncated: bool,
}

#[cold]
pub(super) fn no_kind(operation: &'static str, kind: i64) -> Error {
    Error::new(operation, ErrorKind::InvalidInput).hint(format!(
        "the type of a message is positive, and {kind} is not"
    ))
}
