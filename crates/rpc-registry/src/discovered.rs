//! A channel to whichever servers a registry knows at the moment.

use crate::registry::Registry;
use crate::wire::Entry;
use futures_util::StreamExt;
use rpc_core::{Call, CallFuture, Channel, Code, Comparison, Contract, ServiceDescriptor, Status};
use rpc_transport::{Backend, Balanced, Connected, Pick, Reconnecting};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A channel for stubs over all servers that a registry knows of a service, as they come and go.
/// Calls wait until the registry has answered once; when it knows nobody, they fail with
/// `UNAVAILABLE`, and did not run.
///
/// A server with a contract that ours does not understand is left out; when there are no others,
/// calls say why.
///
/// ```no_run
/// # use rpc_testkit::inventory::{STOCK_SERVICE, StockClient};
/// use rpc_registry::{Discovered, Embedded};
/// use rpc_transport::Pick;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let registry = Embedded::at("/run/registry.sock");
/// let connect = |endpoint: String| async move { rpc_native::connect(&endpoint).await };
/// let servers = Discovered::new(registry, &STOCK_SERVICE, Pick::TwoChoices, connect);
/// let stock = StockClient::new(servers);
/// # drop(stock); });
/// ```
pub struct Discovered<C> {
    servers: watch::Receiver<Option<Servers<C>>>,
    watching: Arc<Watching>,
}

/// Those of the moment.
struct Servers<C> {
    balanced: Balanced<Reconnecting<C>>,
    count: usize,
    /// Why one was left out.
    refused: Option<Status>,
}

struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<C: Connected + 'static> Discovered<C> {
    /// The servers of `service` that `registry` knows, each connected by `connect` when it is
    /// first called. To be made in a tokio runtime, which watches.
    pub fn new<F, Fut>(
        registry: impl Registry,
        service: &'static ServiceDescriptor,
        pick: Pick,
        connect: F,
    ) -> Self
    where
        F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C, Status>> + Send + 'static,
    {
        let (tell, servers) = watch::channel(None);
        let watching = tokio::spawn(async move {
            let mut seen = registry.watch(service.name());
            let mut known = Known {
                channels: BTreeMap::new(),
                verdicts: HashMap::new(),
                told: false,
            };
            while let Some(seen) = seen.next().await {
                let servers = known.update(&registry, service, pick, seen.entries, &connect);
                let Some(servers) = servers.await else {
                    continue;
                };
                if tell.send(Some(servers)).is_err() {
                    return;
                }
            }
        });
        let watching = Arc::new(Watching(watching.abort_handle()));
        Self { servers, watching }
    }

    /// How many servers it knows now; `None` before the registry has answered.
    #[must_use]
    pub fn known(&self) -> Option<usize> {
        self.servers.borrow().as_ref().map(|servers| servers.count)
    }
}

/// What is kept from one set to the next.
struct Known<C> {
    /// The servers by their places, and how they are.
    channels: BTreeMap<String, (Reconnecting<C>, Backend)>,
    /// Whether we understand those contracts, by their fingerprints.
    verdicts: HashMap<Vec<u8>, Result<(), Status>>,
    /// What is known was told, and nothing but it.
    told: bool,
}

impl<C: Connected + 'static> Known<C> {
    /// The servers, where they are others than before.
    async fn update<F, Fut>(
        &mut self,
        registry: &impl Registry,
        service: &'static ServiceDescriptor,
        pick: Pick,
        entries: Vec<Entry>,
        connect: &F,
    ) -> Option<Servers<C>>
    where
        F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C, Status>> + Send + 'static,
    {
        let (mut channels, mut refused) = (BTreeMap::new(), None);
        for entry in entries {
            if let Err(status) = self.understand(registry, service, &entry.fingerprint).await {
                tracing::warn!(endpoint = entry.endpoint, %status, "left out");
                refused = Some(status);
                continue;
            }
            let endpoint = entry.endpoint.clone();
            let kept = self.channels.get(&endpoint).cloned();
            let channel = kept.unwrap_or_else(|| {
                let (connect, endpoint) = (connect.clone(), endpoint.clone());
                let channel = Reconnecting::new(move || connect(endpoint.clone()));
                (channel, Backend::default())
            });
            channels.insert(endpoint, channel);
        }
        let same = refused.is_none() && channels.keys().eq(self.channels.keys());
        self.channels = channels;
        // A host that changes tells the same again: whose turn it is stays as it was.
        if same && self.told {
            return None;
        }
        self.told = refused.is_none();
        Some(Servers {
            count: self.channels.len(),
            balanced: Balanced::over(pick, self.channels.values().cloned()),
            refused,
        })
    }

    async fn understand(
        &mut self,
        registry: &impl Registry,
        service: &'static ServiceDescriptor,
        fingerprint: &[u8],
    ) -> Result<(), Status> {
        let ours = service.contract();
        if fingerprint.is_empty() || fingerprint == ours.fingerprint() {
            return Ok(());
        }
        if let Some(verdict) = self.verdicts.get(fingerprint) {
            return verdict.clone();
        }
        // One that is gone again is not asked any more.
        let text = registry.contract_of(fingerprint.to_vec()).await?;
        let theirs = Contract::parse(&text)
            .ok_or_else(|| Status::new(Code::FailedPrecondition, "its contract cannot be read"))?;
        let verdict = match ours.compare(&theirs) {
            Comparison::Incompatible(reasons) => {
                let text = format!("{}: {}", service.name(), Comparison::Incompatible(reasons));
                Err(Status::new(Code::FailedPrecondition, text))
            }
            _ => Ok(()),
        };
        self.verdicts.insert(fingerprint.to_vec(), verdict.clone());
        verdict
    }
}

impl<C: Connected + 'static> Channel for Discovered<C> {
    fn call(&self, call: Call) -> CallFuture {
        let mut servers = self.servers.clone();
        let watching = Arc::clone(&self.watching);
        Box::pin(async move {
            let work = match servers.wait_for(Option::is_some).await {
                Ok(servers) => match servers.as_ref() {
                    Some(Servers {
                        count: 0,
                        refused: Some(status),
                        ..
                    }) => return Err(status.clone().before_running()),
                    Some(servers) => servers.balanced.call(call),
                    None => return Err(unknown()),
                },
                Err(_) => return Err(unknown()),
            };
            let outcome = work.await;
            drop(watching);
            outcome
        })
    }
}

/// The registry has ended.
fn unknown() -> Status {
    Status::new(Code::Unavailable, "the registry tells nothing any more").before_running()
}

impl<C> Clone for Discovered<C> {
    fn clone(&self) -> Self {
        Self {
            servers: self.servers.clone(),
            watching: Arc::clone(&self.watching),
        }
    }
}

impl<C> fmt::Debug for Discovered<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.servers.borrow().as_ref().map(|servers| servers.count);
        f.debug_struct("Discovered")
            .field("known", &known)
            .finish_non_exhaustive()
    }
}
