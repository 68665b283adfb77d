//! How a socket is made.

use crate::connect::{Attempts, Connecting};
use crate::datagram::Datagram;
use crate::exposure::Exposure;
use crate::listener::Listener;
use crate::policy::Policy;
use crate::resolve::resolve;
use crate::stream::Stream;
use crate::sys;
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_sys::os_error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The longest queue of connections that the kernel gives by default (net.core.somaxconn).
const DEFAULT_BACKLOG: u32 = 4096;
/// How long an attempt has before the next address is tried as well (RFC 8305, section 8).
const DEFAULT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const SHORTEST_ATTEMPT_DELAY: Duration = Duration::from_millis(10);
const LONGEST_ATTEMPT_DELAY: Duration = Duration::from_secs(2);

/// How a socket is made.
///
/// ```
/// use ipc_net::{Options, Policy};
/// use std::time::Duration;
/// let mut options = Options::new();
/// options.keepalive(Some(Duration::from_secs(60))).send_buffer_bytes(1 << 20);
/// # let (left, right) = options.pair()?;
/// # drop((left, right));
/// # Ok::<(), ipc_net::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) nodelay: bool,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) unacknowledged_timeout: Option<Duration>,
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) receive_buffer_bytes: Option<usize>,
    pub(crate) reuse_port: bool,
    pub(crate) only_v6: bool,
    pub(crate) attempt_delay: Duration,
    exposure: Exposure,
    backlog: u32,
    policy: Policy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: None,
            unacknowledged_timeout: None,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            reuse_port: false,
            only_v6: false,
            attempt_delay: DEFAULT_ATTEMPT_DELAY,
            exposure: Exposure::default(),
            backlog: DEFAULT_BACKLOG,
            policy: Policy::default(),
        }
    }
}

impl Options {
    /// Loopback alone, no delay, both families at `::`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets plain text leave this host: addresses beyond the loopback interface are then bound,
    /// connected and sent to, and anyone on the way can read and change every byte. Off by
    /// default; TLS (feature `tls`) needs no such thing.
    pub fn insecure_plain_text(&mut self, accept: bool) -> &mut Self {
        self.exposure = if accept {
            Exposure::InsecurePlainText
        } else {
            Exposure::ThisHost
        };
        self
    }

    /// What is sent by TLS may go anywhere.
    #[cfg(feature = "tls")]
    pub(crate) fn protected(&self) -> Self {
        Self {
            exposure: Exposure::Protected,
            ..self.clone()
        }
    }

    /// Sends small messages at once rather than waiting for more (`TCP_NODELAY`); on by default.
    pub fn nodelay(&mut self, at_once: bool) -> &mut Self {
        self.nodelay = at_once;
        self
    }

    /// Asks a silent peer's host after `idle` whether it is still there, and takes the
    /// connection for closed where it does not answer ten times, a third of `idle` apart
    /// (net.ipv4.tcp_keepalive_probes). Off by default, as in the kernel: then a host that
    /// vanishes is never missed by who only receives. Whole seconds, at least 10 of them.
    pub fn keepalive(&mut self, idle: Option<Duration>) -> &mut Self {
        self.keepalive = idle.map(|idle| idle.max(Duration::from_secs(10)));
        self
    }

