//! Where TLS connections over TCP come in.

use super::server::Server;
use super::stream::Stream;
use ipc_core::{Interest, Pollable, Result, TryAccept, Until, four_forms};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

/// Where TLS connections over TCP come in. Accepting waits for a connection, never for a
/// handshake, so that a client that is slow at it holds up nobody but who serves it.
#[derive(Debug)]
pub struct Listener {
    inner: crate::Listener,
    server: Server,
}

impl Listener {
    pub(crate) const fn new(inner: crate::Listener, server: Server) -> Self {
        Self { inner, server }
    }

    four_forms! {
        /// Accepts a connection, whose client has proven nothing yet: that is what
        /// [`Stream::handshake`] is for, or the first verb. No byte comes in or goes out before.
        ///
        /// # Errors
        /// As [`Listener::accept`](crate::Listener::accept).
        accept / try_accept / accept_timeout / accept_deadline
            = accept_until() -> Stream<crate::Stream>
    }

    /// Stops listening, as [`Listener::stop`](crate::Listener::stop) does.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn stop(&self) -> Result<()> {
        self.inner.stop()
    }

    /// How many peers the policy has refused by their address.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.inner.refused()
    }

    /// The address it listens at.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> Result<SocketAddr> {
        self.inner.address()
    }

    fn accept_until(&self, until: Until) -> Result<Stream<crate::Stream>> {
        let stream = match until {
            Until::Now => self.inner.try_accept()?,
            Until::Forever => self.inner.accept()?,
            Until::At(deadline) => self.inner.accept_deadline(deadline)?,
        };
        self.server.begin(stream)
    }
}

impl Pollable for Listener {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.inner.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.inner.wait_ready(interests, until)
    }
}

impl TryAccept for Listener {
    type Connection = Stream<crate::Stream>;
    fn try_accept(&self) -> Result<Self::Connection> {
        self.accept_until(Until::Now)
    }
}
