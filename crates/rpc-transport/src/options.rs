//! How endpoints are listened at and connected to.

use crate::endpoint::Endpoint;
use crate::listener::Listener;
use crate::wire::Wire;
use ipc_core::{Error, ErrorKind, Result, Until};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How endpoints are listened at and connected to.
///
/// ```
/// use rpc_transport::{Endpoint, ErrorKind, Options};
/// let endpoint: Endpoint = "tcp:127.0.0.1:0".parse()?;
/// let error = Options::new().bind(&endpoint).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Denied); // any user of this host could call
/// assert!(Options::new().insecure_plain_text(true).bind(&endpoint).is_ok());
/// # Ok::<(), rpc_transport::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    insecure_plain_text: bool,
    tcp: ipc_net::Options,
    ring: ipc_ring::Options,
    pub(crate) directory: Option<PathBuf>,
    #[cfg(feature = "tls")]
    identities: crate::identities::Identities,
}

impl Options {
    /// The defaults: nothing that proves no peer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows TCP without TLS, on the loopback interface and beyond. It proves nobody: any user
    /// of any host that reaches the port calls, and on the way all can be read and changed.
    pub fn insecure_plain_text(&mut self, accept: bool) -> &mut Self {
        self.insecure_plain_text = accept;
        self
    }

    /// How the sockets of TCP and TLS are made: when a host that is silent counts as dead, from
    /// where connections are taken …
    pub fn tcp(&mut self, options: &ipc_net::Options) -> &mut Self {
        self.tcp = options.clone();
        self
    }

    /// How channels in shared memory are made: how much they hold, how long they spin before they
    /// sleep, how long a meeting takes.
    pub fn ring(&mut self, options: &ipc_ring::Options) -> &mut Self {
        self.ring = options.clone();
        self
    }

    /// The directory in which names of `local:` live; the runtime directory by default.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// The own certificate for TLS, followed by those that lead to the root, and its private key,
    /// all PEM: a server must have one, a client shows it where the server asks.
    #[cfg(feature = "tls")]
    pub fn certificate(
        &mut self,
        chain_pem: impl AsRef<[u8]>,
        key_pem: impl AsRef<[u8]>,
    ) -> &mut Self {
        self.identities.certificate(chain_pem, key_pem);
        self
    }

    /// The roots, PEM, up to which the other side's certificate must chain, and no others. A
    /// client needs some. A server that has some demands a certificate of every client.
    #[cfg(feature = "tls")]
    pub fn trust(&mut self, roots_pem: impl AsRef<[u8]>) -> &mut Self {
        self.identities.trust(roots_pem);
        self
    }

    /// What else TLS can be told: revocation lists, who is admitted, how long a handshake takes.
    #[cfg(feature = "tls")]
    pub fn tls(&mut self, set: impl FnOnce(&mut ipc_net::tls::Options)) -> &mut Self {
        self.identities.set(set);
        self
    }

    /// The name that a TLS server must prove; by default the host in the string binding.
    #[cfg(feature = "tls")]
    pub fn server_name(&mut self, name: &str) -> &mut Self {
        self.identities.server_name(name);
        self
    }

