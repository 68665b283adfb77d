//! Where connections come in, whichever transport brings them.

use crate::endpoint::Endpoint;
use crate::wire::Wire;
use ipc_core::{Interest, Pollable, Result, TryAccept, Until};
use std::os::fd::BorrowedFd;

/// Where connections come in.
///
/// A Unix socket lets in our own user alone; for others make an [`ipc_uds::Listener`] with their
/// policy and convert it.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unix(ipc_uds::Listener),
}

impl Listener {
    /// Listens at `endpoint`; the path that a killed server left is taken over.
    ///
    /// # Errors
    /// As the transport says: [`AlreadyExists`](ipc_core::ErrorKind::AlreadyExists) where another
    /// server lives …
    pub fn bind(endpoint: &Endpoint) -> Result<Self> {
        match endpoint {
            Endpoint::Unix(path) => {
                let mut options = ipc_uds::Options::new();
                Ok(options.mode(0o600).replace_stale(true).bind(path)?.into())
            }
        }
    }

    /// Accepts a connection, waiting until `until`.
    ///
    /// # Errors
    /// As the transport says; the listener stays usable.
    pub fn accept(&self, until: Until) -> Result<Wire> {
        match &self.kind {
            Kind::Unix(listener) => Wire::unix(match until {
                Until::Now => listener.try_accept(),
                Until::Forever => listener.accept(),
                Until::At(deadline) => listener.accept_deadline(deadline),
            }?),
        }
    }
}

impl From<ipc_uds::Listener> for Listener {
    fn from(listener: ipc_uds::Listener) -> Self {
        Self {
            kind: Kind::Unix(listener),
        }
    }
}

impl Pollable for Listener {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Unix(listener) => listener.descriptor(interest),
        }
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        match &self.kind {
            Kind::Unix(listener) => listener.wait_ready(interests, until),
        }
    }
}

impl TryAccept for Listener {
    type Connection = Wire;
    fn try_accept(&self) -> Result<Wire> {
        self.accept(Until::Now)
    }
}
