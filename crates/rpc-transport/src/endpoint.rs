//! Where a server is, as a string binding: `unix:/run/shop.sock`.

use ipc_core::{Error, ErrorKind, Result};
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
}

impl Endpoint {
    /// A Unix socket at `path`.
    #[must_use]
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::Unix(path.as_ref().to_owned())
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |hint: &'static str| {
            Err(Error::new("parse", ErrorKind::InvalidInput).on(text).hint(hint))
        };
        let Some((scheme, rest)) = text.split_once(':') else {
            return refuse("a string binding is `transport:address`, as unix:/run/x.sock");
        };
        // The protocol before the plus is the binding's business.
        let transport = scheme.rsplit_once('+').map_or(scheme, |(_, transport)| transport);
        match transport {
            "unix" if rest.is_empty() => refuse("a path is missing"),
            "unix" => Ok(Self::unix(rest)),
            _ => refuse("transports here: unix"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
