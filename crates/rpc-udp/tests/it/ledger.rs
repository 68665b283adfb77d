//! A service that knows what has run, and how often.

use rpc_core::{Context, Describe, Status, service};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// What has run.
#[derive(Clone, PartialEq, Eq, prost::Message, Describe, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// How many names were put.
    #[prost(uint64, tag = 1)]
    pub(crate) names: u64,
    /// How many of them more than once.
    #[prost(uint64, tag = 2)]
    pub(crate) twice: u64,
    /// How often notes were taken.
    #[prost(uint64, tag = 3)]
    pub(crate) notes: u64,
    /// How many notes were taken more than once.
    #[prost(uint64, tag = 4)]
    pub(crate) notes_twice: u64,
    /// How many of the handlers that never end were dropped.
    #[prost(uint64, tag = 5)]
    pub(crate) dropped: u64,
    /// How many handlers that never end have begun.
    #[prost(uint64, tag = 6)]
    pub(crate) held: u64,
}

#[service(name = "ledger.v1.Ledger")]
pub(crate) trait Ledger {
    /// Enters a name; says how often it was entered.
    async fn put(&self, cx: &Context, name: String) -> Result<u32, Status>;
    /// Enters it as if that were idempotent.
    #[rpc(idempotency = "idempotent")]
    async fn put_again(&self, cx: &Context, name: String) -> Result<u32, Status>;
    /// Enters a note.
    #[rpc(oneway)]
    async fn note(&self, cx: &Context, name: String);
    /// Never answers; knows when it is dropped.
    async fn hold(&self, cx: &Context) -> Result<(), Status>;
    /// As many bytes as that.
    async fn bytes(&self, cx: &Context, count: u32) -> Result<Vec<u8>, Status>;
    /// Bytes there.
    async fn take(&self, cx: &Context, bytes: Vec<u8>) -> Result<u32, Status>;
    /// What has run.
    #[rpc(idempotency = "no_side_effects")]
    async fn totals(&self, cx: &Context) -> Result<Totals, Status>;
}

/// What was entered.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    /// Where each entry is written, which outlives the process: the server's life and the name.
    log: Option<(File, String)>,
    names: HashMap<String, u32>,
    notes: HashMap<String, u32>,
    held: u64,
    dropped: u64,
}

/// Counts its own end.
struct Held(Book);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.page(|pages| pages.dropped += 1);
    }
}

impl Book {
    /// One that also writes each entry to a log, with the server's life before it.
    pub(crate) fn logging(log: File, life: &str) -> Self {
        let book = Self::default();
        book.page(|pages| pages.log = Some((log, life.to_owned())));
        book
    }

    fn page<R>(&self, read: impl FnOnce(&mut Pages) -> R) -> R {
        read(&mut self.0.lock().expect("no panic while it is held"))
    }

    fn enter(&self, name: String) -> u32 {
        self.page(|pages| {
            if let Some((log, life)) = &mut pages.log {
                // One write: no death tears it.
                let line = format!("{life} {name}\n");
                log.write_all(line.as_bytes()).expect("there is room");
            }
            let count = pages.names.entry(name).or_default();
            *count += 1;
            *count
        })
    }
}

impl Ledger for Book {
    async fn put(&self, _: &Context, name: String) -> Result<u32, Status> {
        Ok(self.enter(name))
    }

    async fn put_again(&self, _: &Context, name: String) -> Result<u32, Status> {
        Ok(self.enter(name))
    }

    async fn note(&self, _: &Context, name: String) {
        self.page(|pages| *pages.notes.entry(name).or_default() += 1);
    }

    async fn hold(&self, _: &Context) -> Result<(), Status> {
        self.page(|pages| pages.held += 1);
        let _held = Held(self.clone());
        std::future::pending().await
    }

    async fn bytes(&self, _: &Context, count: u32) -> Result<Vec<u8>, Status> {
        Ok(vec![7; count as usize])
    }

    async fn take(&self, _: &Context, bytes: Vec<u8>) -> Result<u32, Status> {
        Ok(bytes.len().try_into().expect("short"))
    }

    async fn totals(&self, _: &Context) -> Result<Totals, Status> {
        let twice = |of: &HashMap<String, u32>| of.values().filter(|count| **count > 1).count();
        Ok(self.page(|pages| Totals {
            names: pages.names.len() as u64,
            twice: twice(&pages.names) as u64,
            notes: pages.notes.values().copied().map(u64::from).sum(),
            notes_twice: twice(&pages.notes) as u64,
            dropped: pages.dropped,
            held: pages.held,
        }))
    }
}
