//! Descriptors as runtimes and epoll take them.

#![allow(unsafe_code)]

mod epoll;

pub(crate) use self::epoll::{BELL, Epoll, Event, EventFlags, NOTHING};

use ipc_core::{Interest, Pollable};
use std::any::Any;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A descriptor to watch. It is open, and the same, for as long as this value lives.
// The fields are private to this module, so that the proofs below can be read in one place.
#[derive(Debug)]
pub struct Descriptor {
    number: RawFd,
    /// Whose it is; never taken out, replaced or borrowed mutably.
    _owner: Arc<dyn Any + Send + Sync>,
}

impl Descriptor {
    pub(crate) fn of<T>(endpoint: &Arc<T>, interest: Interest) -> Self
    where
        T: Pollable + Send + Sync + 'static,
    {
        Self {
            number: endpoint.descriptor(interest).as_raw_fd(),
            _owner: Arc::clone(endpoint) as _,
        }
    }
}

impl From<OwnedFd> for Descriptor {
    fn from(fd: OwnedFd) -> Self {
        Self {
            number: fd.as_raw_fd(),
            _owner: Arc::new(fd),
        }
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.number
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `number` is an `OwnedFd`'s, or comes from a `BorrowedFd` of an endpoint, which
        // promises that it is open, and the same description, for as long as the endpoint is
        // borrowed. The owner stands in an `Arc`, at one place, never lent mutably, and lives at
        // least as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.number) }
    }
}

/// Registers a descriptor with the tokio runtime of the caller.
#[cfg(feature = "tokio")]
pub(crate) fn register(
    descriptor: Descriptor,
    interest: tokio::io::Interest,
) -> ipc_core::Result<tokio::io::unix::AsyncFd<Descriptor>> {
    // SAFETY: a `Descriptor` always answers with the same number, of a descriptor that is open,
    // and one object, for as long as the value lives (see `as_fd`); the registration owns it, and
    // takes it out of the runtime before it drops it.
    let registered =
        unsafe { tokio::io::unix::AsyncFd::register_with_interest(descriptor, interest) };
    registered.map_err(|error| not_watched(error.into_parts().1))
}

#[cfg(any(feature = "tokio", feature = "smol"))]
#[cold]
pub(crate) fn not_watched(source: std::io::Error) -> ipc_core::Error {
    ipc_core::Error::new("register", ipc_core::ErrorKind::Other)
        .hint(format!(
            "the runtime cannot watch this descriptor: {source}"
        ))
        .caused_by(source)
}
