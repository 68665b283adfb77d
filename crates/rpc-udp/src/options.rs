//! How connections and servers are made.

use crate::address::address;
use crate::connection::Connection;
use crate::limits::Limits;
use crate::server::Serving;
use ipc_net::Datagram;
use rpc_core::{Code, Status};
use std::time::Duration;

/// How much the kernel holds for a socket before it drops: the burst of many sessions.
const BUFFER_BYTES: usize = 1 << 20;

/// How connections and servers are made.
///
/// ```
/// use rpc_udp::{Code, Options};
/// let refused = Options::new().bind("udp:127.0.0.1:0").unwrap_err();
/// assert_eq!(refused.code(), Code::PermissionDenied); // any user of this host could call
/// assert!(Options::new().insecure_plain_text(true).bind("udp:127.0.0.1:0").is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    limits: Limits,
    connect_timeout: Duration,
    insecure_plain_text: bool,
    partial_contracts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(5),
            insecure_plain_text: false,
            partial_contracts: false,
        }
    }
}

impl Options {
    /// The defaults: nothing that proves no peer, and so nothing at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What this side takes and holds.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// How long connecting may take; 5 seconds by default.
    pub fn connect_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.connect_timeout = timeout;
        self
    }

    /// Allows datagrams without protection, on the loopback interface and beyond. They prove
    /// nobody: any user of any host that reaches the port calls, and on the way all can be read
    /// and changed.
    pub fn insecure_plain_text(&mut self, accept: bool) -> &mut Self {
        self.insecure_plain_text = accept;
        self
    }

    /// Serves also contracts of which datagrams carry a part alone: calls of methods that stream
    /// are refused one by one, naming the method. Off by default: then such a contract is refused
    /// when the server is made.
    pub fn partial_contracts(&mut self, accept: bool) -> &mut Self {
        self.partial_contracts = accept;
        self
    }

    /// Connects to the server at a string binding, such as `udp:localhost:7000`.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where nobody answers; [`Code::PermissionDenied`] without
    /// [`insecure_plain_text`](Options::insecure_plain_text); [`Code::ResourceExhausted`] where the
    /// server has too many sessions; [`Code::InvalidArgument`] for what is no such binding.
    pub async fn connect(&self, endpoint: &str) -> Result<Connection, Status> {
        let address = address(endpoint)?.to_owned();
        let socket = self.sockets("connect", &address)?;
        let connect = move || socket.connect_datagram(&address[..]);
        let within = self.connect_timeout;
        let connected = tokio::time::timeout(within, async {
            // A name may have to be asked for.
            let datagram = tokio::task::spawn_blocking(connect)
                .await
                .map_err(|_| Status::bare(Code::Unavailable))?
                .map_err(Status::from)?;
            self.over(datagram).await
        });
        match connected.await {
            Ok(outcome) => outcome.map_err(Status::before_running),
            Err(_) => {
                let text = format!("{endpoint} does not answer within {within:?}");
                Err(Status::new(Code::Unavailable, text).before_running())
            }
        }
    }

    /// A client over a socket that has its peer already. It waits for the server's greeting,
    /// however long that takes.
    ///
    /// # Errors
    /// As [`connect`](Options::connect).
    pub async fn over(&self, datagram: Datagram) -> Result<Connection, Status> {
        Connection::greet(datagram, self.limits.clone()).await
    }

    /// A way into a server at a string binding: for [`Server::with`](rpc_core::Server::with).
    ///
    /// # Errors
    /// [`Code::AlreadyExists`] where another socket has the port; [`Code::PermissionDenied`]
    /// without [`insecure_plain_text`](Options::insecure_plain_text).
    pub fn bind(&self, endpoint: &str) -> Result<Serving, Status> {
        let address = address(endpoint)?;
        let datagram = self.sockets("bind", address)?.bind_datagram(address)?;
        Ok(self.listen(datagram))
    }

    /// A way into a server at a socket that is bound already.
    #[must_use]
    pub fn listen(&self, datagram: Datagram) -> Serving {
        Serving::new(datagram, self.limits.clone(), self.partial_contracts)
    }

    fn sockets(&self, operation: &'static str, address: &str) -> Result<ipc_net::Options, Status> {
        if !self.insecure_plain_text {
            let text = format!(
                "{operation} `udp:{address}`: a datagram proves nobody, on the loopback interface \
                 too: Options::insecure_plain_text allows it"
            );
            return Err(Status::new(Code::PermissionDenied, text).before_running());
        }
        let mut options = ipc_net::Options::new();
        options
            .insecure_plain_text(true)
            .send_buffer_bytes(BUFFER_BYTES)
            .receive_buffer_bytes(BUFFER_BYTES);
        Ok(options)
    }
}
