//! The inventory of the test kit, called: items put and looked up, and streams of them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::StreamExt;
use rpc_core::{
    Channel, Context, Router, Served, Server, Status, Streaming, export::Stream, items,
};
use rpc_testkit::inventory::{Item, Shop, Stock, StockClient, StockServer, item};

use super::{
    Caller, Tally, calls_only,
    client::Messages,
    ours::{Contract, failed},
};
use crate::scenario::{Scenario, Shape};

/// What is on the shelves from the start.
const SKU: &str = "hammer";

/// Items put and looked up in turn, filled in as a stream, looked up as a stream.
#[derive(Debug)]
pub struct Items;

impl Contract for Items {
    type Stubs<C: Channel + Clone + 'static> = Clerk<C>;

    fn fits(shape: &Shape) -> Result<(), String> {
        match shape.scenario {
            Scenario::ServerStream => Err("a list is as long as the shelves are".to_owned()),
            _ => calls_only(shape),
        }
    }

    fn served(tally: &Arc<Tally>) -> Served {
        let shop = Shop::default();
        if let Ok(mut shelves) = shop.shelves.lock() {
            shelves.insert(SKU.to_owned(), 1);
        }
        let counted = Counted {
            shop: Arc::new(shop),
            tally: Arc::clone(tally),
        };
        Server::new(Router::new().service(StockServer::new(counted))).served()
    }

    fn stubs<C: Channel + Clone + 'static>(channel: C) -> Clerk<C> {
        Clerk {
            stock: Arc::new(StockClient::new(channel)),
            next: Arc::default(),
        }
    }
}

/// The shop, and who counts for it.
struct Counted {
    shop: Arc<Shop>,
    tally: Arc<Tally>,
}

impl Stock for Counted {
    async fn get(&self, cx: &Context, sku: String) -> Result<Item, Status> {
        self.tally.count();
        self.shop.get(cx, sku).await
    }

    async fn put(&self, cx: &Context, item: Item) -> Result<u32, Status> {
        self.tally.count();
        self.shop.put(cx, item).await
    }

    async fn fill(&self, cx: &Context, items: Streaming<Item>) -> Result<u64, Status> {
        let tally = Arc::clone(&self.tally);
        let counted = items.inspect(move |_| tally.count());
        self.shop.fill(cx, Streaming::of(counted)).await
    }

    async fn list(
        &self,
        cx: &Context,
        prefix: String,
    ) -> Result<impl Stream<Item = Result<Item, Status>>, Status> {
        self.shop.list(cx, prefix).await
    }

    async fn look(
        &self,
        cx: &Context,
        names: Streaming<String>,
    ) -> Result<Streaming<Item>, Status> {
        let tally = Arc::clone(&self.tally);
        let counted = names.inspect(move |_| tally.count());
        self.shop.look(cx, Streaming::of(counted)).await
    }

    async fn note(&self, cx: &Context, text: String) {
        self.shop.note(cx, text).await;
    }
}

/// Puts an item, looks it up, and so on.
pub struct Clerk<C> {
    stock: Arc<StockClient<C>>,
    next: Arc<AtomicU64>,
}

impl<C> Clone for Clerk<C> {
    fn clone(&self) -> Clerk<C> {
        Clerk {
            stock: Arc::clone(&self.stock),
            next: Arc::clone(&self.next),
        }
    }
}

impl<C> std::fmt::Debug for Clerk<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clerk").finish_non_exhaustive()
    }
}

/// Whether this is the item that was asked for.
fn check(item: &Item) -> io::Result<()> {
    match item.sku == SKU && item.count > 0 {
        true => Ok(()),
        false => Err(io::Error::other(format!("another item: {item:?}"))),
    }
}

impl<C: Channel + 'static> Caller for Clerk<C> {
    async fn call(&self, message: Vec<u8>) -> io::Result<Vec<u8>> {
        let cx = Context::background();
        if self.next.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            self.stock.put(&cx, item(SKU, 1)).await.map_err(failed)?;
        } else {
            let got = self.stock.get(&cx, SKU.to_owned()).await;
            check(&got.map_err(failed)?)?;
        }
        Ok(message)
    }

    async fn stream(&self, messages: Messages) -> io::Result<()> {
        let cx = Context::background();
        let many = (0..messages.all()).map(|_| item(SKU, 1));
        let filled = self.stock.fill(&cx, items(many)).await.map_err(failed)?;
        match filled == u64::from(messages.all()) {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn relay(&self, messages: Messages) -> io::Result<()> {
        let cx = Context::background();
        let names = (0..messages.all()).map(|_| SKU.to_owned());
        let looked = self.stock.look(&cx, items(names)).await;
        let (mut looked, mut came) = (looked.map_err(failed)?, 0);
        while let Some(item) = looked.next().await {
            check(&item.map_err(failed)?)?;
            came += 1;
        }
        match came == messages.all() {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
