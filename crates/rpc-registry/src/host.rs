//! The process that holds the registry: entries that live as long as the calls that hold them.

use crate::wire::{Entries, Entry, Registrar};
use futures_util::stream;
use rpc_core::export::Stream;
use rpc_core::{Code, Context, Contract, Peer, Status};
use rpc_transport::Endpoint;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many entries a registry holds.
pub const MAX_ENTRIES: usize = 16_384;
/// How long the name of a service, a string binding or a note may be, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// How long a host that has just begun says that there may be more than it knows: those who
/// were registered with the one before come again within this time.
pub const TAKE_OVER: Duration = Duration::from_millis(500);

/// The entries. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    entries: watch::Sender<Held>,
    began: Instant,
}

#[derive(Clone, Debug, Default)]
struct Held {
    next: u64,
    all: BTreeMap<u64, (Entry, Arc<str>)>,
}

impl Host {
    /// Nothing is registered yet.
    pub(crate) fn new() -> Self {
        Self {
            entries: watch::Sender::new(Held::default()),
            began: Instant::now(),
        }
    }

    /// Until when it may know less than there is.
    fn whole_at(&self) -> Instant {
        self.began + TAKE_OVER
    }

    fn add(&self, entry: Entry, contract: &str) -> Result<Holding, Status> {
        let (mut number, contract) = (None, Arc::from(contract));
        self.entries.send_modify(|held| {
            if held.all.len() < MAX_ENTRIES {
                held.next += 1;
                held.all.insert(held.next, (entry, contract));
                number = Some(held.next);
            }
        });
        let number = number.ok_or_else(|| {
            let text = format!("the registry is full: it holds {MAX_ENTRIES} entries");
            Status::new(Code::ResourceExhausted, text)
        })?;
        let entries = self.entries.clone();
        Ok(Holding { entries, number })
    }
}

/// An entry, until this is dropped.
struct Holding {
    entries: watch::Sender<Held>,
    number: u64,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.entries.send_modify(|held| {
            held.all.remove(&self.number);
        });
    }
}

impl Held {
    fn of(&self, service: &str) -> Vec<Entry> {
        let all = self.all.values().map(|(entry, _)| entry);
        let offer = all.filter(|entry| service.is_empty() || entry.service == service);
        offer.cloned().collect()
    }
}

impl Registrar for Host {
    async fn hold(
        &self,
        cx: &Context,
        entry: Entry,
        contract: String,
    ) -> Result<impl Stream<Item = Result<Entry, Status>>, Status> {
        let entry = checked(cx, entry, &contract)?;
        let holding = self.add(entry.clone(), &contract)?;
        // After the one item it waits, and holds, until the caller is gone.
        Ok(stream::unfold(
            (Some(entry), holding),
            |(entry, holding)| async move {
                match entry {
                    Some(entry) => Some((Ok(entry), (None, holding))),
                    None => std::future::pending().await,
                }
            },
        ))
    }

    async fn look_up(&self, _: &Context, service: String) -> Result<Entries, Status> {
        tokio::time::sleep_until(self.whole_at().into()).await;
        let entries = self.entries.borrow().of(&service);
        Ok(Entries {
            entries,
            taking_over: false,
        })
    }

    async fn contract_of(&self, _: &Context, fingerprint: Vec<u8>) -> Result<String, Status> {
        let held = self.entries.borrow();
        let found = held
            .all
            .values()
            .find(|(entry, _)| entry.fingerprint == fingerprint);
        let unknown = || Status::new(Code::NotFound, "nobody is registered with that contract");
        found.map(|(_, text)| text.to_string()).ok_or_else(unknown)
    }

    async fn watch(
        &self,
        _: &Context,
        service: String,
    ) -> Result<impl Stream<Item = Result<Entries, Status>>, Status> {
        let watching = Watching {
            entries: self.entries.subscribe(),
            service,
            told: None,
            whole_at: self.whole_at(),
        };
        Ok(stream::unfold(watching, |mut watching| async move {
            let entries = watching.next().await?;
            Some((Ok(entries), watching))
        }))
    }
}

struct Watching {
    entries: watch::Receiver<Held>,
    service: String,
    told: Option<Entries>,
    whole_at: Instant,
}

impl Watching {
    /// The next that differs from what was told.
    async fn next(&mut self) -> Option<Entries> {
        loop {
            let taking_over = Instant::now() < self.whole_at;
            let entries = self.entries.borrow_and_update().of(&self.service);
            let now = Entries {
                entries,
                taking_over,
            };
            if self.told.as_ref() != Some(&now) {
                self.told = Some(now.clone());
                return Some(now);
            }
            let whole = async {
                match taking_over {
                    true => tokio::time::sleep_until(self.whole_at.into()).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.entries.changed() => changed.ok()?,
                () = whole => {}
            }
        }
    }
}

/// The entry with what the kernel says of its maker, if it is one.
fn checked(cx: &Context, mut entry: Entry, contract: &str) -> Result<Entry, Status> {
    let wrong = |what: &str| Status::new(Code::InvalidArgument, what.to_owned());
    let texts = [&entry.service, &entry.endpoint, &entry.note];
    if texts.iter().any(|text| text.len() > MAX_TEXT_BYTES) {
        return Err(wrong("a text of the entry is longer than 4,096 bytes"));
    }
    if entry.service.is_empty() {
        return Err(wrong("an entry names a service"));
    }
    // A server of datagrams is a place like others, of another crate.
    let datagrams = ["udp:", "rpc+udp:"].map(|scheme| entry.endpoint.strip_prefix(scheme));
    if !datagrams.into_iter().flatten().any(Endpoint::has_port)
        && let Err(error) = entry.endpoint.parse::<Endpoint>()
    {
        return Err(wrong(&error.to_string()));
    }
    if !entry.fingerprint.is_empty() {
        let contract = Contract::parse(contract).map(|contract| contract.fingerprint());
        if contract.is_none_or(|fingerprint| fingerprint[..] != entry.fingerprint) {
            return Err(wrong("the fingerprint is not that of the contract"));
        }
    }
    (entry.uid, entry.pid) = match cx.peer() {
        Peer::Unix(ids) => (ids.uid, ids.pid),
        _ => (0, 0),
    };
    Ok(entry)
}
