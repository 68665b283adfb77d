//! The inventory: a service with a method of every kind.

use futures_util::StreamExt;
use rpc_core::export::Stream;
use rpc_core::{Code, Context, Describe, Status, Streaming, service};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// An item on a shelf.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct Item {
    /// What it is called.
    #[prost(string, tag = 1)]
    pub sku: String,
    /// How many there are.
    #[prost(uint32, tag = 2)]
    pub count: u32,
}

#[service(name = "inventory.v1.Stock")]
/// What is on the shelves.
pub trait Stock {
    /// Looks up one item.
    #[rpc(
        idempotency = "no_side_effects",
        deadline = "60s",
        http = "GET /v1/items/{sku}"
    )]
    async fn get(&self, cx: &Context, sku: String) -> Result<Item, Status>;
    /// Puts items on a shelf; answers how many there are.
    #[rpc(roles = "clerk")]
    async fn put(&self, cx: &Context, item: Item) -> Result<u32, Status>;
    /// Puts many.
    async fn fill(&self, cx: &Context, items: Streaming<Item>) -> Result<u64, Status>;
    /// All items whose name begins so.
    async fn list(
        &self,
        cx: &Context,
        prefix: String,
    ) -> Result<impl Stream<Item = Result<Item, Status>>, Status>;
    /// Looks up as they are named.
    async fn look(&self, cx: &Context, names: Streaming<String>)
    -> Result<Streaming<Item>, Status>;
    /// Writes into the log.
    #[rpc(oneway)]
    async fn note(&self, cx: &Context, text: String);
}

/// So many of that.
#[must_use]
pub fn item(sku: &str, count: u32) -> Item {
    let sku = sku.to_owned();
    Item { sku, count }
}

/// A shop, empty at first.
#[derive(Debug, Default)]
pub struct Shop {
    /// How many there are of each.
    pub shelves: Mutex<BTreeMap<String, u32>>,
    /// What was written into the log.
    pub notes: Mutex<Vec<String>>,
}

/// Each method panics where it is given the name `panic`.
fn asked_for(name: &str) {
    assert_ne!(name, "panic", "asked for");
}

impl Shop {
    fn item(&self, sku: &str) -> Result<Item, Status> {
        asked_for(sku);
        let shelves = self.shelves.lock().expect("no panic while it is held");
        let count = *shelves
            .get(sku)
            .ok_or_else(|| Status::new(Code::NotFound, format!("no item `{sku}`")))?;
        let sku = sku.to_owned();
        Ok(Item { sku, count })
    }

    fn add(&self, item: Item) -> u32 {
        asked_for(&item.sku);
        let mut shelves = self.shelves.lock().expect("no panic while it is held");
        let count = shelves.entry(item.sku).or_default();
        *count += item.count;
        *count
    }
}

impl Stock for Arc<Shop> {
    async fn get(&self, _: &Context, sku: String) -> Result<Item, Status> {
        if sku == "never" {
            std::future::pending::<()>().await;
        }
        self.item(&sku)
    }

    async fn put(&self, _: &Context, item: Item) -> Result<u32, Status> {
        Ok(self.add(item))
    }

    async fn fill(&self, _: &Context, mut items: Streaming<Item>) -> Result<u64, Status> {
        let mut many = 0;
        while let Some(item) = items.next().await {
            self.add(item?);
            many += 1;
        }
        Ok(many)
    }

    async fn list(
        &self,
        _: &Context,
        prefix: String,
    ) -> Result<impl Stream<Item = Result<Item, Status>>, Status> {
        asked_for(&prefix);
        if prefix == "bad" {
            return Err(Status::bare(Code::InvalidArgument));
        }
        let names: Vec<_> = {
            let shelves = self.shelves.lock().expect("no panic while it is held");
            let names = shelves.keys().filter(|name| name.starts_with(&prefix));
            names.cloned().collect()
        };
        // It borrows from the service.
        let shop = &**self;
        Ok(futures_util::stream::iter(names).map(|name| shop.item(&name)))
    }

    async fn look(&self, _: &Context, names: Streaming<String>) -> Result<Streaming<Item>, Status> {
        let shop = Arc::clone(self);
        Ok(Streaming::of(names.map(move |name| shop.item(&name?))))
    }

    async fn note(&self, _: &Context, text: String) {
        asked_for(&text);
        if text == "never" {
            std::future::pending::<()>().await;
        }
        self.notes
            .lock()
            .expect("no panic while it is held")
            .push(text);
    }
}
