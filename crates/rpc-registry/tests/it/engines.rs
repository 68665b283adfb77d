//! What stands behind the trait: the embedded registry, and another engine that a user writes.

use crate::processes::{PATIENCE, place};
use futures_util::stream;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Code, Context, Router, Server, Status};
use rpc_registry::{Answer, Discovered, Embedded, Entry, Lease, Registry, Seen, Watch};
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockClient, StockServer, item};
use rpc_transport::Pick;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

const SERVICE: &str = "inventory.v1.Stock";

/// A registry in the memory of one process.
#[derive(Clone, Debug, Default)]
struct Shelf {
    held: watch::Sender<BTreeMap<u64, (Entry, String)>>,
}

fn of(held: &BTreeMap<u64, (Entry, String)>, service: &str) -> Vec<Entry> {
    let entries = held.values().map(|(entry, _)| entry);
    let offers = entries.filter(|entry| service.is_empty() || entry.service == service);
    offers.cloned().collect()
}

impl Registry for Shelf {
    fn register(&self, entry: Entry, contract: String) -> Answer<'_, Lease> {
        let mut number = 0;
        self.held.send_modify(|held| {
            number = held.keys().last().map_or(0, |last| last + 1);
            held.insert(number, (entry, contract));
        });
        let held = self.held.clone();
        let end = move || {
            held.send_modify(|held| drop(held.remove(&number)));
        };
        Box::pin(async move { Ok(Lease::new(end)) })
    }

    fn look_up<'a>(&'a self, service: &'a str) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move { Ok(of(&self.held.borrow(), service)) })
    }

    fn watch(&self, service: &str) -> Watch {
        let first = (self.held.subscribe(), service.to_owned(), true);
        Box::pin(stream::unfold(
            first,
            |(mut held, service, first)| async move {
                if !first {
                    held.changed().await.ok()?;
                }
                let entries = of(&held.borrow_and_update(), &service);
                let seen = Seen {
                    entries,
                    may_be_more: false,
                };
                Some((seen, (held, service, false)))
            },
        ))
    }

    fn contract_of(&self, fingerprint: Vec<u8>) -> Answer<'_, String> {
        let held = self.held.borrow();
        let mut all = held.values();
        let found = all.find(|(entry, _)| entry.fingerprint == fingerprint);
        let text = found.map(|(_, text)| text.clone());
        Box::pin(async move { text.ok_or_else(|| Status::bare(Code::NotFound)) })
    }
}

/// Serves a shop of its own, and registers it.
async fn shop(registry: &impl Registry, directory: &TempDir, name: &str) -> Lease {
    let endpoint = format!("unix:{}", directory.join(name).display());
    let router = Router::new().service(StockServer::new(Arc::new(Shop::default())));
    let serving = rpc_native::bind(&endpoint).expect("a free place");
    let server = Server::new(router).with(serving).expect("it carries all");
    tokio::spawn(server.run());
    let entry = Entry::new(&STOCK_SERVICE, &endpoint);
    let contract = STOCK_SERVICE.contract().text();
    registry
        .register(entry, contract)
        .await
        .expect("registered")
}

/// Two servers share the calls, by turns, and one that goes leaves them to the other.
async fn balances(registry: impl Registry + Clone) {
    let directory = TempDir::new();
    let _first = shop(&registry, &directory, "a").await;
    let second = shop(&registry, &directory, "b").await;
    assert_eq!(registry.look_up(SERVICE).await.expect("an answer").len(), 2);
    let connect = |endpoint: String| async move { rpc_native::connect(&endpoint).await };
    let servers = Discovered::new(registry.clone(), &STOCK_SERVICE, Pick::RoundRobin, connect);
    let stock = StockClient::new(servers.clone());
    let known = async |many| {
        while servers.known() != Some(many) {
            tokio::task::yield_now().await;
        }
    };
    known(2).await;
    let put = async || stock.put(&Context::new(), item("a", 1)).await;
    let mut counts = Vec::new();
    for _ in 0..6 {
        counts.push(put().await.expect("one of them answers"));
    }
    // Each shop counts what came to it.
    assert_eq!(counts, [1, 1, 2, 2, 3, 3]);
    drop(second);
    known(1).await;
    assert_eq!((put().await, put().await), (Ok(4), Ok(5)), "all to the one");
    assert_eq!(registry.look_up(SERVICE).await.expect("an answer").len(), 1);
}

#[tokio::test]
async fn clients_balance_over_what_the_embedded_registry_returns() {
    let _watchdog = watchdog(PATIENCE);
    let directory = TempDir::new();
    balances(Embedded::at(place(&directory))).await;
}

#[tokio::test]
async fn clients_balance_over_what_another_engine_returns() {
    let _watchdog = watchdog(PATIENCE);
    balances(Shelf::default()).await;
}
