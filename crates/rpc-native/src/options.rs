//! How connections and servers are made.

use crate::blocking_client::BlockingWired;
use crate::blocking_listener::BlockingListener;
use crate::blocking_server::BlockingSession;
use crate::channels::{BlockingConnection, Connection};
use crate::client::Wired;
use crate::codecs::Format;
use crate::connection;
use crate::limits::Limits;
use crate::server::Serving;
use ipc_core::Until;
use rpc_core::{Code, Served, Status};
use rpc_transport::inproc::Inproc;
use rpc_transport::{Endpoint, Listener, Stopped, Wire, inproc};
use std::time::{Duration, Instant};

/// How connections and servers are made.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use rpc_native::{Format, Options};
/// let connection = Options::new().format(Format::Json).connect("unix:/run/shop.sock").await?;
/// # let _ = connection;
/// # Ok::<(), rpc_native::Status>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) limits: Limits,
    pub(crate) format: Format,
    pub(crate) connect_timeout: Duration,
    pub(crate) transport: rpc_transport::Options,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_user: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            format: Format::default(),
            connect_timeout: Duration::from_secs(5),
            transport: rpc_transport::Options::default(),
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

    /// What this side takes.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// How a client writes messages; a server reads all formats.
    pub fn format(&mut self, format: Format) -> &mut Self {
        self.format = format;
        self
    }

    /// How long connecting may take; 5 seconds by default.
    pub fn connect_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.connect_timeout = timeout;
        self
    }

    /// How bytes travel; by default by nothing that proves no peer.
    pub fn transport(&mut self, options: rpc_transport::Options) -> &mut Self {
        self.transport = options;
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
    /// [`Unavailable`](rpc_core::Code::Unavailable) where nobody listens, and as the transport
    /// says.
    pub async fn connect(&self, endpoint: &str) -> Result<Connection, Status> {
        let endpoint: Endpoint = endpoint.parse().map_err(Status::from)?;
        if let Some(inproc) = within_the_process(&endpoint)? {
            return Ok(inproc.into());
        }
        let now = Instant::now();
        let deadline = now.checked_add(self.connect_timeout).unwrap_or(now);
        let wire = self.transport.connect_async(&endpoint, deadline).await;
        self.over(wire.map_err(unsent)?).await
    }

    /// A client over a stream that is connected already.
    ///
    /// # Errors
    /// [`Unavailable`](rpc_core::Code::Unavailable) where the peer is gone or does not greet.
    pub async fn over(&self, wire: Wire) -> Result<Connection, Status> {
        let wire = wire.proven(self.limits.handshake).await.map_err(unsent)?;
        Ok(Wired::greet(wire, self).await?.into())
    }

    /// Connects without a runtime: stubs over it are run by [`block_on`](rpc_core::block_on).
    ///
    /// # Errors
    /// As [`connect`](Options::connect).
    pub fn connect_blocking(&self, endpoint: &str) -> Result<BlockingConnection, Status> {
        let endpoint: Endpoint = endpoint.parse().map_err(Status::from)?;
        if let Some(inproc) = within_the_process(&endpoint)? {
            return Ok(inproc.into());
        }
        let until = Until::after(self.connect_timeout);
        let wire = self.transport.connect(&endpoint, until).map_err(unsent)?;
        self.over_blocking(wire)
    }

    /// A client without a runtime over a stream that is connected already.
    ///
    /// # Errors
    /// As [`over`](Options::over).
    pub fn over_blocking(&self, mut wire: Wire) -> Result<BlockingConnection, Status> {
        wire.handshake(Until::after(self.limits.handshake))
            .map_err(unsent)?;
        Ok(BlockingWired::greet(wire, self)?.into())
    }

    /// Serves without a runtime, at a string binding.
    ///
    /// # Errors
    /// As the transport says; [`Unimplemented`](rpc_core::Code::Unimplemented) for a contract in
    /// which arguments are a stream, which a server that does one thing at a time cannot carry,
    /// naming the method, and for `inproc:`, where calls run in the threads that make them.
    pub fn bind_blocking(
        &self,
        endpoint: &str,
        served: Served,
    ) -> Result<BlockingListener, Status> {
        let endpoint: Endpoint = endpoint.parse().map_err(Status::from)?;
        if let Endpoint::Inproc(_) = &endpoint {
            let text = "inproc: there is nothing to accept, since each call runs in the thread \
                        that makes it; bind it awaited";
            return Err(Status::new(Code::Unimplemented, text));
        }
        let listener = self.transport.bind(&endpoint).map_err(Status::from)?;
        self.listen_blocking(listener, served)
    }

    /// Serves without a runtime, at a listener that is made already.
    ///
    /// # Errors
    /// As [`bind_blocking`](Options::bind_blocking) for the contract.
    pub fn listen_blocking(
        &self,
        listener: Listener,
        served: Served,
    ) -> Result<BlockingListener, Status> {
        BlockingListener::new(listener, served, self.clone())
    }

    /// Serves one client over a stream that is connected already, until it goes.
    ///
    /// # Errors
    /// [`Internal`](rpc_core::Code::Internal) where the stream cannot be awaited.
    pub async fn serve(self, wire: Wire, served: Served) -> Result<(), Status> {
        let limits = self.limits.clone();
        let wire = wire.proven(limits.handshake).await.map_err(Status::from)?;
        let connection = connection::Served::new(wire, served, limits).map_err(Status::from)?;
        connection.run(Stopped::never()).await;
        Ok(())
    }

    /// Serves one client without a runtime, over a stream that is connected already.
    #[must_use]
    pub fn session(&self, wire: Wire, served: Served) -> BlockingSession {
        BlockingSession::new(wire, served, self)
    }

    /// A way into a server at a string binding: for [`Server::with`](rpc_core::Server::with).
    ///
    /// # Errors
    /// As the transport says.
    pub fn bind(&self, endpoint: &str) -> Result<Serving, Status> {
        let endpoint: Endpoint = endpoint.parse().map_err(Status::from)?;
        if let Endpoint::Inproc(name) = &endpoint {
            let entrance = inproc::bind(name).map_err(Status::from)?;
            return Ok(Serving::inproc(entrance, self.clone()));
        }
        let listener = self.transport.bind(&endpoint).map_err(Status::from)?;
        if let Endpoint::Local { name, .. } = &endpoint {
            let entrance = inproc::bind(name.as_str()).map_err(Status::from)?;
            return Ok(self.listen(listener).also(entrance));
        }
        Ok(self.listen(listener))
    }

    /// A way into a server at a listener that is made already.
    #[must_use]
    pub fn listen(&self, listener: Listener) -> Serving {
        Serving::new(listener, self.clone())
    }
}

/// The server of this process, where the endpoint may mean it.
fn within_the_process(endpoint: &Endpoint) -> Result<Option<Inproc>, Status> {
    match endpoint {
        Endpoint::Inproc(name) => inproc::connect(name).map(Some).map_err(unsent),
        // Where this process has none, others may.
        Endpoint::Local { name, .. } => Ok(inproc::connect(name.as_str()).ok()),
        _ => Ok(None),
    }
}

/// Nothing was sent, so nothing can have run.
pub(crate) fn unsent(error: ipc_core::Error) -> Status {
    Status::from(error).before_running()
}
