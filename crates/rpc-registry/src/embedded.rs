//! A registry without a server of its own: whichever of its processes comes first is the host,
//! and when that ends, another.

use crate::host::Host;
use crate::leases::Leases;
use crate::registry::{Answer, Lease, Registry, Seen, Watch};
use crate::wire::{Entry, RegistrarClient, RegistrarServer};
use futures_util::stream;
use rpc_core::{Code, Context, Router, Server, Status};
use rpc_native::{Connection, Limits, Options};
use rpc_transport::Reconnecting;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a watch keeps servers that the registry does not tell of while it may know less than
/// there is: through one change of its host after another, and no longer.
pub const KEPT: Duration = Duration::from_secs(2);

/// How long a question is asked again while nobody can be reached who would answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A registry at a path, over a Unix socket of the own user.
///
/// The first process that comes to the path is the host. An entry lives as long as the connection
/// of the process that registered it, so that the kernel ends it when the process dies, however it
/// dies, and not before: one that is only stopped keeps it. When the host dies, the others see
/// that too; one of them takes over, and all register again. Clones share one connection.
///
/// ```
/// # use rpc_testkit::inventory::STOCK_SERVICE;
/// use rpc_registry::{Embedded, Entry, Registry};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let path = std::env::temp_dir().join(format!("registry-{}", std::process::id()));
/// let registry = Embedded::at(&path);
/// let entry = Entry::new(&STOCK_SERVICE, "shm:/run/shop.sock");
/// let lease = registry.register(entry, STOCK_SERVICE.contract().text()).await?;
/// assert_eq!(registry.look_up("inventory.v1.Stock").await?[0].endpoint, "shm:/run/shop.sock");
/// drop(lease);
/// # Ok::<(), rpc_registry::Status>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Reconnecting<Connection>,
    hosting: Arc<Hosting>,
    path: PathBuf,
}

/// The task in which this process is the host, if it is.
#[derive(Debug, Default)]
struct Hosting(std::sync::Mutex<Option<JoinHandle<()>>>);

impl Hosting {
    fn put(&self, task: JoinHandle<()>) {
        let mut held = self.0.lock().unwrap_or_else(|held| held.into_inner());
        if let Some(earlier) = held.replace(task) {
            earlier.abort();
        }
    }
}

impl Drop for Hosting {
    fn drop(&mut self) {
        let held = self.0.get_mut().unwrap_or_else(|held| held.into_inner());
        if let Some(task) = held.take() {
            task.abort();
        }
    }
}

impl Embedded {
    /// The registry at `path`. Nothing is done before it is asked; it must then be in a tokio
    /// runtime, in which this process is the host if it comes first.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let place = path.clone();
        let hosting = Arc::new(Hosting::default());
        let host = Arc::downgrade(&hosting);
        let connect = move || {
            let (path, host) = (path.clone(), host.clone());
            async move {
                connect_or_host(&path, |task| match host.upgrade() {
                    Some(hosting) => hosting.put(task),
                    None => task.abort(),
                })
                .await
            }
        };
        // Who takes over is there within the time that a process takes to see it.
        let (first, most) = (Duration::from_millis(2), Duration::from_millis(200));
        let connection = Reconnecting::with_backoff(connect, first, most);
        Self {
            shared: Arc::new(Shared {
                connection,
                hosting,
                path: place,
            }),
        }
    }

    /// Whether this process is the host now.
    #[must_use]
    pub fn is_host(&self) -> bool {
        let held = &self.shared.hosting.0;
        let held = held.lock().unwrap_or_else(|held| held.into_inner());
        held.as_ref().is_some_and(|task| !task.is_finished())
    }

    fn client(&self) -> RegistrarClient<Reconnecting<Connection>> {
        RegistrarClient::new(self.shared.connection.clone())
    }

    /// Answers by `ask`, again where nobody was there or the host has gone meanwhile.
    async fn answered<T, Fut>(&self, ask: impl Fn() -> Fut) -> Result<T, Status>
    where
        Fut: Future<Output = Result<T, Status>>,
    {
        let late = Instant::now() + PATIENCE;
        loop {
            match ask().await {
                Err(status) if status.code() == Code::Unavailable && Instant::now() < late => {
                    wait(&status).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Until it may be tried again.
async fn wait(status: &Status) {
    let millis = u64::from(status.push_back_millis().unwrap_or(1));
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Connects to the host; where there is none, this process is it from now on.
async fn connect_or_host(
    path: &Path,
    hosts: impl FnOnce(JoinHandle<()>),
) -> Result<Connection, Status> {
    let place = format!("unix:{}", path.display());
    let limits = Limits::new().clone();
    let options = Options::new().limits(limits).clone();
    let gone = match options.connect(&place).await {
        Err(status) if status.code() == Code::Unavailable => status,
        outcome => return outcome,
    };
    match options.bind(&place) {
        Ok(serving) => {
            let router = Router::new().service(RegistrarServer::new(Host::at(path)));
            let server = Server::new(router).with(serving)?;
            tracing::info!(%place, "this process hosts the registry");
            hosts(tokio::spawn(async move {
                if let Err(status) = server.run().await {
                    tracing::warn!(%status, "the registry is not hosted here any more");
                }
            }));
        }
        // Another was faster.
        Err(status) if status.code() == Code::AlreadyExists => return Err(gone),
        // Nobody is there, and nobody can be: it is of no use to try again.
        Err(status) => {
            let text = format!("the registry can be at no such place: {}", status.message());
            return Err(Status::new(Code::FailedPrecondition, text));
        }
    }
    options.connect(&place).await
}

impl Registry for Embedded {
    fn register(&self, entry: Entry, contract: String) -> Answer<'_, Lease> {
        Box::pin(async move {
            let (told, first) = oneshot::channel();
            let held = tokio::spawn(hold(self.clone(), entry, contract, told));
            let held = held.abort_handle();
            let lease = Lease::new(move || held.abort());
            let gone = |_| Status::new(Code::Aborted, "the runtime is shutting down");
            first.await.map_err(gone)??;
            Ok(lease)
        })
    }

    fn look_up<'a>(&'a self, service: &'a str) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let client = self.client();
            let cx = Context::new();
            let entries = self.answered(|| client.look_up(&cx, service.to_owned()));
            Ok(entries.await?.entries)
        })
    }

    fn watch(&self, service: &str) -> Watch {
        let watching = Watching {
            registry: self.clone(),
            service: service.to_owned(),
            stream: None,
            before: Vec::new(),
            since: None,
            told: None,
        };
        Box::pin(stream::unfold(watching, |mut watching| async move {
            let seen = watching.next().await;
            Some((seen, watching))
        }))
    }

    fn contract_of(&self, fingerprint: Vec<u8>) -> Answer<'_, String> {
        Box::pin(async move {
            let client = self.client();
            let cx = Context::new();
            self.answered(|| client.contract_of(&cx, fingerprint.clone()))
                .await
        })
    }
}

