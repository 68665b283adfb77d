//! TLS over TCP, both sides verified, against the same engine driven by others.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::OwnedFd,
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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::{
    family::{Endpoint, Family, Maker, Role, no_polling},
    limits::loopback,
    mechanisms::tcp,
    meet::Meet,
    ours::Ours,
    scenario::{Shape, Side},
};

const NAME: &str = "bench.test";
/// Between the parts of what one side sends the other.
const SEPARATOR: &str = "\u{1f}";

/// TLS over TCP.
pub fn family() -> Family {
    let raw = Maker {
        probe: loopback,
        fits: tcp::unread,
        ..Maker::raw(tcp::connect_raw)
    };
    let ours = Maker {
        probe: loopback,
        fits: tcp::unread,
        ..Maker::ours("ipc-net", connect_ours)
    };
    let peer = |name, connect| Maker {
        name,
        probe: loopback,
        fits: |shape| no_polling(shape).and_then(|()| tcp::unread(shape)),
        ..Maker::std(connect)
    };
    Family {
        name: "tls",
        about: "TLS 1.3 over TCP, both sides verified (raw: the same bytes without TLS)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            raw,
            ours,
            peer("tokio-rustls", connect_tokio),
            peer("rustls", connect_rustls),
        ],
        sweep: None,
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
    fn share(side: Side, meet: &Meet) -> io::Result<Papers> {
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

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let papers = Papers::share(side, meet)?;
    let stream = ipc_net::Stream::from(OwnedFd::from(tcp::meet_by_tcp(side, meet)?));
    let mut options = tls::Options::new();
    options
        .certificate(&papers.chain, &papers.key)
        .trust(&papers.root);
    let stream = match side {
        Side::Server => options.server()?.begin(stream)?,
        Side::Client => options.client()?.begin(NAME, stream)?,
    };
    stream.handshake()?;
    Ok(Box::new(Ours::new(stream)))
}

fn connect_rustls(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let papers = Papers::share(side, meet)?;
    let stream = tcp::meet_by_tcp(side, meet)?;
    Ok(match side {
        Side::Server => {
            let server = ServerConnection::new(papers.server()?).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(server, stream);
            stream.conn.complete_io(&mut stream.sock)?;
            Box::new(Blocking(stream))
        }
        Side::Client => {
            let name = NAME.try_into().map_err(io::Error::other)?;
            let client =
                ClientConnection::new(papers.client()?, name).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(client, stream);
            stream.conn.complete_io(&mut stream.sock)?;
            Box::new(Blocking(stream))
        }
    })
}

/// The engine's own blocking stream.
struct Blocking<S>(S);

impl<S: Read + Write + Send> Endpoint for Blocking<S> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write_all(message)?;
        self.0.flush()
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(into)
    }
}

fn connect_tokio(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let papers = Papers::share(side, meet)?;
    let stream = tcp::meet_by_tcp(side, meet)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let stream = runtime.block_on(shake_hands(side, &papers, stream))?;
    Ok(Box::new(Tokio { runtime, stream }))
}

async fn shake_hands(
    side: Side,
    papers: &Papers,
    stream: TcpStream,
) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    stream.set_nonblocking(true)?;
    let stream = tokio::net::TcpStream::from_std(stream)?;
    Ok(match side {
        Side::Server => {
            let acceptor = TlsAcceptor::from(papers.server()?);
            TlsStream::Server(acceptor.accept(stream).await?)
        }
        Side::Client => {
            let name = NAME.try_into().map_err(io::Error::other)?;
            let connector = TlsConnector::from(papers.client()?);
            TlsStream::Client(connector.connect(name, stream).await?)
        }
    })
}

/// tokio-rustls, driven by a runtime of one thread: the harness has no futures, so each message
/// enters the runtime anew, which costs it a little.
struct Tokio {
    runtime: tokio::runtime::Runtime,
    stream: TlsStream<tokio::net::TcpStream>,
}

impl Endpoint for Tokio {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        self.runtime.block_on(async {
            stream.write_all(message).await?;
            stream.flush().await
        })
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        self.runtime.block_on(stream.read_exact(into)).map(drop)
    }
}
