//! How many calls begin in a second, by a bucket of tokens.

use super::PerMethod;
use crate::call::{Call, CallFuture, Channel, ready};
use crate::descriptor::MethodDescriptor;
use crate::{Code, Status};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tower_layer::Layer;

/// A layer that refuses calls beyond a rate with `RESOURCE_EXHAUSTED`, and says when to come
/// again.
///
/// ```
/// use rpc_core::layers::Rate;
/// let layer = Rate::new().at_most("shop.v1.Stock/Put", 100.0, 20);
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rate {
    limits: PerMethod<Arc<Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    level: Mutex<(f64, Instant)>,
}

impl Rate {
    /// No limit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At most `per_second` calls of `what`, with `burst` more at once after a pause.
    #[must_use]
    pub fn at_most(mut self, what: &str, per_second: f64, burst: u32) -> Self {
        let (per_second, burst) = (per_second.max(0.001), f64::from(burst.max(1)));
        let bucket = Bucket {
            per_second,
            burst,
            level: Mutex::new((burst, Instant::now())),
        };
        self.limits.set(what, Arc::new(bucket));
        self
    }
}

impl Bucket {
    /// Takes a token, or says how long until there is one.
    fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut guard = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, at) = *guard;
        let came = now.saturating_duration_since(at).as_secs_f64() * self.per_second;
        let level = (level + came).min(self.burst);
        if level >= 1.0 {
            *guard = (level - 1.0, now);
            return Ok(());
        }
        *guard = (level, now);
        let wait = (1.0 - level) / self.per_second;
        Err(Duration::from_secs_f64(wait.min(3600.0)))
    }
}

impl<C> Layer<C> for Rate {
    type Service = RateLimited<C>;
    fn layer(&self, inner: C) -> RateLimited<C> {
        RateLimited {
            inner,
            limits: self.limits.clone(),
        }
    }
}

/// A channel with a rate; see [`Rate`].
#[derive(Clone, Debug)]
pub struct RateLimited<C> {
    inner: C,
    limits: PerMethod<Arc<Bucket>>,
}

impl<C: Channel> Channel for RateLimited<C> {
    #[inline]
    fn call(&self, call: Call) -> CallFuture {
        match self.limits.of(call.method) {
            None => self.inner.call(call),
            Some(bucket) => self.within(bucket, call),
        }
    }

    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        (self.limits.of(method).is_none()).then_some(&self.inner as &dyn Channel)
    }
}

impl<C: Channel> RateLimited<C> {
    fn within(&self, bucket: &Bucket, call: Call) -> CallFuture {
        match bucket.take(Instant::now()) {
            Ok(()) => self.inner.call(call),
            Err(wait) => {
                let millis = u32::try_from(wait.as_millis() + 1).unwrap_or(u32::MAX - 1);
                let refused = Status::new(Code::ResourceExhausted, "too many calls in a second");
                ready(Err(refused.retry_after_millis(millis).before_running()))
            }
        }
    }
}
