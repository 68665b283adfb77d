//! The side that is connected to.

use super::session::Session;
use super::stream::Stream;
use ipc_core::{Duplex, Result};
use rustls::{ServerConfig, ServerConnection};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The side that is connected to, for byte streams of any kind. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    handshake_timeout: Duration,
}

impl Server {
    pub(crate) const fn new(config: Arc<ServerConfig>, handshake_timeout: Duration) -> Self {
        Self {
            config,
            handshake_timeout,
        }
    }

    /// Puts TLS on `inner`, to which a client has connected. Nothing is waited for here: the
    /// handshake is made by [`Stream::handshake`], or by the first verb.
    ///
    /// # Errors
    /// As the TLS engine says.
    pub fn begin<T: Duplex>(&self, inner: T) -> Result<Stream<T>> {
        let connection = ServerConnection::new(Arc::clone(&self.config))
            .map_err(|error| super::failure::failure("accept", error))?;
        let session = Session::new(connection.into());
        Ok(Stream::new(inner, session, self.handshake_timeout))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}
