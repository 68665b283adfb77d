//! Where a server is, as a string binding: `unix:/run/shop.sock`.

use ipc_core::{Error, ErrorKind, Name, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a server is.
///
/// ```
/// use rpc_transport::Endpoint;
/// let endpoint: Endpoint = "rpc+unix:/run/shop.sock".parse()?;
/// assert_eq!(endpoint, Endpoint::unix("/run/shop.sock"));
/// assert_eq!(endpoint.to_string(), "unix:/run/shop.sock");
/// # Ok::<(), rpc_transport::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket at a path.
    Unix(PathBuf),
    /// Shared memory: its two sides meet over a Unix socket at a path.
    Shm(PathBuf),
    /// TCP, at `host:port`.
    Tcp(String),
    /// TLS over TCP, at `host:port`: the server proves who it is.
    Tls(String),
    /// TLS over TCP, at `host:port`, in which both sides prove who they are.
    Mtls(String),
    /// A server of this process, by its name.
    Inproc(String),
    /// A server of this host, by its name in the runtime directory: in this process, over shared
    /// memory, over a Unix socket, and over TCP where an address is given.
    Local {
        /// Its name.
        name: Name,
        /// `host:port`.
        tcp: Option<String>,
    },
}

impl Endpoint {
    /// A Unix socket at `path`.
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::Unix(path.as_ref().to_owned())
    }

    /// Shared memory, whose two sides meet at `path`.
    #[must_use]
    pub fn shm(path: impl AsRef<Path>) -> Self {
        Self::Shm(path.as_ref().to_owned())
    }

    /// Whether an address of a network is one: `host:port`.
    ///
    /// ```
    /// use rpc_transport::Endpoint;
    /// assert!(Endpoint::has_port("localhost:80") && Endpoint::has_port("[::1]:80"));
    /// assert!(!Endpoint::has_port("localhost") && !Endpoint::has_port(":80"));
    /// ```
    #[must_use]
    pub fn has_port(address: &str) -> bool {
        let parts = address.rsplit_once(':');
        parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |hint: &'static str| {
            Err(Error::new("parse", ErrorKind::InvalidInput)
                .on(text)
                .hint(hint))
        };
        let Some((scheme, rest)) = text.split_once(':') else {
            return refuse("a string binding is `transport:address`, as unix:/run/x.sock");
        };
        // The protocol before the plus is the binding's business.
        let transport = scheme
            .rsplit_once('+')
            .map_or(scheme, |(_, transport)| transport);
        match transport {
            "unix" | "shm" if rest.is_empty() => refuse("a path is missing"),
            "unix" => Ok(Self::unix(rest)),
            "shm" => Ok(Self::shm(rest)),
            "tcp" if Self::has_port(rest) => Ok(Self::Tcp(rest.to_owned())),
            "tls" if Self::has_port(rest) => Ok(Self::Tls(rest.to_owned())),
            "mtls" if Self::has_port(rest) => Ok(Self::Mtls(rest.to_owned())),
            "tcp" | "tls" | "mtls" => refuse("it is `tcp:host:port`, and so for tls and mtls"),
            "inproc" if rest.is_empty() => refuse("a name is missing"),
            "inproc" => Ok(Self::Inproc(rest.to_owned())),
            "local" => local(rest, text),
            "udp" => {
                refuse("no stream of bytes goes there: the crate rpc-udp calls over datagrams")
            }
            _ => refuse("transports here: local, inproc, shm, unix, tcp, tls, mtls"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Shm(path) => write!(f, "shm:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Tls(address) => write!(f, "tls:{address}"),
            Self::Mtls(address) => write!(f, "mtls:{address}"),
            Self::Inproc(name) => write!(f, "inproc:{name}"),
            Self::Local { name, tcp: None } => write!(f, "local:{name}"),
            Self::Local {
                name,
                tcp: Some(address),
            } => write!(f, "local:{name}@{address}"),
        }
    }
}

/// `NAME` or `NAME@HOST:PORT`.
fn local(rest: &str, text: &str) -> Result<Endpoint> {
    let (name, tcp) = match rest.split_once('@') {
        None => (rest, None),
        Some((name, address)) if Endpoint::has_port(address) => (name, Some(address.to_owned())),
        Some(_) => {
            let error = Error::new("parse", ErrorKind::InvalidInput);
            return Err(error
                .on(text)
                .hint("it is `local:name` or `local:name@host:port`"));
        }
    };
    let name = Name::new(name)?;
    Ok(Endpoint::Local { name, tcp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_binding_is_refused_with_what_to_write() {
        for text in [
            "",
            "unix",
            "unix:",
            "shm:",
            "tcp:",
            "tcp:host",
            "tcp::80",
            "tcp:h:70000",
            "tls:host",
            "mtls::1",
            "inproc:",
            "local:",
            "local:../x",
            "local:shop@",
            "local:shop@host",
            "x:y",
        ] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        }
        let datagrams = "rpc+udp:localhost:7000".parse::<Endpoint>();
        let error = datagrams.expect_err("another crate's");
        assert!(error.to_string().contains("rpc-udp"), "{error}");
        for text in [
            "unix:/run/x y",
            "shm:/run/x y",
            "tcp:[::1]:80",
            "tcp:localhost:0",
            "tls:shop.example:443",
            "mtls:[::1]:7000",
            "inproc:shop",
            "local:shop",
            "local:shop@127.0.0.1:0",
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text);
        }
    }
}
