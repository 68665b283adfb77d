//! The calculator: what also a server that does one thing at a time can carry.

use rpc_core::export::Stream;
use rpc_core::{Context, Status, items, service};
use std::future;

#[service(name = "calculator.v1.Calculator")]
/// Numbers, by the kinds of method that need no stream of arguments.
pub trait Calculator {
    /// The sum of both, modulo 2^64; twice 2^64 - 1 panics.
    #[rpc(idempotency = "no_side_effects")]
    async fn add(&self, cx: &Context, a: u64, b: u64) -> Result<u64, Status>;
    /// The numbers below one; those below 2^64 - 1 panic.
    async fn count(
        &self,
        cx: &Context,
        to: u64,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status>;
    /// Remembers nothing; `panic` panics.
    #[rpc(oneway)]
    async fn note(&self, cx: &Context, text: String);
    /// Does not answer.
    async fn never(&self, cx: &Context) -> Result<(), Status>;
}

/// Calculates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Adder;

impl Calculator for Adder {
    async fn add(&self, _: &Context, a: u64, b: u64) -> Result<u64, Status> {
        assert!((a, b) != (u64::MAX, u64::MAX), "asked for");
        Ok(a.wrapping_add(b))
    }

    async fn count(
        &self,
        _: &Context,
        to: u64,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status> {
        assert!(to < u64::MAX, "asked for");
        Ok(items((0..to).map(Ok)))
    }

    async fn note(&self, _: &Context, text: String) {
        assert_ne!(text, "panic", "asked for");
    }

    async fn never(&self, _: &Context) -> Result<(), Status> {
        future::pending().await
    }
}
