//! The shop behind the service that tonic generated: what a user of plain tonic would write.

use crate::generated::stock_server::Stock;
use crate::generated::{
    Item, StockGetRequest, StockListRequest, StockNoteRequest, StockPutRequest,
};
use futures_util::{Stream, StreamExt};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status, Streaming};

/// A shop for tonic, empty at first.
#[derive(Clone, Debug, Default)]
pub struct GeneratedShop {
    /// How many there are of each.
    pub shelves: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl GeneratedShop {
    fn item(&self, sku: &str) -> Result<Item, Status> {
        let shelves = self.shelves.lock().expect("no panic while it is held");
        let count = shelves.get(sku).copied();
        let sku = sku.to_owned();
        match count {
            Some(count) => Ok(Item { sku, count }),
            None => Err(Status::not_found(format!("no item `{sku}`"))),
        }
    }

    fn add(&self, item: Item) -> u32 {
        let mut shelves = self.shelves.lock().expect("no panic while it is held");
        let count = shelves.entry(item.sku).or_default();
        *count += item.count;
        *count
    }
}

type Items = Pin<Box<dyn Stream<Item = Result<Item, Status>> + Send>>;

#[tonic::async_trait]
impl Stock for GeneratedShop {
    type ListStream = Items;
    type LookStream = Items;

    async fn get(&self, request: Request<StockGetRequest>) -> Result<Response<Item>, Status> {
        let sku = request.into_inner().sku;
        assert_ne!(sku, "panic", "asked for");
        if sku == "never" {
            std::future::pending::<()>().await;
        }
        self.item(&sku).map(Response::new)
    }

    async fn put(&self, request: Request<StockPutRequest>) -> Result<Response<u32>, Status> {
        let item = request.into_inner().item.unwrap_or_default();
        Ok(Response::new(self.add(item)))
    }

    async fn fill(&self, request: Request<Streaming<Item>>) -> Result<Response<u64>, Status> {
        let mut items = request.into_inner();
        let mut many = 0;
        while let Some(item) = items.next().await {
            self.add(item?);
            many += 1;
        }
        Ok(Response::new(many))
    }

    async fn list(&self, request: Request<StockListRequest>) -> Result<Response<Items>, Status> {
        let prefix = request.into_inner().prefix;
        let names: Vec<_> = {
            let shelves = self.shelves.lock().expect("no panic while it is held");
            let names = shelves.keys().filter(|name| name.starts_with(&prefix));
            names.cloned().collect()
        };
        let shop = self.clone();
        let bad = (prefix == "bad").then(|| Err(Status::invalid_argument("")));
        let items = futures_util::stream::iter(names).map(move |name| shop.item(&name));
        Ok(Response::new(Box::pin(
            futures_util::stream::iter(bad).chain(items),
        )))
    }

    async fn look(&self, request: Request<Streaming<String>>) -> Result<Response<Items>, Status> {
        let shop = self.clone();
        let items = request.into_inner().map(move |name| shop.item(&name?));
        Ok(Response::new(Box::pin(items)))
    }

    async fn note(&self, _: Request<StockNoteRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }
}