    /// Takes the connection for closed where the peer's host has not acknowledged for this long
    /// what was sent (`TCP_USER_TIMEOUT`); by default about 15 minutes (net.ipv4.tcp_retries2).
    pub fn unacknowledged_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.unacknowledged_timeout = Some(timeout);
        self
    }

    /// Bytes under way that the kernel takes from the sender (it doubles the figure for its own
    /// use, cuts it at net.core.wmem_max, and then does not adjust it any more).
    pub fn send_buffer_bytes(&mut self, bytes: usize) -> &mut Self {
        self.send_buffer_bytes = Some(bytes);
        self
    }

    /// Bytes that the kernel keeps for a receiver; as
    /// [`send_buffer_bytes`](Options::send_buffer_bytes), by net.core.rmem_max.
    pub fn receive_buffer_bytes(&mut self, bytes: usize) -> &mut Self {
        self.receive_buffer_bytes = Some(bytes);
        self
    }

    /// Lets several sockets of the same user have the same address and port, each of which all
    /// set this: the kernel spreads connections and messages over them. Off by default.
    pub fn reuse_port(&mut self, share: bool) -> &mut Self {
        self.reuse_port = share;
        self
    }

    /// Keeps IPv4 out of a socket that is bound to `::`. Off by default, whatever the host's
    /// net.ipv6.bindv6only: such a socket then serves both families.
    pub fn only_v6(&mut self, only: bool) -> &mut Self {
        self.only_v6 = only;
        self
    }

    /// How many connections may wait to be accepted, up to net.core.somaxconn; 4096 by default.
    pub fn backlog(&mut self, connections: u32) -> &mut Self {
        self.backlog = connections;
        self
    }

    /// From where connections are accepted; from anywhere by default.
    pub fn policy(&mut self, policy: Policy) -> &mut Self {
        self.policy = policy;
        self
    }

    /// How long a connect to a name with several addresses gives the latest attempt before it
    /// starts one more beside it: 250 ms by default, 10 ms to 2 s (RFC 8305).
    pub fn attempt_delay(&mut self, delay: Duration) -> &mut Self {
        self.attempt_delay = delay.clamp(SHORTEST_ATTEMPT_DELAY, LONGEST_ATTEMPT_DELAY);
        self
    }

    /// Listens for streams at `address`, the first of several that can be bound. Port 0 is any
    /// that is free: see [`Listener::address`].
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] beyond the loopback interface, without
    /// [`insecure_plain_text`](Options::insecure_plain_text); [`ErrorKind::AlreadyExists`] where
    /// another socket has the port; [`ErrorKind::NotFound`] where no interface has the address.
    pub fn bind(&self, address: impl ToSocketAddrs) -> Result<Listener> {
        self.first("bind", address, |address| self.listen(address))
    }

    /// Receives datagrams at `address`, the first of several that can be bound.
    ///
    /// # Errors
    /// As [`bind`](Options::bind).
    pub fn bind_datagram(&self, address: impl ToSocketAddrs) -> Result<Datagram> {
        self.first("bind", address, |address| {
            let fd = self.datagram("bind", address)?;
            sys::bind(&fd, address, self)?;
            Ok(Datagram::new(fd, self.exposure))
        })
    }

    four_forms! {
        /// Connects to the listener at `address`. A name's addresses are tried in turn, both
        /// families alternating; where one does not answer within
        /// [`attempt_delay`](Options::attempt_delay) the next is tried beside it, and the first
        /// that answers is taken. One deadline holds for all.
        ///
        /// A name is looked up by the C library first, which blocks as long as the host's
        /// configuration says, whatever the deadline; an address needs no look-up. Over
        /// loopback the try form succeeds at once; to another host it never does: see
        /// [`begin_connect`](Options::begin_connect).
        ///
        /// # Errors
        /// [`Refused`](ErrorKind::Refused) where nobody listens, or no way leads there;
        /// [`Denied`](ErrorKind::Denied) beyond the loopback interface, without
        /// [`insecure_plain_text`](Options::insecure_plain_text);
        /// [`NotFound`](ErrorKind::NotFound) for a name that is not resolved.
        connect / try_connect / connect_timeout / connect_deadline
            = connect_until(address: impl ToSocketAddrs) -> Stream
    }

    /// Begins to connect to `address`, for event loops: what comes back is waited for like any
    /// endpoint, also with `.await`. Else as [`connect`](Options::connect).
    ///
    /// # Errors
    /// As [`connect`](Options::connect), where it is known at once.
    pub fn begin_connect(&self, address: impl ToSocketAddrs) -> Result<Connecting> {
        Connecting::begin(self.clone(), self.permitted("connect", address)?)
    }

    /// Sends datagrams to `address`, the first of several that can be reached, and receives from
    /// there alone.
    ///
    /// # Errors
    /// As [`Datagram::connect`].
    pub fn connect_datagram(&self, address: impl ToSocketAddrs) -> Result<Datagram> {
        self.first("connect", address, |address| {
            let fd = self.datagram("connect", address)?;
            let datagram = Datagram::new(fd, self.exposure);
            datagram.connect(address)?;
            Ok(datagram)
        })
    }

    /// Two streams that are connected over the loopback interface. Between processes of one host
    /// a Unix socket is cheaper, and nobody else can come in between.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors; [`ErrorKind::NotFound`] without a
    /// loopback interface.
    pub fn pair(&self) -> Result<(Stream, Stream)> {
        let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0);
        let listener = self.bind(&[v4, v6][..])?;
        let left = self.connect(listener.address()?)?;
        let ours = left.address()?;
        loop {
            // Any local process may have been faster.
            let right = listener.accept()?;
            if right.peer_address().is_ok_and(|theirs| theirs == ours) {
                return Ok((left, right));
            }
        }
    }

    pub(crate) fn connect_until(
        &self,
        address: impl ToSocketAddrs,
        until: Until,
    ) -> Result<Stream> {
        Attempts::new(self.permitted("connect", address)?).finish(self, until)
    }

    /// The addresses of `name`, none of which leads beyond what is permitted.
    fn permitted(
        &self,
        operation: &'static str,
        name: impl ToSocketAddrs,
    ) -> Result<Vec<SocketAddr>> {
        let addresses = resolve(operation, name)?;
        for address in &addresses {
            self.exposure.check(operation, address)?;
        }
        Ok(addresses)
    }

    /// What `make` makes of the first address for which it can.
    fn first<T>(
        &self,
        operation: &'static str,
        name: impl ToSocketAddrs,
        make: impl Fn(&SocketAddr) -> Result<T>,
    ) -> Result<T> {
        let mut last = Error::new(operation, ErrorKind::NotFound);
        for address in self.permitted(operation, name)? {
            match make(&address) {
                Ok(made) => return Ok(made),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn listen(&self, address: &SocketAddr) -> Result<Listener> {
        // The description is ours alone: accept has no flag by which one call would not wait.
        let fd = sys::stream("bind", address)?;
        sys::prepare("bind", &fd, self)?;
        sys::reuse_address(&fd)?;
        sys::bind(&fd, address, self)?;
        let backlog = i32::try_from(self.backlog).unwrap_or(i32::MAX);
        rustix::net::listen(&fd, backlog).map_err(|errno| os_error("bind", errno).on(address))?;
        Ok(Listener::new(fd, self.policy.clone(), false))
    }

    fn datagram(&self, operation: &'static str, address: &SocketAddr) -> Result<OwnedFd> {
        let fd = sys::datagram(operation, address)?;
        sys::size_buffers(operation, &fd, self)?;
        Ok(fd)
    }
}
