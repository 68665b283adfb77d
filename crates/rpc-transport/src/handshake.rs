//! The transport's own handshake, awaited: who is at the other end is known before a call is.

use crate::wire::Wire;
use ipc_async::Async;
use ipc_core::{ErrorKind, Interest, Result, Until};
use std::time::Duration;

impl Wire {
    /// This, once its peer has proven who it is, where its transport asks for that: the awaited
    /// form of [`handshake`](Wire::handshake).
    ///
    /// # Errors
    /// [`TimedOut`](ErrorKind::TimedOut) where it takes longer than `limit`, and as the transport
    /// says.
    pub async fn proven(self, limit: Duration) -> Result<Self> {
        if !self.has_handshake() {
            return Ok(self);
        }
        // One that is done already is not waited for: this side may be the one that speaks next.
        let mut wire = match self.try_handshake() {
            Ok(()) => self,
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.awaited(limit).await?,
            Err(error) => return Err(error),
        };
        // This takes over what was proven.
        wire.handshake(Until::Now)?;
        Ok(wire)
    }

    async fn awaited(self, limit: Duration) -> Result<Self> {
        let late = || Until::after(limit).over("handshake");
        let work = tokio::time::timeout(limit, shake_hands(self));
        work.await.map_err(|_| late())?
    }
}

async fn shake_hands(wire: Wire) -> Result<Wire> {
    let mut wire = Async::new(wire)?;
    wire.ready(Interest::Read, Wire::try_handshake).await?;
    loop {
        // A task of the runtime may still be writing the last word of it.
        wire = match wire.into_inner() {
            Ok(wire) => return Ok(wire),
            Err(again) => again,
        };
        let paid = wire.ready(Interest::Write, |wire| {
            ipc_core::ByteSink::pay_until(wire, Until::Now)
        });
        match paid.await {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => tokio::task::yield_now().await,
        }
    }
}
