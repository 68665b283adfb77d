//! The health service of gRPC: who asks learns whether a service is served, and when that changes.

use futures_util::stream;
use rpc_core::export::Stream;
use rpc_core::{Code, Context, Describe, Status, service};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tokio::sync::watch;

/// Whether a service is served.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    prost::Enumeration,
    Describe,
    Serialize,
    Deserialize,
)]
#[describe(name = "grpc.health.v1.ServingStatus")]
#[repr(i32)]
pub enum ServingStatus {
    /// Nobody said.
    Unknown = 0,
    /// It is.
    Serving = 1,
    /// It is not.
    NotServing = 2,
    /// There is no such service; only a watch says so.
    ServiceUnknown = 3,
}

/// What is asked.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
#[describe(name = "grpc.health.v1.HealthCheckResponse")]
pub struct HealthCheckResponse {
    /// Whether it is served.
    #[prost(enumeration = "ServingStatus", tag = 1)]
    pub status: i32,
}

/// The service by which a server tells of its health.
#[service(name = "grpc.health.v1.Health")]
pub trait Health {
    /// Whether the service of this name is served; the empty name is the server as a whole.
    #[rpc(idempotency = "no_side_effects")]
    async fn check(&self, cx: &Context, service: String) -> Result<HealthCheckResponse, Status>;
    /// The same, now and at every change.
    #[rpc(idempotency = "no_side_effects")]
    async fn watch(
        &self,
        cx: &Context,
        service: String,
    ) -> Result<impl Stream<Item = Result<HealthCheckResponse, Status>>, Status>;
}

/// Tells of the health of services. Clones share it: one is mounted in a
/// [`Router`](rpc_core::Router), another says what changes.
///
/// ```
/// use rpc_core::Router;
/// use rpc_grpc::health::{HealthReporter, ServingStatus};
/// let health = HealthReporter::new();
/// let router = Router::new().service(health.clone().service());
/// health.set("shop.v1.Stock", ServingStatus::Serving);
/// # let _ = router;
/// ```
#[derive(Clone, Debug)]
pub struct HealthReporter {
    statuses: watch::Sender<HashMap<String, ServingStatus>>,
}

impl Default for HealthReporter {
    fn default() -> Self {
        let whole = HashMap::from([(String::new(), ServingStatus::Serving)]);
        Self {
            statuses: watch::Sender::new(whole),
        }
    }
}

impl HealthReporter {
    /// The server as a whole is served; of its services nothing is said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As a service.
    #[must_use]
    pub fn service(self) -> HealthServer<Self> {
        HealthServer::new(self)
    }

    /// Says whether a service is served; the empty name is the server as a whole.
    pub fn set(&self, service: &str, status: ServingStatus) {
        self.statuses.send_if_modified(|statuses| {
            statuses.insert(service.to_owned(), status) != Some(status)
        });
    }

    /// Says of everything that it is not served any more: before a server drains.
    pub fn stop(&self) {
        self.statuses.send_modify(|statuses| {
            for status in statuses.values_mut() {
                *status = ServingStatus::NotServing;
            }
        });
    }
}

impl Health for HealthReporter {
    async fn check(&self, _: &Context, service: String) -> Result<HealthCheckResponse, Status> {
        match self.statuses.borrow().get(&service) {
            Some(status) => Ok((*status).into()),
            None => Err(Status::new(Code::NotFound, "no such service")),
        }
    }

    async fn watch(
        &self,
        _: &Context,
        service: String,
    ) -> Result<impl Stream<Item = Result<HealthCheckResponse, Status>>, Status> {
        let watched = (self.statuses.subscribe(), service, None);
        Ok(stream::unfold(
            watched,
            |(mut statuses, service, told)| async move {
                let now = |all: &HashMap<String, ServingStatus>| {
                    let known = all.get(&service).copied();
                    Some(known.unwrap_or(ServingStatus::ServiceUnknown))
                };
                let changed = statuses.wait_for(|all| now(all) != told).await.ok()?;
                let status = now(&changed)?;
                drop(changed);
                Some((Ok(status.into()), (statuses, service, Some(status))))
            },
        ))
    }
}

impl From<ServingStatus> for HealthCheckResponse {
    fn from(status: ServingStatus) -> Self {
        Self {
            status: status.into(),
        }
    }
}
