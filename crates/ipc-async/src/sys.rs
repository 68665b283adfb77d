//! The one place where descriptors are registered with the runtime.

#![allow(unsafe_code)]

mod epoll;

pub(crate) use self::epoll::{BELL, Epoll, Event, EventFlags, NOTHING};
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
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
    write: Writing,
    /// Never taken out, replaced or borrowed mutably while the registrations live.
    endpoint: Arc<T>,
}

/// How a task waits for room.
#[derive(Debug)]
enum Writing {
    /// By the one registration.
    Together,
    /// The direction has a descriptor of its own.
    Apart(AsyncFd<Number>),
    /// By a registration that is made for this wait alone. A Unix socket says that there is room
    /// each time its peer takes a message: watched all the time it would wake a task that waits
    /// for an answer, and wants no room, once more for each question.
    OnDemand,
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
        let shown = |interest| match endpoint.shown_by(interest) {
            Interest::Read => Registered::READABLE,
            Interest::Write => Registered::WRITABLE,
        };
        let (interest, write) = if read != write {
            let write = register(write, shown(Interest::Write))?;
            (shown(Interest::Read), Writing::Apart(write))
        } else if is_socket(endpoint.descriptor(Interest::Read)) {
            (Registered::READABLE, Writing::OnDemand)
        } else {
            let both = Registered::READABLE | Registered::WRITABLE;
            (both, Writing::Together)
        };
        Ok(Self {
            read: register(read, interest)?,
            write,
            endpoint,
        })
    }

    pub(crate) fn endpoint(&self) -> &T {
        &self.endpoint
    }

    /// What tells of `interest`; `None` where a wait for it makes a registration of its own.
    pub(crate) fn of(&self, interest: Interest) -> Option<&AsyncFd<Number>> {
        match (interest, &self.write) {
            (Interest::Read, _) | (_, Writing::Together) => Some(&self.read),
            (Interest::Write, Writing::Apart(write)) => Some(write),
            (Interest::Write, Writing::OnDemand) => None,
        }
    }

    pub(crate) const fn reading(&self) -> &AsyncFd<Number> {
        &self.read
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

/// Whether it is a socket; what cannot be asked is taken for none.
fn is_socket(fd: BorrowedFd<'_>) -> bool {
    let file = fd.try_clone_to_owned().map(std::fs::File::from);
    let metadata = file.and_then(|file| file.metadata());
    metadata.is_ok_and(|metadata| metadata.file_type().is_socket())
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
