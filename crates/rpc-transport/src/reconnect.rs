//! A channel that connects when it is first needed, and again when its connection is lost.

use rpc_core::{Call, CallFuture, Channel, Code, Status};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A channel that knows whether calls can still be made over it.
pub trait Connected: Channel + Clone {
    /// Whether they can.
    fn is_usable(&self) -> bool;
}

/// A channel over connections that come and go. Clones share it.
///
/// A call over a connection that is lost meanwhile fails: whether it may be made again is for the
/// [`Retry`](rpc_core::layers::Retry) layer around this channel to say. While a server cannot be
/// reached, calls fail at once, say when it will be tried again, and did not run; that time
/// doubles with each failure, with a random part.
///
/// ```no_run
/// # use rpc_transport::{Connected, Reconnecting};
/// # fn f<C: Connected>(connect: fn() -> std::future::Ready<Result<C, rpc_core::Status>>) {
/// let channel = Reconnecting::new(connect); // || rpc_native::connect("unix:/run/shop.sock")
/// # let _ = channel; }
/// ```
pub struct Reconnecting<C> {
    inner: Arc<Inner<C>>,
}

type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, Status>> + Send>>;

struct Inner<C> {
    connect: Box<dyn Fn() -> Connecting<C> + Send + Sync>,
    first_backoff: Duration,
    max_backoff: Duration,
    state: Mutex<State<C>>,
}

struct State<C> {
    connection: Option<C>,
    failures: u32,
    /// Until then it is not tried again.
    not_before: Option<Instant>,
}

impl<C: Connected> Reconnecting<C> {
    /// Connects by `connect`, with waits between 10 ms and 10 s.
    pub fn new<F, Fut>(connect: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<C, Status>> + Send + 'static,
    {
        Self::with_backoff(connect, Duration::from_millis(10), Duration::from_secs(10))
    }

    /// Connects by `connect`; after a failure it waits for `first`, then longer, up to `max`.
    pub fn with_backoff<F, Fut>(connect: F, first: Duration, max: Duration) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<C, Status>> + Send + 'static,
    {
        Self {
            inner: Arc::new(Inner {
                connect: Box::new(move || Box::pin(connect())),
                first_backoff: first,
                max_backoff: max,
                state: Mutex::new(State {
                    connection: None,
                    failures: 0,
                    not_before: None,
                }),
            }),
        }
    }

    /// The connection that there is, or a new one.
    ///
    /// # Errors
    /// [`Code::Unavailable`], and when it will be tried again.
    pub async fn connection(&self) -> Result<C, Status> {
        let mut state = self.inner.state.lock().await;
        if let Some(connection) = state.connection.as_ref().filter(|open| open.is_usable()) {
            return Ok(connection.clone());
        }
        state.connection = None;
        let now = Instant::now();
        if let Some(at) = state.not_before.filter(|at| now < *at) {
            let millis = (at - now).as_millis().saturating_add(1);
            let status = Status::new(Code::Unavailable, "the server could not be reached");
            let millis = u32::try_from(millis).unwrap_or(u32::MAX - 1);
            return Err(status.retry_after_millis(millis).before_running());
        }
        match (self.inner.connect)().await {
            Ok(connection) => {
                (state.failures, state.not_before) = (0, None);
                state.connection = Some(connection.clone());
                Ok(connection)
            }
            Err(status) => {
                let doubled = 1 << state.failures.min(16);
                let limit = self.inner.first_backoff.saturating_mul(doubled);
                let wait = jittered(limit.min(self.inner.max_backoff));
                state.failures += 1;
                state.not_before = Instant::now().checked_add(wait);
                Err(status.before_running())
            }
        }
    }
}

/// Between half of `limit` and all of it.
fn jittered(limit: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(0u8) >> 33).unwrap_or(0);
    limit / 2 + limit.mul_f64(f64::from(random) / f64::from(1u32 << 31) / 2.0)
}

impl<C: Connected> Channel for Reconnecting<C> {
    fn call(&self, call: Call) -> CallFuture {
        let this = self.clone();
        Box::pin(async move { this.connection().await?.call(call).await })
    }
}

impl<C> Clone for Reconnecting<C> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<C> fmt::Debug for Reconnecting<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reconnecting(..)")
    }
}
