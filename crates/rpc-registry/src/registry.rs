//! What a registry does, whichever engine stands behind it.

use crate::wire::Entry;
use rpc_core::Status;
use rpc_core::export::Stream;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The answer of a registry, to be awaited.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Status>> + Send + 'a>>;

/// What a watch tells, one set after the other; it ends only with the registry itself.
pub type Watch = Pin<Box<dyn Stream<Item = Seen> + Send>>;

/// Where services are: who offers one registers it, who wants one looks it up or watches.
///
/// [`Embedded`](crate::Embedded) needs no server of its own. Others can stand behind this trait:
/// a file that somebody edits, etcd, Consul.
pub trait Registry: Send + Sync + 'static {
    /// Registers a server until the lease is dropped or this process ends. `contract` is the text
    /// of the contract, where the entry has its fingerprint.
    fn register(&self, entry: Entry, contract: String) -> Answer<'_, Lease>;

    /// The servers that offer a service; all services, for an empty name.
    fn look_up<'a>(&'a self, service: &'a str) -> Answer<'a, Vec<Entry>>;

    /// The same, now and at every change.
    fn watch(&self, service: &str) -> Watch;

    /// The text of a contract that somebody was registered with.
    fn contract_of(&self, fingerprint: Vec<u8>) -> Answer<'_, String>;
}

/// What a watch has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who offers the service.
    pub entries: Vec<Entry>,
    /// There may be more: the registry has moved to another host, and not all are back.
    pub may_be_more: bool,
}

/// An entry is registered until this is dropped.
pub struct Lease {
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Lease {
    /// A lease that `end` ends.
    #[must_use]
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self {
            end: Some(Box::new(end)),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
