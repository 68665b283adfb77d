//! The one place where descriptors are registered with the runtime.

#![allow(unsafe_code)]

use ipc_core::{Error, ErrorKind, Interest, Pollable, Result};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use tokio::io::Interest as Registered;
use tokio::io::unix::AsyncFd;

/// A descriptor's number, for as long as the endpoint lives that owns it.
#[derive(Debug)]
pub(crate) struct Number(RawFd);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// An endpoint and its registrations. The fields are private to this module, so that the proof
/// below can be read in one place.
#[derive(Debug)]
pub(crate) struct Registration<T> {
    // Declared, and so dropped, before the endpoint whose descriptors they watch.
    read: AsyncFd<Number>,
    /// Where the two directions have descriptors of their own.
    write: Option<AsyncFd<Number>>,
    /// Never taken out, replaced or borrowed mutably while the registrations live.
    endpoint: Arc<T>,
}

impl<T: Pollable> Registration<T> {
    pub(crate) fn new(endpoint: T) -> Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new("register", ErrorKind::Unsupported)
                .hint("an endpoint is awaited inside a tokio runtime: make it there"));
        }
        let endpoint = Arc::new(endpoint);
        let read = endpoint.descriptor(Interest::Read).as_raw_fd();
        let write = endpoint.descriptor(Interest::Write).as_raw_fd();
        if read == write {
            let read = register(read, Registered::READABLE | Registered::WRITABLE)?;
            return Ok(Self {
                read,
                write: None,
                endpoint,
            });
        }
        let shown = |interest| match endpoint.shown_by(interest) {
            Interest::Read => Registered::READABLE,
            Interest::Write => Registered::WRITABLE,
        };
        let read = register(read, shown(Interest::Read))?;
        let write = Some(register(write, shown(Interest::Write))?);
        Ok(Self {
            read,
            write,
            endpoint,
        })
    }

    pub(crate) fn endpoint(&self) -> &T {
        &self.endpoint
    }

    pub(crate) fn of(&self, interest: Interest) -> &AsyncFd<Number> {
        match (interest, &self.write) {
            (Interest::Write, Some(write)) => write,
            _ => &self.read,
        }
    }

    /// The endpoint alone; its descriptors are not watched any more.
    pub(crate) fn into_endpoint(self) -> T {
        let Self {
            read,
            write,
            endpoint,
        } = self;
        drop((read, write));
        Arc::into_inner(endpoint).expect("the only reference: no clone of it ever leaves `self`")
    }
}

fn register(number: RawFd, interest: Registered) -> Result<AsyncFd<Number>> {
    // SAFETY: `number` comes from a `BorrowedFd` of the endpoint, which promises that it is open,
    // and the same description, for as long as the endpoint is borrowed. The endpoint stands in
    // an `Arc` of its own, at one place, and `Registration` holds it, never lends it mutably and
    // drops it after the registrations (field order; `into_endpoint` likewise). `Number` always
    // answers with the same number.
    let registered = unsafe { AsyncFd::register_with_interest(Number(number), interest) };
    registered.map_err(|error| not_watched(error.into_parts().1))
}

/// Waits until `fd`, which nobody else has, is writable.
pub(crate) async fn writable_once(fd: OwnedFd) -> Result<()> {
    // SAFETY: the registration owns `fd`, an open descriptor that is one object for all its life,
    // and takes it out of the runtime before it closes it.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Registered::WRITABLE) };
    let registered = registered.map_err(|error| not_watched(error.into_parts().1))?;
    let ready = registered.writable().await;
    ready.map(drop).map_err(crate::endpoint::shutting_down)
}

#[cold]
fn not_watched(source: std::io::Error) -> Error {
    Error::new("register", ErrorKind::Other)
        .hint(format!(
            "the runtime cannot watch this descriptor: {source}"
        ))
        .caused_by(source)
}
