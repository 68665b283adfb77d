//! One blocking wait for any mix of endpoints and timers.

mod errands;
mod finding;
mod member;
mod slots;
mod table;
mod timers;

use self::member::{Manner, Role, Source};
use self::table::Table;
use crate::sys::Epoll;
use ipc_core::{Error, ErrorKind, Interest, Pollable, Rest, Result, four_forms};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How many keys [`WaitSet::wait_many`] gives at once, at most.
pub const MAX_TOLD: usize = 64;

/// Waits for any of many endpoints, of any mechanisms, and for timers: no runtime, no helper
/// thread, one descriptor that the kernel watches them with.
///
/// A key of the caller's choice says who is ready. Ready means that the endpoint's next verb in
/// that direction does not wait: there is a message, room, the end or an error. It is told again
/// for as long as that is so, each in turn; [`add_once`](WaitSet::add_once) tells once, for
/// those who hand the endpoint to another thread. Now and then it is told for nothing (another
/// took the message; a part of one came): use the try forms where that would matter.
///
/// What is in the set may be added and removed by any thread while others wait. An endpoint that
/// is in a set is waited for there alone: a thread that blocks in its own verb meanwhile takes
/// its wakes.
///
/// ```
/// use ipc_async::WaitSet;
/// use std::time::Duration;
///
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Ready { Words, Caller, Tick }
///
/// let (tx, rx) = ipc_pipe::pair()?;
/// let (left, right) = ipc_uds::pair()?;
/// let set = WaitSet::new();
/// set.add(&rx, Ready::Words)?;
/// set.add(&left, Ready::Caller)?;
/// set.every(Duration::from_millis(5), Ready::Tick)?;
///
/// assert_eq!(set.wait()?, Ready::Tick);
/// tx.send(b"hello")?;
/// while set.wait()? != Ready::Words {}
/// let mut bytes = [0; 16];
/// assert_eq!(rx.try_recv(&mut bytes)?, 5);
/// drop(right);
/// while set.wait()? != Ready::Caller {}
/// # Ok::<(), ipc_async::Error>(())
/// ```
///
/// An endpoint that is lent to a set cannot be dropped before it:
///
/// ```compile_fail,E0505
/// let (tx, rx) = ipc_pipe::pair()?;
/// let set = ipc_async::WaitSet::new();
/// set.add(&rx, 1)?;
/// drop(rx);
/// set.wait()?;
/// # Ok::<(), ipc_async::Error>(())
/// ```
#[derive(Debug)]
pub struct WaitSet<'a, K> {
    epoll: OnceLock<Epoll>,
    table: Mutex<Table<'a, K>>,
    /// What is to be done before a sleep, so that who has nothing to do need not look.
    errands: AtomicUsize,
    /// The disturbances of endpoints that were looked at.
    disturbed: AtomicUsize,
    /// A wait has found something without the kernel, which is to be asked first now.
    kernel_is_next: AtomicBool,
    /// Threads that wait, or are about to.
    waiting: AtomicUsize,
    /// Counts the waits that may find a key by more than one way.
    number: AtomicUsize,
}

/// Something in a set, to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry(slots::Name);

