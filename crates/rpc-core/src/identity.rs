//! Who calls: what the transport proves of the peer, and whom that makes the caller.

use ipc_core::Credentials;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the transport proves of the process at the other side. Nothing in a message changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// Nothing: an inherited pipe, or a transport that says nothing.
    #[default]
    Unknown,
    /// The caller is in this process.
    Inproc,
    /// A process of this host, as the kernel names it.
    Unix(Credentials),
    /// An address, of TCP or UDP, which proves nobody.
    Tcp(SocketAddr),
    /// The DNS names and URIs of a certificate that was verified.
    Tls(Arc<[String]>),
}

/// Who calls, as far as it is proven, and the roles that gives.
///
/// Clones share; it costs a pointer where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(Arc<Facts>);

#[derive(Debug, PartialEq, Eq)]
struct Facts {
    name: String,
    roles: Vec<String>,
    on_behalf_of: Option<String>,
}

impl Principal {
    /// Somebody with these roles.
    pub fn new<R: Into<String>>(
        name: impl Into<String>,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        Self(Arc::new(Facts {
            name: name.into(),
            roles: roles.into_iter().map(Into::into).collect(),
            on_behalf_of: None,
        }))
    }

    /// The same, acting for somebody further up the chain of calls.
    #[must_use]
    pub fn on_behalf_of(&self, name: impl Into<String>) -> Self {
        Self(Arc::new(Facts {
            name: self.0.name.clone(),
            roles: self.0.roles.clone(),
            on_behalf_of: Some(name.into()),
        }))
    }

    /// Its name: who is proven to call.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// For whom it acts: who began the chain of calls.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.0.on_behalf_of.as_deref().unwrap_or(&self.0.name)
    }

    /// Whether it has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.0.roles.iter().any(|own| own == role)
    }

    /// Its roles.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.roles
    }
}