    /// Listens at `endpoint`; the socket path that a killed server left is taken over.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) for TCP without
    /// [`insecure_plain_text`](Options::insecure_plain_text);
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) where another server lives;
    /// [`InvalidInput`](ErrorKind::InvalidInput) for TLS without a certificate, and for mutual
    /// TLS without roots to trust; [`Unsupported`](ErrorKind::Unsupported) for TLS
    /// without the feature `tls`, and for `inproc:`, over which no bytes go (see
    /// [`inproc`](crate::inproc)); else as the transport says.
    pub fn bind(&self, endpoint: &Endpoint) -> Result<Listener> {
        match endpoint {
            Endpoint::Unix(path) => {
                let mut options = ipc_uds::Options::new();
                Ok(options.mode(0o600).replace_stale(true).bind(path)?.into())
            }
            Endpoint::Shm(path) => {
                let mut options = ipc_uds::Options::new();
                let socket = options.mode(0o600).replace_stale(true);
                Ok(Listener::shm(socket.bind_seqpacket(path)?, &self.ring))
            }
            Endpoint::Tcp(address) => {
                let listener = self.plain_tcp("bind", address)?.bind(&address[..])?;
                Ok(listener.into())
            }
            #[cfg(feature = "tls")]
            Endpoint::Tls(address) => self.identities.bind(&self.tcp, address, false),
            #[cfg(feature = "tls")]
            Endpoint::Mtls(address) => self.identities.bind(&self.tcp, address, true),
            Endpoint::Local { name, tcp } => self.bind_ways(name, tcp.as_deref()),
            other => Err(no_bytes("bind", other)),
        }
    }

    /// Connects to `endpoint`, waiting until `until`.
    ///
    /// # Errors
    /// As the transport says: [`NotFound`](ErrorKind::NotFound), [`Refused`](ErrorKind::Refused),
    /// [`Denied`](ErrorKind::Denied) as for [`bind`](Options::bind), and where TLS finds that the
    /// server is not who it should be …
    pub fn connect(&self, endpoint: &Endpoint, until: Until) -> Result<Wire> {
        if let Endpoint::Local { name, tcp } = endpoint {
            return self.connect_ways(name, tcp.as_deref(), until);
        }
        Ok(self.connect_one(endpoint, until)?.of(endpoint))
    }

    fn connect_one(&self, endpoint: &Endpoint, until: Until) -> Result<Wire> {
        match endpoint {
            Endpoint::Unix(path) => Wire::unix(match until {
                Until::Now => ipc_uds::try_connect(path),
                Until::Forever => ipc_uds::connect(path),
                Until::At(deadline) => ipc_uds::connect_deadline(path, deadline),
            }?),
            Endpoint::Shm(path) => {
                let options = ipc_uds::Options::new();
                let socket = match until {
                    Until::Now => options.try_connect_seqpacket(path),
                    Until::Forever => options.connect_seqpacket(path),
                    Until::At(deadline) => options.connect_seqpacket_deadline(path, deadline),
                }?;
                let mut wire = Wire::shm_meeting(self.ring.begin(socket)?)?;
                if until != Until::Now {
                    wire.handshake(until)?;
                }
                Ok(wire)
            }
            Endpoint::Tcp(address) => {
                let options = self.plain_tcp("connect", address)?;
                Wire::tcp(match until {
                    Until::Now => options.try_connect(&address[..]),
                    Until::Forever => options.connect(&address[..]),
                    Until::At(deadline) => options.connect_deadline(&address[..], deadline),
                }?)
            }
            #[cfg(feature = "tls")]
            Endpoint::Tls(address) => self.identities.connect(&self.tcp, address, until, false),
            #[cfg(feature = "tls")]
            Endpoint::Mtls(address) => self.identities.connect(&self.tcp, address, until, true),
            other => Err(no_bytes("connect", other)),
        }
    }

    /// [`connect`](Options::connect) without blocking the runtime, until `deadline`.
    ///
    /// # Errors
    /// As [`connect`](Options::connect).
    pub async fn connect_async(&self, endpoint: &Endpoint, deadline: Instant) -> Result<Wire> {
        if let Endpoint::Local { name, tcp } = endpoint {
            return self
                .connect_ways_async(name, tcp.as_deref(), deadline)
                .await;
        }
        // A path is there or not; a name may have to be asked for.
        if let Endpoint::Unix(_) | Endpoint::Shm(_) = endpoint {
            match self.connect(endpoint, Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(wire) => return wire.proven(deadline - Instant::now()).await,
                Err(error) => return Err(error),
            }
        }
        let (options, endpoint) = (self.clone(), endpoint.clone());
        let connect = move || options.connect(&endpoint, Until::At(deadline));
        tokio::task::spawn_blocking(connect)
            .await
            .unwrap_or_else(|_| Err(Error::new("connect", ErrorKind::Closed)))
    }

    fn plain_tcp(&self, operation: &'static str, address: &str) -> Result<ipc_net::Options> {
        if !self.insecure_plain_text {
            return Err(Error::new(operation, ErrorKind::Denied).on(address).hint(
                "TCP without TLS proves nobody, on the loopback interface too: \
                 Options::insecure_plain_text allows it",
            ));
        }
        let mut options = self.tcp.clone();
        options.insecure_plain_text(true);
        Ok(options)
    }
}

/// The failure of what is no byte stream here.
#[cold]
fn no_bytes(operation: &'static str, endpoint: &Endpoint) -> Error {
    let hint = match endpoint {
        Endpoint::Inproc(_) => "no bytes go there: rpc_transport::inproc has its calls",
        _ => "this program was built without the feature `tls`",
    };
    Error::new(operation, ErrorKind::Unsupported)
        .on(endpoint)
        .hint(hint)
}