/// Holds an entry with one host after the other, until it is aborted; `told` hears of the first.
async fn hold(
    registry: Embedded,
    entry: Entry,
    contract: String,
    told: oneshot::Sender<Result<(), Status>>,
) {
    let client = registry.client();
    // Before the first host hears of it, so that each later one knows that it comes again.
    let leases = Leases::beside(&registry.shared.path);
    let taken = leases.as_ref().and_then(Leases::take);
    let lease = taken.as_ref().map_or(0, |(byte, _)| *byte);
    let mut told = Some(told);
    loop {
        let cx = Context::new();
        let held = client.hold(&cx, entry.clone(), contract.clone(), lease);
        let held = held.await;
        let outcome = match held {
            Ok(mut held) => match held.next().await {
                Some(Ok(_)) => {
                    if let Some(told) = told.take() {
                        let _ = told.send(Ok(()));
                    }
                    // Until the host has gone.
                    held.next().await
                }
                refused => refused,
            },
            Err(status) => Some(Err(status)),
        };
        match outcome {
            Some(Err(status)) if status.code() == Code::Unavailable => wait(&status).await,
            Some(Err(status)) => {
                tracing::warn!(service = entry.service, %status, "not registered");
                match told.take() {
                    // The caller decides.
                    Some(told) => {
                        let _ = told.send(Err(status));
                        return;
                    }
                    None => tokio::time::sleep(Duration::from_secs(1)).await,
                }
            }
            _ => tokio::task::yield_now().await,
        }
    }
}

struct Watching {
    registry: Embedded,
    service: String,
    stream: Option<rpc_core::Streaming<crate::wire::Entries>>,
    /// What was known before the host changed, and may not have come again.
    before: Vec<Entry>,
    /// Since when it may be.
    since: Option<Instant>,
    told: Option<Seen>,
}

impl Watching {
    /// The next that differs from what was told.
    async fn next(&mut self) -> Seen {
        loop {
            let seen = self.any().await;
            if self.told.as_ref() != Some(&seen) {
                self.told = Some(seen.clone());
                return seen;
            }
        }
    }

    async fn any(&mut self) -> Seen {
        loop {
            let came = match &mut self.stream {
                Some(stream) => stream.next().await,
                None => {
                    let client = self.registry.client();
                    match client.watch(&Context::new(), self.service.clone()).await {
                        Ok(stream) => {
                            self.stream = Some(stream);
                            continue;
                        }
                        Err(status) => Some(Err(status)),
                    }
                }
            };
            match came {
                Some(Ok(seen)) if seen.taking_over => return self.merged(seen.entries),
                Some(Ok(seen)) => {
                    self.since = None;
                    self.before.clone_from(&seen.entries);
                    return Seen {
                        entries: seen.entries,
                        may_be_more: false,
                    };
                }
                Some(Err(status)) => {
                    self.stream = None;
                    wait(&status).await;
                }
                None => {
                    self.stream = None;
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// What the new host knows, and what the one before knew: a server does not go because the
    /// registry has moved. Who was known keeps its place.
    fn merged(&mut self, came: Vec<Entry>) -> Seen {
        if self.since.get_or_insert_with(Instant::now).elapsed() > KEPT {
            self.before.clear();
        }
        let name = |entry: &Entry| (entry.service.clone(), entry.endpoint.clone());
        let mut new: BTreeMap<_, _> = came.iter().map(|entry| (name(entry), entry)).collect();
        let mut entries: Vec<_> = self.before.drain(..).collect();
        for entry in &mut entries {
            if let Some(again) = new.remove(&name(entry)) {
                entry.clone_from(again);
            }
        }
        let others = came.iter().filter(|entry| new.contains_key(&name(entry)));
        entries.extend(others.cloned());
        // The next host may not know of them either.
        self.before.clone_from(&entries);
        Seen {
            entries,
            may_be_more: true,
        }
    }
}
