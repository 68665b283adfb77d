//! The side that connects.

use super::failure::unusable;
use super::session::Session;
use super::stream::Stream;
use ipc_core::{Duplex, Result, Until, four_forms};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;

/// The side that connects, for byte streams of any kind. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
    handshake_timeout: Duration,
    transport: crate::Options,
}

impl Client {
    pub(crate) const fn new(
        config: Arc<ClientConfig>,
        handshake_timeout: Duration,
        transport: crate::Options,
    ) -> Self {
        Self {
            config,
            handshake_timeout,
            transport,
        }
    }

    four_forms! {
        /// Connects to `address` over TCP and makes the handshake with the server there, which
        /// must prove that it is `name`, a DNS name or an IP address. One deadline holds for
        /// both. The try form leaves the handshake to the first verb.
        ///
        /// # Errors
        /// As [`Options::connect`](crate::Options::connect) and [`Stream::handshake`].
        connect / try_connect / connect_timeout / connect_deadline
            = connect_until(name: &str, address: impl ToSocketAddrs) -> Stream<crate::Stream>
    }

    /// Puts TLS on `inner`, at whose other end `name`, a DNS name or an IP address, is to be.
    /// Nothing is waited for here: the handshake is made by [`Stream::handshake`], or by the
    /// first verb.
    ///
    /// # Errors
    /// [`InvalidInput`](ipc_core::ErrorKind::InvalidInput) for what cannot be a name.
    pub fn begin<T: Duplex>(&self, name: &str, inner: T) -> Result<Stream<T>> {
        let name =
            ServerName::try_from(name.to_owned()).map_err(|error| unusable("name", error))?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| super::failure::failure("connect", error))?;
        let session = Session::new(connection.into());
        Ok(Stream::new(inner, session, self.handshake_timeout))
    }

    fn connect_until(
        &self,
        name: &str,
        address: impl ToSocketAddrs,
        until: Until,
    ) -> Result<Stream<crate::Stream>> {
        let stream = self.begin(name, self.transport.connect_until(address, until)?)?;
        if until != Until::Now {
            stream.handshake_until(until)?;
        }
        Ok(stream)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("handshake_timeout", &self.handshake_timeout)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
