//! One channel over several servers: which of them takes a call, and which are left out.

use rpc_core::{Call, CallFuture, Channel, Code, Status, ready};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Which server takes the next call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pick {
    /// The first that is not left out.
    #[default]
    First,
    /// Each in its turn.
    RoundRobin,
    /// Of two chosen at random, the one that has less to do.
    TwoChoices,
}

/// A channel over several servers.
///
/// A server whose calls fail with `UNAVAILABLE` several times in a row is left out for a while
/// that doubles, then tried again; one that says of itself that it is not well is left out until
/// it is ([`Backend::set_healthy`]). When all are left out, all are tried: a guess is better than
/// none. Whether a failed call is made again is for the [`Retry`](rpc_core::layers::Retry) layer
/// around this channel to say; the next attempt takes another server.
#[derive(Debug)]
pub struct Balanced<C> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    pick: Pick,
    backends: Vec<(C, Backend)>,
    next: AtomicUsize,
}

/// What servers are left out until is counted from here, wherever they are chosen.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

fn now() -> u64 {
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// One of the servers of a [`Balanced`] channel: clones are handles of the same.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    sick: AtomicBool,
    running: AtomicUsize,
    failures: AtomicU32,
    ejections: AtomicU32,
    /// Milliseconds after [`BEGAN`] until which it is left out.
    out_until: AtomicU64,
}

impl Backend {
    /// After so many failures in a row a server is left out.
    pub const FAILURES: u32 = 3;
    /// How long it is left out the first time.
    pub const FIRST_EJECTION: Duration = Duration::from_millis(100);
    /// How long at most.
    pub const MAX_EJECTION: Duration = Duration::from_secs(30);

    /// Says whether the server is well, as its health service tells.
    pub fn set_healthy(&self, healthy: bool) {
        self.state.sick.store(!healthy, Ordering::Release);
    }

    /// Whether it is well, by what was last said.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.state.sick.load(Ordering::Acquire)
    }

    /// How many calls it has under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.state.running.load(Ordering::Acquire)
    }

    fn is_in(&self, now: u64) -> bool {
        let state = &*self.state;
        self.is_healthy() && state.out_until.load(Ordering::Acquire) <= now
    }

    fn ended(&self, failed: bool, now: u64) {
        let state = &*self.state;
        if !failed {
            state.failures.store(0, Ordering::Release);
            state.ejections.store(0, Ordering::Release);
            return;
        }
        if state.failures.fetch_add(1, Ordering::AcqRel) + 1 < Self::FAILURES {
            return;
        }
        // Calls that began before it was left out say nothing new.
        if state.out_until.load(Ordering::Acquire) > now {
            return;
        }
        let times = state.ejections.fetch_add(1, Ordering::AcqRel).min(16);
        let wait = Self::FIRST_EJECTION
            .saturating_mul(1 << times)
            .min(Self::MAX_EJECTION);
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        state
            .out_until
            .store(now.saturating_add(wait), Ordering::Release);
    }
}

impl<C: Channel> Balanced<C> {
    /// Over these servers, in order of preference where that matters.
    pub fn new(pick: Pick, channels: impl IntoIterator<Item = C>) -> Self {
        let new = |channel| (channel, Backend::default());
        Self::made(pick, channels.into_iter().map(new).collect(), 0)
    }

    /// Over these servers, of some of which it is known already how they are: where the servers
    /// change, what was known of those that stay is kept, and none of them is the first again.
    pub fn over(pick: Pick, backends: impl IntoIterator<Item = (C, Backend)>) -> Self {
        let turn = usize::try_from(RandomState::new().hash_one(0_u8) >> 1).unwrap_or(0);
        Self::made(pick, backends.into_iter().collect(), turn)
    }

    fn made(pick: Pick, backends: Vec<(C, Backend)>, turn: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                pick,
                backends,
                next: AtomicUsize::new(turn),
            }),
        }
    }

    /// The servers, in the order in which they were given.
    pub fn backends(&self) -> impl Iterator<Item = (&C, &Backend)> {
        self.shared
            .backends
            .iter()
            .map(|(channel, backend)| (channel, backend))
    }
}

impl<C> Shared<C> {
    fn choose(&self) -> Option<&(C, Backend)> {
        let now = now();
        let all = &self.backends;
        let good = all.iter().filter(|(_, backend)| backend.is_in(now)).count();
        let count = if good == 0 { all.len() } else { good };
        let usable = |backend: &Backend| good == 0 || backend.is_in(now);
        // What has become usable, or not, since it was counted shifts a choice and no more.
        let nth = |n: usize| {
            let mut usable = all.iter().filter(|(_, backend)| usable(backend));
            usable.nth(n).or_else(|| all.first())
        };
        match self.pick {
            Pick::First => nth(0),
            Pick::RoundRobin => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                nth(turn.checked_rem(count)?)
            }
            Pick::TwoChoices => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                let random = RandomState::new().hash_one(turn);
                let of = |random: u64| usize::try_from(random >> 1).unwrap_or(0);
                let first = of(random).checked_rem(count)?;
                // Another one, where there is another.
                let further = of(random.rotate_left(32)).checked_rem(count - 1);
                let second = (first + 1 + further.unwrap_or(count - 1)) % count;
                let (one, two) = (nth(first)?, nth(second)?);
                let less = two.1.running() < one.1.running();
                Some(if less { two } else { one })
            }
        }
    }
}

/// A call counts as under way until it is dropped.
struct Running {
    backend: Backend,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.backend.state.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<C: Channel> Channel for Balanced<C> {
    fn call(&self, call: Call) -> CallFuture {
        let Some((channel, backend)) = self.shared.choose() else {
            let nobody = Status::new(Code::Unavailable, "there is no server to choose from");
            return ready(Err(nobody.before_running()));
        };
        backend.state.running.fetch_add(1, Ordering::AcqRel);
        let running = Running {
            backend: backend.clone(),
        };
        let work = channel.call(call);
        Box::pin(async move {
            let outcome = work.await;
            let failed = matches!(&outcome, Err(status) if status.code() == Code::Unavailable);
            running.backend.ended(failed, now());
            outcome
        })
    }
}

impl<C> Clone for Balanced<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<C> fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("pick", &self.pick)
            .field("backends", &self.backends.len())
            .finish_non_exhaustive()
    }
}
