//! An endpoint and what tells of it.

use crate::runtime::{Runtime, Watch};
use crate::sys::Descriptor;
use ipc_core::{Interest, Pollable, Result};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;

/// An endpoint and its registrations.
#[derive(Debug)]
pub(crate) struct Registration<T, R: Runtime> {
    // Declared, and so dropped, before the endpoint whose descriptors they watch.
    read: R::Watch,
    write: Writing<R>,
    endpoint: Arc<T>,
}

/// How a task waits for room.
#[derive(Debug)]
enum Writing<R: Runtime> {
    /// By the one registration.
    Together,
    /// The direction has a descriptor of its own.
    Apart(R::Watch),
    /// By a registration that is made for this wait alone. A Unix socket says that there is room
    /// each time its peer takes a message: watched all the time it would wake a task that waits
    /// for an answer, and wants no room, once more for each question.
    OnDemand,
}

impl<T: Pollable + Send + Sync + 'static, R: Runtime> Registration<T, R> {
    pub(crate) fn new(runtime: &R, endpoint: T) -> Result<Self> {
        let endpoint = Arc::new(endpoint);
        let read = endpoint.descriptor(Interest::Read).as_raw_fd();
        let write = endpoint.descriptor(Interest::Write).as_raw_fd();
        let shown = |interest| endpoint.shown_by(interest);
        let of = |interest| Descriptor::of(&endpoint, interest);
        let (interests, write) = if read != write {
            let watch = runtime.watch(of(Interest::Write), &[shown(Interest::Write)])?;
            (&[shown(Interest::Read)][..], Writing::Apart(watch))
        } else if R::WAKES_UNASKED && is_socket(endpoint.descriptor(Interest::Read)) {
            (&[Interest::Read][..], Writing::OnDemand)
        } else {
            (&[Interest::Read, Interest::Write][..], Writing::Together)
        };
        Ok(Self {
            read: runtime.watch(of(Interest::Read), interests)?,
            write,
            endpoint,
        })
    }
}

impl<T, R: Runtime> Registration<T, R> {
    pub(crate) fn endpoint(&self) -> &T {
        &self.endpoint
    }

    /// What tells of `interest`; `None` where a wait for it makes a registration of its own.
    pub(crate) const fn of(&self, interest: Interest) -> Option<&R::Watch> {
        match (interest, &self.write) {
            (Interest::Read, _) | (_, Writing::Together) => Some(&self.read),
            (Interest::Write, Writing::Apart(write)) => Some(write),
            (Interest::Write, Writing::OnDemand) => None,
        }
    }

    pub(crate) const fn reading(&self) -> &R::Watch {
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
        Arc::into_inner(endpoint).expect("a watch that is dropped has dropped its descriptor")
    }
}

/// Waits until `fd`, which nobody else has, is writable.
pub(crate) async fn writable_once<R: Runtime>(runtime: &R, fd: OwnedFd) -> Result<()> {
    let watch = runtime.watch(Descriptor::from(fd), &[Interest::Write])?;
    let ready = watch.ready(Interest::Write).await;
    ready.map(drop).map_err(crate::readiness::shutting_down)
}

/// Whether it is a socket; what cannot be asked is taken for none.
fn is_socket(fd: BorrowedFd<'_>) -> bool {
    let file = fd.try_clone_to_owned().map(std::fs::File::from);
    let metadata = file.and_then(|file| file.metadata());
    metadata.is_ok_and(|metadata| metadata.file_type().is_socket())
}
