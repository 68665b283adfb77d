//! Where connections come in, whichever transport brings them.

use crate::endpoint::Endpoint;
use crate::several::Several;
use crate::wire::Wire;
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, TryAccept, Until};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Instant;

/// Where connections come in.
///
/// A Unix socket lets in our own user alone; for others make an [`ipc_uds::Listener`] with their
/// policy and convert it.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unix(Box<ipc_uds::Listener>),
    Shm {
        socket: Box<ipc_uds::SeqPacketListener>,
        ring: Box<ipc_ring::Options>,
    },
    Tcp(ipc_net::Listener),
    Several(Box<Several>),
    #[cfg(feature = "tls")]
    Tls {
        listener: Box<ipc_net::tls::Listener>,
        /// Clients prove who they are, too.
        mutual: bool,
    },
}

impl Listener {
    /// The endpoint that it listens at, with the port that the system chose.
    ///
    /// # Errors
    /// As getsockname(2); [`Unsupported`](ErrorKind::Unsupported) for a socket without a path.
    pub fn endpoint(&self) -> Result<Endpoint> {
        match &self.kind {
            Kind::Tcp(listener) => Ok(Endpoint::Tcp(listener.address()?.to_string())),
            #[cfg(feature = "tls")]
            Kind::Tls { listener, mutual } => {
                let address = listener.address()?.to_string();
                Ok(match mutual {
                    true => Endpoint::Mtls(address),
                    false => Endpoint::Tls(address),
                })
            }
            Kind::Unix(listener) => at_path(&listener.address()?, |path| Endpoint::unix(path)),
            Kind::Several(several) => Ok(several.endpoint.clone()),
            Kind::Shm { socket, .. } => at_path(&socket.address()?, |path| Endpoint::shm(path)),
        }
    }

    /// Where processes come to `socket` and make channels in shared memory.
    pub fn shm(socket: ipc_uds::SeqPacketListener, ring: &ipc_ring::Options) -> Self {
        let (socket, ring) = (Box::new(socket), Box::new(ring.clone()));
        Self {
            kind: Kind::Shm { socket, ring },
        }
    }

    /// All of these, as one.
    pub(crate) fn several(endpoint: Endpoint, listeners: Vec<Self>) -> Result<Self> {
        let several = Box::new(Several::new(endpoint, listeners)?);
        Ok(Self {
            kind: Kind::Several(several),
        })
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(listener: ipc_net::tls::Listener, mutual: bool) -> Self {
        let listener = Box::new(listener);
        Self {
            kind: Kind::Tls { listener, mutual },
        }
    }

    /// Accepts a connection, waiting until `until`. It waits for no
    /// [handshake](Wire::handshake): a client that is slow at it holds up nobody else.
    ///
    /// A client that is gone again before it was accepted, or whom the kernel does not name, is
    /// passed over: it is no failure of the listener.
    ///
    /// # Errors
    /// As the transport says; the listener stays usable.
    pub fn accept(&self, until: Until) -> Result<Wire> {
        loop {
            let wire = match &self.kind {
                Kind::Unix(listener) => passed_over(match until {
                    Until::Now => listener.try_accept(),
                    Until::Forever => listener.accept(),
                    Until::At(deadline) => listener.accept_deadline(deadline),
                })?
                .and_then(Wire::unix),
                Kind::Shm { socket, ring } => {
                    let socket = passed_over(match until {
                        Until::Now => socket.try_accept(),
                        Until::Forever => socket.accept(),
                        Until::At(deadline) => socket.accept_deadline(deadline),
                    })?;
                    let met = socket.and_then(|socket| ring.begin(socket));
                    met.and_then(Wire::shm_meeting)
                }
                Kind::Several(several) => return several.accept(until),
                Kind::Tcp(listener) => Wire::tcp(match until {
                    Until::Now => listener.try_accept(),
                    Until::Forever => listener.accept(),
                    Until::At(deadline) => listener.accept_deadline(deadline),
                }?),
                #[cfg(feature = "tls")]
                Kind::Tls { listener, .. } => Wire::tls(match until {
                    Until::Now => listener.try_accept(),
                    Until::Forever => listener.accept(),
                    Until::At(deadline) => listener.accept_deadline(deadline),
                }?),
            };
            match wire {
                Ok(wire) => return Ok(wire),
                // A flood of them does not hold the caller beyond its deadline. A try goes on to
                // the next: readiness that was told once would be lost.
                Err(_) if matches!(until, Until::At(deadline) if deadline <= Instant::now()) => {
                    return Err(until.over("accept"));
                }
                Err(_) => {}
            }
        }
    }
}

/// Whoever is refused, or whom the kernel does not name, is a failure of that connection alone.
fn passed_over<T>(accepted: Result<T>) -> Result<Result<T>> {
    match accepted {
        Err(error) if error.kind() == ErrorKind::Denied => Ok(Err(error)),
        accepted => accepted.map(Ok),
    }
}

fn at_path(address: &ipc_uds::Address, endpoint: fn(&Path) -> Endpoint) -> Result<Endpoint> {
    address.as_path().map(endpoint).ok_or_else(|| {
        Error::new("endpoint", ErrorKind::Unsupported).hint("a string binding names a path")
    })
}

impl From<ipc_net::Listener> for Listener {
    fn from(listener: ipc_net::Listener) -> Self {
        Self {
            kind: Kind::Tcp(listener),
        }
    }
}

impl From<ipc_uds::Listener> for Listener {
    fn from(listener: ipc_uds::Listener) -> Self {
        Self {
            kind: Kind::Unix(Box::new(listener)),
        }
    }
}

impl Pollable for Listener {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Unix(listener) => listener.descriptor(interest),
            Kind::Shm { socket, .. } => socket.descriptor(interest),
            Kind::Several(several) => several.descriptor(interest),
            Kind::Tcp(listener) => listener.descriptor(interest),
            #[cfg(feature = "tls")]
            Kind::Tls { listener, .. } => listener.descriptor(interest),
        }
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        match &self.kind {
            Kind::Unix(listener) => listener.wait_ready(interests, until),
            Kind::Shm { socket, .. } => socket.wait_ready(interests, until),
            Kind::Several(several) => several.wait_ready(interests, until),
            Kind::Tcp(listener) => listener.wait_ready(interests, until),
            #[cfg(feature = "tls")]
            Kind::Tls { listener, .. } => listener.wait_ready(interests, until),
        }
    }
}

impl TryAccept for Listener {
    type Connection = Wire;
    fn try_accept(&self) -> Result<Wire> {
        self.accept(Until::Now)
    }
}
