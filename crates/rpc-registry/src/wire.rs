//! What goes between a process and the host of the registry: a contract like any other.

use rpc_core::export::Stream;
use rpc_core::{Context, Describe, ServiceDescriptor, Status, service};
use serde::{Deserialize, Serialize};

/// A server that offers a service.
#[derive(Clone, PartialEq, Eq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(name = "rpc.registry.v1.Entry")]
pub struct Entry {
    /// The service: `shop.v1.Stock`.
    #[prost(string, tag = 1)]
    pub service: String,
    /// Where it is served, as a string binding: `shm:/run/shop.sock`.
    #[prost(string, tag = 2)]
    pub endpoint: String,
    /// The fingerprint of its contract, by which a client knows before the first call whether the
    /// two understand each other; empty where that is not said.
    #[prost(bytes = "vec", tag = 3)]
    pub fingerprint: Vec<u8>,
    /// Anything that helps to choose, of which the registry knows nothing.
    #[prost(string, tag = 4)]
    pub note: String,
    /// The user that registered it, by the kernel: what a server says of it is not taken.
    #[prost(uint32, tag = 5)]
    pub uid: u32,
    /// The process that registered it, by the kernel.
    #[prost(uint32, tag = 6)]
    pub pid: u32,
}

impl Entry {
    /// A service and where it is served.
    ///
    /// ```
    /// let entry = rpc_registry::Entry::new(&STOCK_SERVICE, "shm:/run/shop.sock");
    /// assert_eq!(entry.service, "inventory.v1.Stock");
    /// # use rpc_testkit::inventory::STOCK_SERVICE;
    /// ```
    #[must_use]
    pub fn new(service: &ServiceDescriptor, endpoint: &str) -> Self {
        Self {
            service: service.name().to_owned(),
            endpoint: endpoint.to_owned(),
            fingerprint: service.contract().fingerprint().to_vec(),
            ..Self::default()
        }
    }
}

/// The servers that offer a service.
#[derive(Clone, PartialEq, Eq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(name = "rpc.registry.v1.Entries")]
pub struct Entries {
    /// Each of them, in the order in which they came.
    #[prost(message, repeated, tag = 1)]
    pub entries: Vec<Entry>,
    /// The host has just taken over: there may be more, which have not come again yet.
    #[prost(bool, tag = 2)]
    pub taking_over: bool,
}

/// The registry as its host serves it.
#[service(name = "rpc.registry.v1.Registry")]
pub trait Registrar {
    /// Holds an entry for as long as the call lasts: it ends with the process that made it. The
    /// one item says that the entry is there. With it comes the text of the contract, if it has
    /// a fingerprint, and the byte of the file of leases that is locked for it; nought for none.
    async fn hold(
        &self,
        cx: &Context,
        entry: Entry,
        contract: String,
        lease: u64,
    ) -> Result<impl Stream<Item = Result<Entry, Status>>, Status>;

    /// The servers that offer a service; all services, for an empty name.
    #[rpc(idempotency = "no_side_effects", deadline = "10s")]
    async fn look_up(&self, cx: &Context, service: String) -> Result<Entries, Status>;

    /// The same, now and at every change.
    #[rpc(idempotency = "no_side_effects")]
    async fn watch(
        &self,
        cx: &Context,
        service: String,
    ) -> Result<impl Stream<Item = Result<Entries, Status>>, Status>;

    /// The text of a contract that somebody was registered with: for those who do not understand
    /// it, to say why.
    #[rpc(idempotency = "no_side_effects", deadline = "10s")]
    async fn contract_of(&self, cx: &Context, fingerprint: Vec<u8>) -> Result<String, Status>;
}
