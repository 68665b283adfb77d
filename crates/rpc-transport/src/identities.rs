//! Who the two sides of TLS are: the own certificate, whom to trust, which name to expect.

use crate::listener::Listener;
use crate::wire::Wire;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_net::tls;

/// What [`Options`](crate::Options) know for TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identities {
    options: tls::Options,
    has_certificate: bool,
    has_roots: bool,
    server_name: Option<String>,
}

impl Identities {
    pub(crate) fn certificate(&mut self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) {
        self.options.certificate(chain, key);
        self.has_certificate = true;
    }

    pub(crate) fn trust(&mut self, roots: impl AsRef<[u8]>) {
        self.has_roots = !roots.as_ref().is_empty();
        self.options.trust(roots);
    }

    pub(crate) fn set(&mut self, set: impl FnOnce(&mut tls::Options)) {
        set(&mut self.options);
    }

    pub(crate) fn server_name(&mut self, name: &str) {
        self.server_name = Some(name.to_owned());
    }

    pub(crate) fn bind(
        &self,
        tcp: &ipc_net::Options,
        address: &str,
        mutual: bool,
    ) -> Result<Listener> {
        if mutual && !self.has_roots {
            let hint = "mutual TLS needs roots for the certificates of clients: Options::trust";
            return Err(lacks("bind", address, hint));
        }
        let mut options = self.options.clone();
        let listener = options.transport(tcp).bind(address)?;
        Ok(Listener::tls(listener, mutual))
    }

    /// Connects and makes the handshake, in which the server proves that it is who it should be.
    pub(crate) fn connect(
        &self,
        tcp: &ipc_net::Options,
        address: &str,
        until: Until,
        mutual: bool,
    ) -> Result<Wire> {
        if mutual && !self.has_certificate {
            let hint = "mutual TLS needs a certificate of the client: Options::certificate";
            return Err(lacks("connect", address, hint));
        }
        let mut options = self.options.clone();
        let client = options.transport(tcp).client()?;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = self.server_name.as_deref().unwrap_or(host);
        let stream = match until {
            Until::Now => client.try_connect(name, address),
            Until::Forever => client.connect(name, address),
            Until::At(deadline) => client.connect_deadline(name, address, deadline),
        }?;
        let mut wire = Wire::tls(stream)?;
        if until != Until::Now {
            wire.handshake(until)?;
        }
        Ok(wire)
    }
}

#[cold]
fn lacks(operation: &'static str, address: &str, hint: &'static str) -> Error {
    Error::new(operation, ErrorKind::InvalidInput)
        .on(address)
        .hint(hint)
}
