//! From an endpoint to a connected stream, blocking or awaited.

use crate::endpoint::Endpoint;
use crate::wire::Wire;
use ipc_core::{Error, ErrorKind, Result, Until};
use std::time::Instant;

/// Connects to `endpoint`, waiting until `until`.
///
/// # Errors
/// As the transport says: [`NotFound`](ErrorKind::NotFound), [`Refused`](ErrorKind::Refused) …
pub fn connect(endpoint: &Endpoint, until: Until) -> Result<Wire> {
    match endpoint {
        Endpoint::Unix(path) => {
            let stream = match until {
                Until::Now => ipc_uds::try_connect(path),
                Until::Forever => ipc_uds::connect(path),
                Until::At(deadline) => ipc_uds::connect_deadline(path, deadline),
            };
            Wire::unix(stream?)
        }
    }
}

/// Connects to `endpoint` without blocking the runtime; a full queue of connections is waited for
/// until `deadline`.
///
/// # Errors
/// As [`connect`].
pub async fn connect_async(endpoint: &Endpoint, deadline: Instant) -> Result<Wire> {
    match connect(endpoint, Until::Now) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        outcome => return outcome,
    }
    let endpoint = endpoint.clone();
    let waiting = tokio::task::spawn_blocking(move || connect(&endpoint, Until::At(deadline)));
    waiting
        .await
        .unwrap_or_else(|_| Err(Error::new("connect", ErrorKind::Closed)))
}
