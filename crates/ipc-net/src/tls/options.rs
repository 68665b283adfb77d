//! How a TLS server or client is made.

use super::client::Client;
use super::failure::unusable;
use super::identity::Identity;
use super::listener::Listener;
use super::server::Server;
use super::verify::{Admission, OfClients, OfServers};
use ipc_core::Result;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;

/// How long a handshake may take where nothing else is said: 5 s.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How a TLS server or client is made. Certificates, keys and revocation lists are PEM.
#[derive(Clone)]
pub struct Options {
    own: Option<(Vec<u8>, Vec<u8>)>,
    trusted: Vec<u8>,
    revoked: Vec<u8>,
    admission: Option<Admission>,
    handshake_timeout: Duration,
    allow_tls_1_2: bool,
    protocols: Vec<Vec<u8>>,
    transport: crate::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            own: None,
            trusted: Vec::new(),
            revoked: Vec::new(),
            admission: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            allow_tls_1_2: false,
            protocols: Vec::new(),
            transport: crate::Options::new(),
        }
    }
}

impl Options {
    /// TLS 1.3, no certificate, nobody trusted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The own certificate, followed by those that lead to the root, and its private key: a
    /// server must have one, a client shows it where the server asks.
    pub fn certificate(
        &mut self,
        chain_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> &mut Self {
        self.own = Some((chain_pem.as_ref().to_vec(), key_pem.as_ref().to_vec()));
        self
    }

    /// The roots up to which the other side's certificate must chain, and no others: the host's
    /// own are not consulted. A client needs some. A server that has some demands a certificate
    /// of every client (mutual TLS); one without knows nothing of its clients.
    pub fn trust(&mut self, roots_pem: impl AsRef<[u8]>) -> &mut Self {
        self.trusted = roots_pem.as_ref().to_vec();
        self
    }

    /// Revocation lists. Where there is one, a certificate of whose issuer there is none, or only
    /// one that is out of date, is refused too.
    pub fn revoked(&mut self, lists_pem: impl AsRef<[u8]>) -> &mut Self {
        self.revoked = lists_pem.as_ref().to_vec();
        self
    }

    /// Who is let in, among those whose certificate is good: it runs during the handshake, in
    /// the thread that is in it, and a refused peer is told. By default everyone; nobody
    /// whose certificate has neither a DNS name nor a URI as subject alternative name.
    pub fn admit(&mut self, who: impl Fn(&Identity) -> bool + Send + Sync + 'static) -> &mut Self {
        self.admission = Some(Admission(Arc::new(who)));
        self
    }

    /// How long a handshake may take, from the moment that the connection is there;
    /// [`HANDSHAKE_TIMEOUT`] by default.
    pub fn handshake_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Speaks TLS 1.2 as well, with peers that know nothing newer; off by default. Older versions
    /// are never spoken.
    pub fn allow_tls_1_2(&mut self, allow: bool) -> &mut Self {
        self.allow_tls_1_2 = allow;
        self
    }

    /// The protocols that are spoken inside, most wanted first, as ALPN names them (`h2`): both
    /// sides that name some agree on one, or the handshake fails. By default none is named.
    pub fn protocols<P: AsRef<[u8]>>(&mut self, names: impl IntoIterator<Item = P>) -> &mut Self {
        self.protocols = names
            .into_iter()
            .map(|name| name.as_ref().to_vec())
            .collect();
        self
    }

    /// How the TCP socket below is made. Addresses beyond the loopback interface need no further
    /// permission, since no plain text goes there.
    pub fn transport(&mut self, options: &crate::Options) -> &mut Self {
        self.transport = options.clone();
        self
    }

    /// A server for byte streams of any kind.
    ///
    /// # Errors
    /// [`InvalidInput`](ipc_core::ErrorKind::InvalidInput) without a certificate, for PEM that
    /// cannot be read, for a key that does not belong to the certificate, for
    /// [`admit`](Options::admit) without [`trust`](Options::trust).
    pub fn server(&self) -> Result<Server> {
        let Some((chain, key)) = self.own_certificate()? else {
            return Err(unusable("certificate", "a server must have one"));
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .map_err(|error| unusable("versions", error))?;
        let builder = if self.trusted.is_empty() {
            if self.admission.is_some() || !self.revoked.is_empty() {
                return Err(unusable(
                    "trust",
                    "a server without roots has no client certificate to admit or revoke",
                ));
            }
            builder.with_no_client_auth()
        } else {
            builder.with_client_cert_verifier(Arc::new(self.verifier_of_clients()?))
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unusable("certificate", error))?;
        // A resumed session would skip all checks of the client's certificate.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(Server::new(Arc::new(config), self.handshake_timeout))
    }

    /// A client for byte streams of any kind.
    ///
    /// # Errors
    /// [`InvalidInput`](ipc_core::ErrorKind::InvalidInput) where nobody is trusted, for PEM that
    /// cannot be read, for a key that does not belong to the certificate.
    pub fn client(&self) -> Result<Client> {
        if self.trusted.is_empty() {
            return Err(unusable("trust", "a client trusts no server without roots"));
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions())
            .map_err(|error| unusable("versions", error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.verifier_of_servers()?));
        let mut config = match self.own_certificate()? {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable("certificate", error))?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.alpn_protocols.clone_from(&self.protocols);
        let transport = self.transport.protected();
        Ok(Client::new(
            Arc::new(config),
            self.handshake_timeout,
            transport,
        ))
    }

    /// Listens for TLS over TCP at `address`, also beyond the loopback interface.
    ///
    /// # Errors
    /// As [`server`](Options::server) and [`Options::bind`](crate::Options::bind).
    pub fn bind(&self, address: impl ToSocketAddrs) -> Result<Listener> {
        let server = self.server()?;
        Ok(Listener::new(
            self.transport.protected().bind(address)?,
            server,
        ))
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];
        static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        if self.allow_tls_1_2 { BOTH } else { NEWEST }
    }

    fn own_certificate(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
        let Some((chain, key)) = &self.own else {
            return Ok(None);
        };
        let chain = certificates("certificate", chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable("key", error))?;
        Ok(Some((chain, key)))
    }

    fn verifier_of_clients(&self) -> Result<OfClients> {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider());
        let lists = self.revocation_lists()?;
        let builder = if lists.is_empty() {
            builder
        } else {
            builder.with_crls(lists).enforce_revocation_expiration()
        };
        let chain = builder.build().map_err(|error| unusable("trust", error))?;
        let admission = self.admission();
        Ok(OfClients { chain, admission })
    }

