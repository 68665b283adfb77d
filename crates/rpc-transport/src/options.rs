//! How endpoints are listened at and connected to.

use crate::endpoint::Endpoint;
use crate::listener::Listener;
use crate::wire::Wire;
use ipc_core::{Error, ErrorKind, Result, Until};
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

    /// Listens at `endpoint`; the socket path that a killed server left is taken over.
    ///
    /// # Errors
    /// [`Denied`](ErrorKind::Denied) for TCP without
    /// [`insecure_plain_text`](Options::insecure_plain_text);
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) where another server lives; else as the
    /// transport says.
    pub fn bind(&self, endpoint: &Endpoint) -> Result<Listener> {
        match endpoint {
            Endpoint::Unix(path) => {
                let mut options = ipc_uds::Options::new();
                Ok(options.mode(0o600).replace_stale(true).bind(path)?.into())
            }
            Endpoint::Tcp(address) => {
                let listener = self.plain_tcp("bind", address)?.bind(&address[..])?;
                Ok(listener.into())
            }
        }
    }

    /// Connects to `endpoint`, waiting until `until`.
    ///
    /// # Errors
    /// As the transport says: [`NotFound`](ErrorKind::NotFound), [`Refused`](ErrorKind::Refused),
    /// [`Denied`](ErrorKind::Denied) as for [`bind`](Options::bind) …
    pub fn connect(&self, endpoint: &Endpoint, until: Until) -> Result<Wire> {
        match endpoint {
            Endpoint::Unix(path) => Wire::unix(match until {
                Until::Now => ipc_uds::try_connect(path),
                Until::Forever => ipc_uds::connect(path),
                Until::At(deadline) => ipc_uds::connect_deadline(path, deadline),
            }?),
            Endpoint::Tcp(address) => {
                let options = self.plain_tcp("connect", address)?;
                Wire::tcp(match until {
                    Until::Now => options.try_connect(&address[..]),
                    Until::Forever => options.connect(&address[..]),
                    Until::At(deadline) => options.connect_deadline(&address[..], deadline),
                }?)
            }
        }
    }

    /// [`connect`](Options::connect) without blocking the runtime, until `deadline`.
    ///
    /// # Errors
    /// As [`connect`](Options::connect).
    pub async fn connect_async(&self, endpoint: &Endpoint, deadline: Instant) -> Result<Wire> {
        // A path is there or not; a name may have to be asked for.
        if let Endpoint::Unix(_) = endpoint {
            match self.connect(endpoint, Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
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
        let mut options = ipc_net::Options::new();
        options.insecure_plain_text(true);
        Ok(options)
    }
}
