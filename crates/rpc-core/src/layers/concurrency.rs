//! How many calls run at once; what is beyond is shed at once, before it is decoded.

use super::PerMethod;
use crate::call::{Body, Call, CallFuture, Channel, PayloadStream, ready};
use crate::descriptor::MethodDescriptor;
use crate::wire::Payload;
use crate::{Code, Status};
use futures_core::Stream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Poll};
use tower_layer::Layer;

/// A layer that sheds load: beyond its limit a call is refused with `RESOURCE_EXHAUSTED`, and did
/// not run. Queues belong to the caller, who knows how long an answer is of use.
///
/// ```
/// use rpc_core::layers::Concurrency;
/// let layer = Concurrency::new().at_most("*", 256).at_most("shop.v1.Stock/Fill", 4);
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Concurrency {
    limits: PerMethod<Arc<Gate>>,
}

#[derive(Debug)]
struct Gate {
    limit: usize,
    running: AtomicUsize,
}

impl Concurrency {
    /// No limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At most `limit` calls of `what` at once: `service/Method`, `service` or `*`. A stream of
    /// answers runs until its end.
    #[must_use]
    pub fn at_most(mut self, what: &str, limit: usize) -> Self {
        let running = AtomicUsize::new(0);
        self.limits.set(what, Arc::new(Gate { limit, running }));
        self
    }
}

impl<C> Layer<C> for Concurrency {
    type Service = Limited<C>;
    fn layer(&self, inner: C) -> Limited<C> {
        Limited {
            inner,
            limits: self.limits.clone(),
        }
    }
}

/// A channel that sheds load; see [`Concurrency`].
#[derive(Clone, Debug)]
pub struct Limited<C> {
    inner: C,
    limits: PerMethod<Arc<Gate>>,
}

impl<C: Channel> Channel for Limited<C> {
    #[inline]
    fn call(&self, call: Call) -> CallFuture {
        match self.limits.of(call.method) {
            None => self.inner.call(call),
            Some(gate) => self.through(gate, call),
        }
    }

    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        (self.limits.of(method).is_none()).then_some(&self.inner as &dyn Channel)
    }
}

impl<C: Channel> Limited<C> {
    fn through(&self, gate: &Arc<Gate>, call: Call) -> CallFuture {
        let Some(pass) = Pass::take(gate) else {
            let refused = Status::new(Code::ResourceExhausted, "too many calls run already");
            return ready(Err(refused.before_running()));
        };
        let work = self.inner.call(call);
        Box::pin(async move {
            let mut reply = work.await?;
            reply.body = match reply.body {
                Body::Many(inner) => Body::Many(Box::pin(Held { inner, _pass: pass })),
                one => one,
            };
            Ok(reply)
        })
    }
}

/// The right of one call to run.
struct Pass(Arc<Gate>);

impl Pass {
    fn take(gate: &Arc<Gate>) -> Option<Self> {
        let below = |running| (running < gate.limit).then_some(running + 1);
        let order = Ordering::AcqRel;
        gate.running
            .fetch_update(order, Ordering::Acquire, below)
            .ok()?;
        Some(Self(Arc::clone(gate)))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Held {
    inner: PayloadStream,
    _pass: Pass,
}

impl Stream for Held {
    type Item = Result<Payload, Status>;
    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        self.inner.as_mut().poll_next(task)
    }
}
