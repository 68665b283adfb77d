//! The longest time that calls may take, whatever their callers say.

use super::PerMethod;
use crate::call::{Call, CallFuture, Channel};
use crate::descriptor::MethodDescriptor;
use std::time::{Duration, Instant};
use tower_layer::Layer;

/// A layer that shortens deadlines: a server's own maximum, or a client's.
///
/// That a deadline *ends* a call needs no layer: stubs and skeletons see to it, on every item of
/// a stream too.
///
/// ```
/// use rpc_core::layers::Deadlines;
/// let layer = Deadlines::new().at_most("*", std::time::Duration::from_secs(10));
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    limits: PerMethod<Duration>,
}

impl Deadlines {
    /// No maximum.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At most `limit` for `what`: `service/Method`, `service` or `*`.
    #[must_use]
    pub fn at_most(mut self, what: &str, limit: Duration) -> Self {
        self.limits.set(what, limit);
        self
    }
}

impl<C> Layer<C> for Deadlines {
    type Service = Bounded<C>;
    fn layer(&self, inner: C) -> Bounded<C> {
        Bounded {
            inner,
            limits: self.limits.clone(),
        }
    }
}

/// A channel whose calls have a maximum; see [`Deadlines`].
#[derive(Clone, Debug)]
pub struct Bounded<C> {
    inner: C,
    limits: PerMethod<Duration>,
}

impl<C: Channel> Channel for Bounded<C> {
    #[inline]
    fn call(&self, call: Call) -> CallFuture {
        match self.limits.of(call.method) {
            None => self.inner.call(call),
            Some(limit) => self.shortened(*limit, call),
        }
    }

    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        (self.limits.of(method).is_none()).then_some(&self.inner as &dyn Channel)
    }
}

impl<C: Channel> Bounded<C> {
    fn shortened(&self, limit: Duration, mut call: Call) -> CallFuture {
        if let Some(deadline) = Instant::now().checked_add(limit) {
            call.context.set_deadline(deadline);
        }
        self.inner.call(call)
    }
}
