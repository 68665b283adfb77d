//! Every system call of the crate that has no safe wrapper, and its only unsafe code.

#![allow(unsafe_code)]

mod posix;
mod system_v;

pub(crate) use posix::{Access, COOKIE_BYTES, Engine, Make, register, unlink, unregister};
pub(crate) use system_v::{change, find, make, receive, remove, send, stat};

use rustix::io::Errno;

/// What the last call of this thread failed with.
fn last_errno() -> Errno {
    errno_of(&std::io::Error::last_os_error())
}

/// The number of a system error; every error of the engine and of the system is one.
fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
