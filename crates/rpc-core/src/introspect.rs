//! A service that tells of the others: what they offer, and what was counted of their calls.

use crate::layers::Statistics;
use crate::{Code, Context, Describe, Router, Status};
use serde::{Deserialize, Serialize};

/// What there is.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(path = "crate", name = "rpc.introspection.v1.Services")]
pub struct Services {
    /// The full names, sorted.
    #[prost(string, repeated, tag = 1)]
    pub names: Vec<String>,
}

/// The contract of one service.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(path = "crate", name = "rpc.introspection.v1.Description")]
pub struct Description {
    /// Its text, of which the fingerprint is a hash.
    #[prost(string, tag = 1)]
    pub contract: String,
    /// The contract as `.proto`.
    #[prost(string, tag = 2)]
    pub proto: String,
    /// The same as an encoded `FileDescriptorSet`.
    #[prost(bytes = "vec", tag = 3)]
    pub file_descriptor_set: Vec<u8>,
}

/// What was counted of one method.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(path = "crate", name = "rpc.introspection.v1.Counts")]
pub struct Counts {
    /// Service and method: `shop.v1.Stock/Get`.
    #[prost(string, tag = 1)]
    pub method: String,
    /// Calls that began.
    #[prost(uint64, tag = 2)]
    pub started: u64,
    /// Calls that answered.
    #[prost(uint64, tag = 3)]
    pub succeeded: u64,
    /// Calls that failed.
    #[prost(uint64, tag = 4)]
    pub failed: u64,
    /// Calls that their callers gave up.
    #[prost(uint64, tag = 5)]
    pub abandoned: u64,
    /// How long they took together, in nanoseconds.
    #[prost(uint64, tag = 6)]
    pub nanoseconds: u64,
}

/// What was counted of all methods.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(path = "crate", name = "rpc.introspection.v1.AllCounts")]
pub struct AllCounts {
    /// One for each method that was called.
    #[prost(message, repeated, tag = 1)]
    pub methods: Vec<Counts>,
}

/// Tells what a server offers and what was counted. It is a service like any other: a policy
/// says who may ask.
#[rpc_macros::service(name = "rpc.introspection.v1.Introspection", path = "crate")]
pub trait Introspection {
    /// The names of all services.
    #[rpc(idempotency = "no_side_effects")]
    async fn services(&self, cx: &Context) -> Result<Services, Status>;
    /// The contract of one.
    #[rpc(idempotency = "no_side_effects")]
    async fn describe(&self, cx: &Context, service: String) -> Result<Description, Status>;
    /// What was counted of calls.
    #[rpc(idempotency = "no_side_effects")]
    async fn counts(&self, cx: &Context) -> Result<AllCounts, Status>;
}

/// Tells of a router and of what a [`Statistics`] layer counts.
///
/// ```
/// use rpc_core::introspect::Introspector;
/// use rpc_core::layers::Statistics;
/// use rpc_core::{Router, Server};
/// # fn f(router: Router) {
/// let statistics = Statistics::new();
/// let introspection = Introspector::new(&router, &statistics).service();
/// let server = Server::new(router.service(introspection)).layer(statistics);
/// # let _ = server; }
/// ```
#[derive(Clone, Debug)]
pub struct Introspector {
    router: Router,
    statistics: Statistics,
}

impl Introspector {
    /// Tells of what `router` has now, and of what `statistics` counts.
    #[must_use]
    pub fn new(router: &Router, statistics: &Statistics) -> Self {
        Self {
            router: router.clone(),
            statistics: statistics.clone(),
        }
    }

    /// As a service.
    #[must_use]
    pub fn service(self) -> IntrospectionServer<Self> {
        IntrospectionServer::new(self)
    }
}

impl Introspection for Introspector {
    async fn services(&self, _: &Context) -> Result<Services, Status> {
        let names = self.router.descriptors().map(|service| service.name());
        let mut names: Vec<_> = names.map(ToOwned::to_owned).collect();
        names.sort();
        Ok(Services { names })
    }

    async fn describe(&self, _: &Context, service: String) -> Result<Description, Status> {
        let found = self.router.find(&service);
        let found = found.ok_or_else(|| Status::new(Code::NotFound, "no such service"))?;
        Ok(Description {
            contract: found.contract().text(),
            proto: found.proto(),
            file_descriptor_set: found.file_descriptor_set(),
        })
    }

    async fn counts(&self, _: &Context) -> Result<AllCounts, Status> {
        let methods = self.statistics.methods().into_iter().map(|counted| Counts {
            method: format!("{}/{}", counted.service, counted.method),
            started: counted.started,
            succeeded: counted.succeeded,
            failed: counted.failed,
            abandoned: counted.abandoned,
            nanoseconds: counted.nanoseconds,
        });
        Ok(AllCounts {
            methods: methods.collect(),
        })
    }
}