    fn verifier_of_servers(&self) -> Result<OfServers> {
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider());
        let lists = self.revocation_lists()?;
        let builder = if lists.is_empty() {
            builder
        } else {
            builder.with_crls(lists).enforce_revocation_expiration()
        };
        let chain = builder.build().map_err(|error| unusable("trust", error))?;
        let admission = self.admission();
        Ok(OfServers { chain, admission })
    }

    fn admission(&self) -> Admission {
        self.admission
            .clone()
            .unwrap_or_else(|| Admission(Arc::new(|_| true)))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for root in certificates("trust", &self.trusted)? {
            roots.add(root).map_err(|error| unusable("trust", error))?;
        }
        Ok(roots)
    }

    fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>> {
        let lists = CertificateRevocationListDer::pem_slice_iter(&self.revoked)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable("revoked", error))?;
        if lists.is_empty() && !self.revoked.is_empty() {
            return Err(unusable("revoked", "there is no list in it"));
        }
        Ok(lists)
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(what, error))?;
    if found.is_empty() {
        return Err(unusable(what, "there is no certificate in it"));
    }
    Ok(found)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl fmt::Debug for Options {
    /// Without the private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("certificate", &self.own.is_some())
            .field("trust", &!self.trusted.is_empty())
            .field("revoked", &!self.revoked.is_empty())
            .field("admission", &self.admission)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("allow_tls_1_2", &self.allow_tls_1_2)
            .field("transport", &self.transport)
            .finish()
    }
}
