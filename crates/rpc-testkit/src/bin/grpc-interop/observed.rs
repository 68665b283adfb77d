//! A channel around a connection that notes what the stubs do not show, and says of each message
//! whether it may be compressed.

use futures_util::StreamExt;
use rpc_core::{Body, Call, CallFuture, Channel, Metadata, Payload, Status};
use rpc_grpc::{came_compressed, uncompressed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was seen of one call.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) metadata: Metadata,
    /// Whether each answer came compressed.
    pub(crate) compressed: Vec<bool>,
}

/// The channel of one call at a time.
#[derive(Clone)]
pub(crate) struct Observed<C> {
    inner: C,
    /// Whether each message may be compressed; those that are not named may.
    may: Vec<bool>,
    seen: Arc<Mutex<Seen>>,
}

impl<C> Observed<C> {
    pub(crate) fn new(inner: C, may: &[bool]) -> Self {
        Self {
            inner,
            may: may.to_vec(),
            seen: Arc::default(),
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Channel> Channel for Observed<C> {
    fn call(&self, mut call: Call) -> CallFuture {
        let may = self.may.clone();
        let allow = move |index: usize, payload: Payload| match may.get(index) {
            Some(false) => uncompressed(&payload),
            _ => Ok(payload),
        };
        call.body = match call.body {
            Body::One(payload) => match allow(0, payload) {
                Ok(payload) => Body::One(payload),
                Err(status) => return rpc_core::ready(Err(status)),
            },
            Body::Many(items) => {
                let items = items.enumerate();
                let items = items.map(move |(index, item)| allow(index, item?));
                Body::Many(Box::pin(items))
            }
        };
        let work = self.inner.call(call);
        let seen = Arc::clone(&self.seen);
        Box::pin(async move {
            let mut reply = work.await?;
            let metadata = reply.metadata.clone();
            seen.lock().unwrap_or_else(PoisonError::into_inner).metadata = metadata;
            let note = move |payload: &Payload| {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.compressed.push(came_compressed(payload));
                drop(seen);
            };
            reply.body = match reply.body {
                Body::One(payload) => {
                    note(&payload);
                    Body::One(payload)
                }
                Body::Many(items) => {
                    let items = items.inspect(move |item: &Result<Payload, Status>| {
                        if let Ok(payload) = item {
                            note(payload);
                        }
                    });
                    Body::Many(Box::pin(items))
                }
            };
            Ok(reply)
        })
    }
}
