//! TCP connections that TLS 1.3 secures, both sides verified, and who drives the engine.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use ipc_net::tls;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};

use crate::{family::Endpoint, mechanisms::tcp, meet::Meet, scenario::Side};

const NAME: &str = "bench.test";
/// Between the parts of what one side sends the other.
const SEPARATOR: &str = "\u{1f}";

/// A connection whose handshake is still to be made, by whoever drives it.
pub struct Secured {
    side: Side,
    papers: Papers,
    stream: TcpStream,
}

impl Secured {
    /// This side's end.
    pub fn meet(side: Side, meet: &Meet) -> io::Result<Secured> {
        let papers = Papers::share(side, meet)?;
        let stream = tcp::meet_by_tcp(side, meet)?;
        Ok(Secured {
            side,
            papers,
            stream,
        })
    }

    /// By our crate.
    pub fn ours(self) -> io::Result<tls::Stream> {
        let mut options = tls::Options::new();
        options
            .certificate(&self.papers.chain, &self.papers.key)
            .trust(&self.papers.root);
        let stream = ipc_net::Stream::from(OwnedFd::from(self.stream));
        Ok(match self.side {
            Side::Server => options.server()?.begin(stream)?,
            Side::Client => options.client()?.begin(NAME, stream)?,
        })
    }

    /// By the engine's own blocking stream, after the handshake.
    pub fn blocking(self) -> io::Result<Blocking> {
        let (papers, stream) = (self.papers, self.stream);
        Ok(match self.side {
            Side::Server => {
                let server = ServerConnection::new(papers.server()?).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(server, stream);
                stream.conn.complete_io(&mut stream.sock)?;
                Blocking::Server(Box::new(stream))
            }
            Side::Client => {
                let name = NAME.try_into().map_err(io::Error::other)?;
                let client =
                    ClientConnection::new(papers.client()?, name).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(client, stream);
                stream.conn.complete_io(&mut stream.sock)?;
                Blocking::Client(Box::new(stream))
            }
        })
    }

    /// By tokio-rustls, after the handshake.
    #[cfg(feature = "peers")]
    pub async fn tokio(self) -> io::Result<tokio_rustls::TlsStream<tokio::net::TcpStream>> {
        Ok(match self.side {
            Side::Server => self.tokio_server().await?.into(),
            Side::Client => {
                let name = NAME.try_into().map_err(io::Error::other)?;
                let connector = tokio_rustls::TlsConnector::from(self.papers.client()?);
                self.stream.set_nonblocking(true)?;
                let stream = tokio::net::TcpStream::from_std(self.stream)?;
                connector.connect(name, stream).await?.into()
            }
        })
    }

    /// The same, of a server.
    #[cfg(feature = "peers")]
    pub async fn tokio_server(
        self,
    ) -> io::Result<tokio_rustls::server::TlsStream<tokio::net::TcpStream>> {
        let acceptor = tokio_rustls::TlsAcceptor::from(self.papers.server()?);
        self.stream.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(self.stream)?;
        acceptor.accept(stream).await
    }
}

impl std::fmt::Debug for Secured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secured").finish_non_exhaustive()
    }
}

/// The engine's own blocking stream.
#[derive(Debug)]
pub enum Blocking {
    /// Of a server.
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// Of a client.
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Endpoint for Blocking {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Blocking::Server(stream) => stream.write_all(message).and_then(|()| stream.flush()),
            Blocking::Client(stream) => stream.write_all(message).and_then(|()| stream.flush()),
        }
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        match self {
            Blocking::Server(stream) => stream.read_exact(into),
            Blocking::Client(stream) => stream.read_exact(into),
        }
    }
}

impl AsFd for Blocking {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Blocking::Server(stream) => stream.sock.as_fd(),
            Blocking::Client(stream) => stream.sock.as_fd(),
        }
    }
}

/// A root, and a certificate and key of it, all PEM.
struct Papers {
    root: String,
    chain: String,
    key: String,
}

impl Papers {
    /// The server makes them and gives them to the client, which shows the same.
    pub(crate) fn share(side: Side, meet: &Meet) -> io::Result<Papers> {
        if side == Side::Server {
            let papers = Papers::make().map_err(io::Error::other)?;
            let parts = [&*papers.root, &papers.chain, &papers.key];
            meet.send(parts.join(SEPARATOR).as_bytes())?;
            return Ok(papers);
        }
        let text = String::from_utf8(meet.recv()?).map_err(io::Error::other)?;
        let mut parts = text.split(SEPARATOR).map(str::to_owned);
        let mut next = || parts.next().ok_or_else(|| io::Error::other("three parts"));
        Ok(Papers {
            root: next()?,
            chain: next()?,
            key: next()?,
        })
    }

    fn make() -> Result<Papers, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let root = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec![NAME.to_owned()])?.signed_by(&key, &issuer)?;
        Ok(Papers {
            root,
            chain: leaf.pem(),
            key: key.serialize_pem(),
        })
    }

    fn parsed(
        &self,
    ) -> io::Result<(
        RootCertStore,
        Vec<CertificateDer<'static>>,
        PrivateKeyDer<'static>,
    )> {
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate(&self.root).map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        let chain = vec![certificate(&self.chain).map_err(io::Error::other)?];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(io::Error::other)?;
        Ok((roots, chain, key))
    }

    fn server(&self) -> io::Result<Arc<ServerConfig>> {
        let (roots, chain, key) = self.parsed()?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        Ok(Arc::new(config))
    }

    fn client(&self) -> io::Result<Arc<ClientConfig>> {
        let (roots, chain, key) = self.parsed()?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(io::Error::other)?;
        Ok(Arc::new(config))
    }
}
