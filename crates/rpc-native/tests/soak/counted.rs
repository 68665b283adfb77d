//! A server's handlers, counted: how many run now, and how many ran at once; and the streams that
//! all experiments go over.

use rpc_core::{Call, CallFuture, Channel, Router};
use rpc_testkit::shm;
use rpc_transport::Wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tower_layer::Layer;

/// Makes the two ends of a stream.
pub(crate) type Pair = fn() -> ipc_core::Result<(Wire, Wire)>;

/// The kinds of streams, by name.
pub(crate) const STREAMS: [(&str, Pair); 3] = [
    ("unix", Wire::pair),
    ("pipes", Wire::pipe_pair),
    ("shm", || shm::pair(&ipc_ring::Options::new())),
];

/// What takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Counts the calls that run in what it is laid around.
#[derive(Clone, Default)]
pub(crate) struct Counter {
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) most: Arc<AtomicUsize>,
}

impl Counter {
    /// Waits until so many run.
    pub(crate) async fn until(&self, many: usize) -> Result<(), String> {
        let start = Instant::now();
        while self.running.load(Ordering::SeqCst) != many {
            if start.elapsed() > PATIENCE {
                let running = self.running.load(Ordering::SeqCst);
                return Err(format!("{running} handlers instead of {many}"));
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

pub(crate) struct Counted {
    inner: Router,
    counter: Counter,
}

impl Layer<Router> for Counter {
    type Service = Counted;
    fn layer(&self, inner: Router) -> Counted {
        let counter = self.clone();
        Counted { inner, counter }
    }
}

struct Leave(Counter);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Channel for Counted {
    fn call(&self, call: Call) -> CallFuture {
        let running = self.counter.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.counter.most.fetch_max(running, Ordering::SeqCst);
        let (leave, work) = (Leave(self.counter.clone()), self.inner.call(call));
        Box::pin(async move {
            let _leave = leave;
            work.await
        })
    }
}

/// A runtime of one thread, or of several.
pub(crate) fn runtime(threads: usize) -> tokio::runtime::Runtime {
    let runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        _ => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
    };
    runtime.expect("a runtime")
}
