//! The process that holds the registry: entries that live as long as the calls that hold them.

use crate::leases::Leases;
use crate::wire::{Entries, Entry, Registrar};
use futures_util::stream;
use rpc_core::export::Stream;
use rpc_core::{Code, Context, Contract, Peer, Status};
use rpc_transport::Endpoint;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many entries a registry holds.
pub const MAX_ENTRIES: usize = 16_384;
/// How long the name of a service, a string binding or a note may be, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// How long a host that has just begun says at most that there may be more than it knows: those
/// who were registered with the one before come again within this time, or are stopped.
pub const TAKE_OVER: Duration = Duration::from_millis(500);
/// How often it looks who of those has gone meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// The entries. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    entries: watch::Sender<Held>,
}

#[derive(Clone, Debug, Default)]
struct Held {
    next: u64,
    all: BTreeMap<u64, (Entry, Arc<str>)>,
    /// Leases that were held when this host began, and whose entries have not come again. `None`
    /// where it is not known who they are.
    awaited: Option<BTreeSet<u64>>,
    /// All are here.
    whole: bool,
}

impl Host {
    /// Nothing is registered yet, but with a host before this one, perhaps.
    pub(crate) fn at(path: &Path) -> Self {
        let leases = Leases::beside(path);
        let awaited = leases.as_ref().and_then(Leases::held);
        let held = Held {
            whole: awaited.as_ref().is_some_and(BTreeSet::is_empty),
            awaited,
            ..Held::default()
        };
        let whole = held.whole;
        let host = Self {
            entries: watch::Sender::new(held),
        };
        if !whole {
            tokio::spawn(settle(host.entries.clone(), leases));
        }
        host
    }

    fn add(&self, entry: Entry, contract: &str, lease: u64) -> Result<Holding, Status> {
        let (mut number, contract) = (None, Arc::from(contract));
        self.entries.send_modify(|held| {
            if held.all.len() < MAX_ENTRIES {
                held.next += 1;
                held.all.insert(held.next, (entry, contract));
                held.came(lease);
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

/// Waits until all have come again who were registered before, or have gone, or it is too late.
async fn settle(entries: watch::Sender<Held>, leases: Option<Leases>) {
    let late = Instant::now() + TAKE_OVER;
    while Instant::now() < late && !entries.borrow().whole {
        tokio::time::sleep(LOOK).await;
        if let Some(leases) = &leases {
            entries.send_if_modified(|held| held.go(leases));
        }
    }
    entries.send_if_modified(|held| !std::mem::replace(&mut held.whole, true));
}

impl Held {
    /// The entry of a lease has come.
    fn came(&mut self, lease: u64) {
        if let Some(awaited) = &mut self.awaited {
            awaited.remove(&lease);
            self.whole |= awaited.is_empty();
        }
    }

    /// Those whose lease nobody holds any more come no more; whether that was all.
    fn go(&mut self, leases: &Leases) -> bool {
        let Some(awaited) = &mut self.awaited else {
            return false;
        };
        awaited.retain(|lease| leases.is_held(*lease));
        awaited.is_empty() && !std::mem::replace(&mut self.whole, true)
    }

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
        lease: u64,
    ) -> Result<impl Stream<Item = Result<Entry, Status>>, Status> {
        let entry = checked(cx, entry, &contract)?;
        let holding = self.add(entry.clone(), &contract, lease)?;
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
        let mut entries = self.entries.subscribe();
        let whole = entries.wait_for(|held| held.whole).await;
        let gone = |_| Status::new(Code::Unavailable, "the registry is ending");
        let entries = whole.map_err(gone)?.of(&service);
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
}

impl Watching {
    /// The next that differs from what was told.
    async fn next(&mut self) -> Option<Entries> {
        loop {
            let now = {
                let held = self.entries.borrow_and_update();
                Entries {
                    entries: held.of(&self.service),
                    taking_over: !held.whole,
                }
            };
            if self.told.as_ref() != Some(&now) {
                self.told = Some(now.clone());
                return Some(now);
            }
            self.entries.changed().await.ok()?;
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
