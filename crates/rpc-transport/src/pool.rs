//! Several connections to one server, used in turn.

use crate::reconnect::{Connected, Reconnecting};
use rpc_core::{Call, CallFuture, Channel, Status};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A channel over several connections to one server, each made when it is first needed: calls
/// take them in turn, so that one connection's lock and socket are not what bounds them all.
#[derive(Debug)]
pub struct Pool<C> {
    channels: Arc<[Reconnecting<C>]>,
    next: Arc<AtomicUsize>,
}

impl<C: Connected> Pool<C> {
    /// The largest number of connections.
    pub const MAX_CONNECTIONS: usize = 256;

    /// Up to `connections` (at least one, at most [`Pool::MAX_CONNECTIONS`]) made by `connect`.
    pub fn new<F, Fut>(connections: usize, connect: F) -> Self
    where
        F: Fn() -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<C, Status>> + Send + 'static,
    {
        let connections = connections.clamp(1, Self::MAX_CONNECTIONS);
        Self {
            channels: (0..connections)
                .map(|_| Reconnecting::new(connect.clone()))
                .collect(),
            next: Arc::default(),
        }
    }
}

impl<C: Connected> Channel for Pool<C> {
    fn call(&self, call: Call) -> CallFuture {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].call(call)
    }
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self {
            channels: Arc::clone(&self.channels),
            next: Arc::clone(&self.next),
        }
    }
}
