//! Counters by method: what an introspection service tells.

use crate::Status;
use crate::call::{Call, CallFuture, Channel, Reply};
use crate::descriptor::MethodDescriptor;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tower_layer::Layer;

/// A layer that counts calls by method. Clones share the counters, so that one can be kept to
/// read them.
///
/// ```
/// use rpc_core::layers::Statistics;
/// let statistics = Statistics::new();
/// assert!(statistics.methods().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    table: Arc<Mutex<Table>>,
}

/// By service and method.
type Table = BTreeMap<(&'static str, &'static str), Arc<Counters>>;

#[derive(Debug, Default)]
struct Counters {
    started: AtomicU64,
    /// By code; what is missing from `started` is under way, or was given up by its caller.
    ended: [AtomicU64; 17],
    abandoned: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What was counted of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodStatistics {
    /// Its service.
    pub service: &'static str,
    /// Its name.
    pub method: &'static str,
    /// Calls that began.
    pub started: u64,
    /// Calls that answered.
    pub succeeded: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that their callers gave up.
    pub abandoned: u64,
    /// Failures and answers by the number of their code.
    pub by_code: [u64; 17],
    /// How long they took together, in nanoseconds; of a stream until it began.
    pub nanoseconds: u64,
}

impl Statistics {
    /// Nothing counted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted, by method. Only methods of contracts are counted, so there are no more
    /// than those.
    #[must_use]
    pub fn methods(&self) -> Vec<MethodStatistics> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let table = self.table();
        let one =
            |(&(service, method), counters): (&(&'static str, &'static str), &Arc<Counters>)| {
                let by_code = std::array::from_fn(|code| read(&counters.ended[code]));
                MethodStatistics {
                    service,
                    method,
                    started: read(&counters.started),
                    succeeded: by_code[0],
                    failed: by_code[1..].iter().sum(),
                    abandoned: read(&counters.abandoned),
                    by_code,
                    nanoseconds: read(&counters.nanoseconds),
                }
            };
        table.iter().map(one).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, method: &'static MethodDescriptor) -> Arc<Counters> {
        let key = (method.service, method.name);
        Arc::clone(self.table().entry(key).or_default())
    }
}

impl<C> Layer<C> for Statistics {
    type Service = Counted<C>;
    fn layer(&self, inner: C) -> Counted<C> {
        Counted {
            inner,
            statistics: self.clone(),
        }
    }
}

/// A channel that counts; see [`Statistics`].
#[derive(Clone, Debug)]
pub struct Counted<C> {
    inner: C,
    statistics: Statistics,
}

impl<C: Channel> Channel for Counted<C> {
    fn call(&self, call: Call) -> CallFuture {
        let counting = Counting {
            counters: self.statistics.of(call.method),
            began: Instant::now(),
            over: false,
        };
        counting.counters.started.fetch_add(1, Ordering::Relaxed);
        let work = self.inner.call(call);
        Box::pin(async move {
            let outcome = work.await;
            counting.end(&outcome);
            outcome
        })
    }
}

struct Counting {
    counters: Arc<Counters>,
    began: Instant,
    over: bool,
}

impl Counting {
    fn end(mut self, outcome: &Result<Reply, Status>) {
        self.over = true;
        let code = outcome
            .as_ref()
            .err()
            .map_or(0, |status| status.code() as usize);
        self.counters.ended[code].fetch_add(1, Ordering::Relaxed);
        let taken = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counters
            .nanoseconds
            .fetch_add(taken, Ordering::Relaxed);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if !self.over {
            self.counters.abandoned.fetch_add(1, Ordering::Relaxed);
        }
    }
}
