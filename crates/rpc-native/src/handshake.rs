//! The transport's own handshake, awaited: who is at the other end is known before a call is.

use ipc_async::Async;
use ipc_core::{ErrorKind, Interest, Result, Until};
use rpc_transport::Wire;
use std::time::Duration;

/// `wire`, once its peer has proven who it is, where its transport asks for that.
///
/// # Errors
/// [`TimedOut`](ErrorKind::TimedOut) where it takes longer than `limit`, and as the transport
/// says.
pub(crate) async fn proven(mut wire: Wire, limit: Duration) -> Result<Wire> {
    if !wire.has_handshake() {
        return Ok(wire);
    }
    let late = || Until::after(limit).over("handshake");
    let work = tokio::time::timeout(limit, shake_hands(wire));
    wire = work.await.map_err(|_| late())??;
    // It is done: this takes over what was proven.
    wire.handshake(Until::Now)?;
    Ok(wire)
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
