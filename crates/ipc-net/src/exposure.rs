//! Plain text stays on this host, unless it was said that it may leave.

use ipc_core::{Error, ErrorKind, Result};
use std::net::SocketAddr;

/// Whether bytes may leave the host as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Loopback addresses alone.
    #[default]
    ThisHost,
    /// Anywhere, readable and changeable by anyone on the way.
    InsecurePlainText,
    /// Anywhere, since TLS stands above.
    #[cfg(feature = "tls")]
    Protected,
}

impl Exposure {
    /// Refuses an address beyond the loopback interface where nothing protects the bytes. An
    /// unspecified address (`0.0.0.0`, `::`) means every interface, and so is beyond.
    pub(crate) fn check(self, operation: &'static str, address: &SocketAddr) -> Result<()> {
        if self != Self::ThisHost || address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(refusal(operation, address))
    }
}

#[cold]
fn refusal(operation: &'static str, address: &SocketAddr) -> Error {
    Error::new(operation, ErrorKind::Denied).on(address).hint(
        "it is no loopback address, and anyone on the way can read and change plain text; \
         use TLS (feature `tls`), or accept that with Options::insecure_plain_text",
    )
}
