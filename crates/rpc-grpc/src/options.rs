//! How connections and servers are made.

use crate::client::Connection;
use crate::compression::Encoding;
use crate::credentials::CallCredentials;
use crate::server::Serving;
use crate::service::GrpcService;
use rpc_core::{Code, Served, Status};
use rpc_http::Limits;
use rpc_transport::{Endpoint, Listener, Stopped, Wire};
use std::time::{Duration, Instant};

/// How connections and servers are made.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use rpc_grpc::Options;
/// let mut options = Options::new();
/// let connection = options.max_message_bytes(16 << 20).connect("unix:/run/shop.sock").await?;
/// # let _ = connection;
/// # Ok::<(), rpc_grpc::Status>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) limits: Limits,
    pub(crate) transport: rpc_transport::Options,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) max_calls: usize,
    pub(crate) max_oneways: usize,
    pub(crate) encoding: Encoding,
    pub(crate) authority: String,
    pub(crate) credentials: Option<CallCredentials>,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_user: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            transport: rpc_transport::Options::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            max_message_bytes: 4 << 20,
            max_calls: 128,
            max_oneways: 50,
            encoding: Encoding::Identity,
            authority: "localhost".to_owned(),
            credentials: None,
            max_connections: 4096,
            max_connections_per_user: 256,
        }
    }
}

impl Options {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What this side takes of HTTP.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// How bytes travel; by default by nothing that proves no peer.
    pub fn transport(&mut self, options: rpc_transport::Options) -> &mut Self {
        self.transport = options;
        self
    }

    /// How long connecting may take; 5 seconds by default.
    pub fn connect_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the one message of a request may take to come, where the call has no shorter
    /// deadline; 30 seconds by default.
    pub fn request_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.request_timeout = timeout;
        self
    }

    /// How large a message may be, in either direction, and also once it is unpacked; 4 MiB by
    /// default.
    pub fn max_message_bytes(&mut self, bytes: u32) -> &mut Self {
        self.max_message_bytes = bytes as usize;
        self
    }

    /// How many calls of a client may be under way on one connection; further ones wait here. 128
    /// by default.
    pub fn max_calls(&mut self, calls: u32) -> &mut Self {
        self.max_calls = calls.clamp(1, 65_536) as usize;
        self
    }

    /// How many oneway calls of one connection may run on a server; further ones are dropped. 50
    /// by default.
    pub fn max_oneways(&mut self, calls: u32) -> &mut Self {
        self.max_oneways = calls as usize;
        self
    }

    /// How a client compresses its messages, and a server those for clients that understand it.
    /// What comes is understood in every encoding that is compiled in.
    pub fn encoding(&mut self, encoding: Encoding) -> &mut Self {
        self.encoding = encoding;
        self
    }

    /// The name by which a client calls the server (`:authority`); `localhost` by default.
    pub fn authority(&mut self, name: &str) -> &mut Self {
        name.clone_into(&mut self.authority);
        self
    }

    /// What each call of a client carries to say for whom it is made.
    pub fn credentials(&mut self, credentials: CallCredentials) -> &mut Self {
        self.credentials = Some(credentials);
        self
    }

    /// How many connections a server holds, in all (4,096) and of one user or address (256).
    pub fn max_connections(&mut self, all: usize, per_user: usize) -> &mut Self {
        self.max_connections = all;
        self.max_connections_per_user = per_user;
        self
    }

    /// Connects to the server at a string binding, such as `unix:/run/shop.sock`.
    ///
    /// # Errors
    /// [`Unavailable`](rpc_core::Code::Unavailable) where nobody listens, or who does agrees by
    /// TLS on no HTTP/2; and as the transport says.
    pub async fn connect(&self, endpoint: &str) -> Result<Connection, Status> {
        let endpoint: Endpoint = endpoint.parse().map_err(Status::from)?;
        let now = Instant::now();
        let deadline = now.checked_add(self.connect_timeout).unwrap_or(now);
        let transport = self.speaking(&[b"h2"]);
        let wire = transport.connect_async(&endpoint, deadline).await;
        // Nothing was sent, so nothing can have run.
        let wire = wire.map_err(|error| Status::from(error).before_running())?;
        let wire = wire.proven(self.connect_timeout).await;
        let wire = wire.map_err(|error| Status::from(error).before_running())?;
        if wire.has_handshake() && wire.protocol().as_deref() != Some(b"h2") {
            let text = format!("{endpoint} does not agree to speak HTTP/2: by ALPN it names no h2");
            return Err(Status::new(Code::Unavailable, text).before_running());
        }
        self.over(wire).await
    }

    /// A client over a stream that is connected already.
    ///
    /// # Errors
    /// [`Unavailable`](rpc_core::Code::Unavailable) where the peer is gone;
    /// [`InvalidArgument`](rpc_core::Code::InvalidArgument) for an authority that is none.
    pub async fn over(&self, wire: Wire) -> Result<Connection, Status> {
        let wire = wire.proven(self.connect_timeout).await;
        let wire = wire.map_err(|error| Status::from(error).before_running())?;
        Connection::greet(wire, self).await
    }

    /// Serves one client over a stream that is connected already, until it goes.
    ///
    /// # Errors
    /// [`Internal`](rpc_core::Code::Internal) where the stream cannot be awaited.
    pub async fn serve(&self, wire: Wire, served: Served) -> Result<(), Status> {
        let wire = wire
            .proven(self.limits.greeting())
            .await
            .map_err(Status::from)?;
        let service = GrpcService::new(served, self, wire.peer().clone());
        let served = rpc_http::serve(wire, &self.limits, service, Stopped::never()).await;
        served.map_err(Status::from)
    }

    /// A way into a server at a string binding: for [`Server::with`](rpc_core::Server::with).
    ///
    /// # Errors
    /// As the transport says.
    pub fn bind(&self, endpoint: &str) -> Result<Serving, Status> {
        let endpoint: Endpoint = endpoint.parse().map_err(Status::from)?;
        let transport = self.speaking(&[b"h2", b"http/1.1"]);
        let listener = transport.bind(&endpoint).map_err(Status::from)?;
        Ok(self.listen(listener))
    }

    /// A way into a server at a listener that is made already.
    #[must_use]
    pub fn listen(&self, listener: Listener) -> Serving {
        Serving::new(listener, self.clone())
    }

    /// The transport, on which these protocols are spoken.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unused_self))]
    fn speaking(&self, protocols: &[&[u8]]) -> rpc_transport::Options {
        let transport = self.transport.clone();
        #[cfg(feature = "tls")]
        let transport = {
            let mut transport = transport;
            transport.tls(|tls| {
                tls.protocols(protocols);
            });
            transport
        };
        #[cfg(not(feature = "tls"))]
        let _ = protocols;
        transport
    }
}