impl<'a, K: Copy> WaitSet<'a, K> {
    /// A set of nothing. It takes two descriptors when something is added.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epoll: OnceLock::new(),
            table: Mutex::new(Table::new()),
            errands: AtomicUsize::new(0),
            disturbed: AtomicUsize::new(Rest::disturbances()),
            kernel_is_next: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            number: AtomicUsize::new(1),
        }
    }

    /// Waits for something to receive, or the end, at `endpoint`: a reference, an
    /// [`Arc`](std::sync::Arc), or the endpoint itself, which then is the set's.
    ///
    /// The same endpoint may be there several times, with the same key or others: each is told.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) where the descriptor is nothing to wait for,
    /// [`LimitReached`](ErrorKind::LimitReached) where the process or the user has no more.
    pub fn add(&self, endpoint: impl Pollable + Send + Sync + 'a, key: K) -> Result<Entry> {
        self.add_for(endpoint, Interest::Read, key)
    }

    /// [`add`](WaitSet::add), for `interest`.
    ///
    /// # Errors
    /// As [`add`](WaitSet::add).
    pub fn add_for(
        &self,
        endpoint: impl Pollable + Send + Sync + 'a,
        interest: Interest,
        key: K,
    ) -> Result<Entry> {
        let source = Source::Kept(Arc::new(endpoint));
        self.enter(source, interest, Manner::Always, key)
    }

    /// [`add_for`](WaitSet::add_for) an endpoint that is told once, and then is quiet until
    /// [`again`](WaitSet::again), whatever comes: while one thread serves it, others wait for the
    /// rest and are not woken for it.
    ///
    /// # Errors
    /// As [`add`](WaitSet::add).
    pub fn add_once(
        &self,
        endpoint: impl Pollable + Send + Sync + 'a,
        interest: Interest,
        key: K,
    ) -> Result<Entry> {
        let source = Source::Kept(Arc::new(endpoint));
        self.enter(source, interest, Manner::Once, key)
    }

    /// [`add_for`](WaitSet::add_for) an endpoint that others may drop meanwhile: the set does not
    /// keep it. When the last of them drops it, it is closed as without the set, and is not told
    /// any more; a wait goes on for the rest. A thread that waits has it for the moment in which
    /// it looks, and may be the one that drops it.
    ///
    /// # Errors
    /// As [`add`](WaitSet::add).
    pub fn add_weak<T: Pollable + Send + Sync + 'a>(
        &self,
        endpoint: &Arc<T>,
        interest: Interest,
        key: K,
    ) -> Result<Entry> {
        let weak = Arc::downgrade(endpoint);
        self.enter(Source::Known(weak), interest, Manner::Always, key)
    }

    /// Tells `key` once, at `at`.
    ///
    /// # Errors
    /// [`LimitReached`](ErrorKind::LimitReached) as [`add`](WaitSet::add).
    pub fn at(&self, at: Instant, key: K) -> Result<Entry> {
        self.timer(at, None, key)
    }

    /// Tells `key` once, after `delay`; [`Duration::MAX`] is never.
    ///
    /// # Errors
    /// [`LimitReached`](ErrorKind::LimitReached) as [`add`](WaitSet::add).
    pub fn after(&self, delay: Duration, key: K) -> Result<Entry> {
        self.timer(instant_after(delay), None, key)
    }

    /// Tells `key` each `period`, first after one. The rhythm is that of the beginning, however
    /// late a wait is; ticks that were missed are told as one.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a period of zero; else as
    /// [`after`](WaitSet::after).
    pub fn every(&self, period: Duration, key: K) -> Result<Entry> {
        if period.is_zero() {
            return Err(Error::new("add", ErrorKind::InvalidInput)
                .on("wait set")
                .hint("a timer needs a period above zero"));
        }
        self.timer(instant_after(period), Some(period), key)
    }

    /// Has an entry of [`add_once`](WaitSet::add_once) told once more, at once where it is still
    /// ready. False where it is removed, or its endpoint dropped.
    ///
    /// # Errors
    /// [`Other`](ErrorKind::Other) where the kernel refuses.
    pub fn again(&self, entry: Entry) -> Result<bool> {
        let epoll = self.epoll()?;
        let mut table = self.table();
        let must_ask = table.again(epoll, entry.0);
        self.note(&table);
        drop(table);
        let must_ask = must_ask?;
        if must_ask == Some(true) {
            self.wake(epoll);
        }
        Ok(must_ask.is_some())
    }

    /// Removes an entry: it is not told by any wait that begins after this returns. False where
    /// it is not there any more.
    pub fn remove(&self, entry: Entry) -> bool {
        let Some(epoll) = self.epoll.get() else {
            return false;
        };
        let mut table = self.table();
        let removed = table.remove(epoll, entry.0);
        self.note(&table);
        drop(table);
        // An endpoint of the set's own is closed here, where nobody else waits for that.
        removed.is_some()
    }

    four_forms! {
        /// Waits until an endpoint is ready or a timer due, and returns its key. Where nothing is
        /// in the set it waits for what another thread adds.
        ///
        /// # Errors
        /// [`LimitReached`](ErrorKind::LimitReached) where no descriptors are left for an empty
        /// set.
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> K
    }

    four_forms! {
        /// Waits as [`wait`](WaitSet::wait), and replaces `ready` by the keys of all that are ready
        /// or due, [`MAX_TOLD`] at most; returns how many.
        ///
        /// # Errors
        /// As [`wait`](WaitSet::wait).
        wait_many / try_wait_many / wait_many_timeout / wait_many_deadline
            = wait_many_until(ready: &mut Vec<K>) -> usize
    }

    fn enter(
        &self,
        source: Source<'a>,
        interest: Interest,
        manner: Manner,
        key: K,
    ) -> Result<Entry> {
        let epoll = self.epoll()?;
        let mut table = self.table();
        let before = table.errands();
        let role = Role::Tells { payer: None };
        let entered = table.enter(epoll, source, interest, manner, key, role);
        let more = table.errands() > before;
        self.note(&table);
        drop(table);
        if more {
            self.wake(epoll);
        }
        entered.map(Entry)
    }

    fn timer(&self, at: Instant, period: Option<Duration>, key: K) -> Result<Entry> {
        let epoll = self.epoll()?;
        let mut table = self.table();
        let name = table.add_timer(at, period, key);
        self.note(&table);
        drop(table);
        self.wake(epoll);
        Ok(Entry(name))
    }

    /// Has one of those who sleep look at the errands.
    fn wake(&self, epoll: &Epoll) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            epoll.ring();
        }
    }

    /// Says what is to be done to those who come to wait; who adds something then looks for those
    /// who are there.
    fn note(&self, table: &Table<'a, K>) {
        self.note_as_waiter(table);
        fence(Ordering::SeqCst);
    }

    /// The same by one who waits, and looks for the others as it leaves.
    fn note_as_waiter(&self, table: &Table<'a, K>) {
        let errands = table.errands();
        if self.errands.load(Ordering::Relaxed) != errands {
            self.errands.store(errands, Ordering::Release);
        }
        if self.disturbed.load(Ordering::Relaxed) != table.disturbed {
            self.disturbed.store(table.disturbed, Ordering::Relaxed);
        }
    }

    fn epoll(&self) -> Result<&Epoll> {
        if let Some(epoll) = self.epoll.get() {
            return Ok(epoll);
        }
        let made = Epoll::new()?;
        Ok(self.epoll.get_or_init(|| made))
    }

    fn table(&self) -> Locked<'_, 'a, K> {
        let table = self.table.lock();
        Locked(Some(table.unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The table, locked. What was looked at is let go after the lock.
struct Locked<'s, 'a, K: Copy>(Option<MutexGuard<'s, Table<'a, K>>>);

impl<'a, K: Copy> Deref for Locked<'_, 'a, K> {
    type Target = Table<'a, K>;

    #[inline]
    fn deref(&self) -> &Table<'a, K> {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl<K: Copy> DerefMut for Locked<'_, '_, K> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_mut().expect("it is there until it is dropped")
    }
}

impl<K: Copy> Drop for Locked<'_, '_, K> {
    #[inline]
    fn drop(&mut self) {
        let late = std::mem::take(&mut self.late);
        drop(self.0.take());
        drop(late);
    }
}

impl<K: Copy> Default for WaitSet<'_, K> {
    fn default() -> Self {
        Self::new()
    }
}

/// An instant that never comes, where the clock does not reach so far.
fn instant_after(delay: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(delay).unwrap_or_else(|| {
        // Some 30 years, beyond any process's life.
        now + Duration::from_secs(1 << 30)
    })
}
