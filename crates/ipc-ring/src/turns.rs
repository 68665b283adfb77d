//! Whose turn it is at an end: for the one thread that uses it, almost for nothing.
//!
//! The first thread that takes a turn owns the lock, and takes it by a plain store. Another thread
//! that comes revokes that: it says so, and asks the kernel for a barrier on every processor that
//! runs a thread of this process (membarrier(2)). After it either the owner has seen that it
//! owns the lock no more, or the other sees that it is inside, and waits until it has left. From
//! then on all threads take an ordinary lock.
//!
//! Who lends something out of its turn says so, and does not get in again before that is back: a
//! wait for itself would never end, and its own plain store would let it in.

pub(crate) use crate::cell::Cell;

use crate::ground::{
    AtomicBool, AtomicUsize, Condvar, Held, Mutex, Turn, barrier_on_own_threads, compiler_fence,
    expect_own_barriers, this_thread,
};
use ipc_core::{Error, ErrorKind, Result, Until};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// No thread has come yet.
const NOBODY: usize = 0;
/// More than one has.
const EVERYBODY: usize = 1;

/// The lock of an end.
#[derive(Debug)]
pub(crate) struct Turns {
    /// The thread that owns it, by the address of something of its own.
    owner: AtomicUsize,
    /// The owner again, while it may come in: nobody is known to have revoked it. While it lends
    /// something out of its turn, all its bits are turned round. Only the owner writes it.
    open: AtomicUsize,
    /// The owner is inside.
    inside: AtomicBool,
    /// Who else has lent something out of its turn.
    lender: AtomicUsize,
    shared: Turn,
    /// Whether the owner has left for good.
    left: Mutex<bool>,
    leaving: Condvar,
}

/// The turn is held until this is dropped.
#[derive(Debug)]
pub(crate) enum Holding<'a> {
    Owner(#[allow(dead_code, reason = "held for its drop")] Inside<'a>),
    Other(#[allow(dead_code, reason = "held for its drop")] Held<'a>),
}

/// The owner is inside until this is dropped.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Turns);

/// The turn is held until this is dropped, and meanwhile its holder does not get in again.
#[derive(Debug)]
pub(crate) struct Lending<'a> {
    turns: &'a Turns,
    holding: Holding<'a>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        let owner = match expect_own_barriers() {
            true => NOBODY,
            false => EVERYBODY,
        };
        Self {
            owner: AtomicUsize::new(owner),
            open: AtomicUsize::new(NOBODY),
            inside: AtomicBool::new(false),
            lender: AtomicUsize::new(NOBODY),
            shared: Turn::default(),
            left: Mutex::new(owner == EVERYBODY),
            leaving: Condvar::new(),
        }
    }

    /// Takes the turn for a verb.
    #[inline]
    pub(crate) fn turn(&self, operation: &'static str, until: Until) -> Result<Holding<'_>> {
        match self.take(until) {
            Some(turn) => Ok(turn),
            None => Err(self.turned_away(operation, until)),
        }
    }

    #[cold]
    fn turned_away(&self, operation: &'static str, until: Until) -> Error {
        match self.is_lent_here() {
            true => Error::new(operation, ErrorKind::Deadlock)
                .hint("this thread has a loan of this end, which is to be given back first"),
            false => until.over(operation),
        }
    }

    /// Takes the turn, or `None` when `until` is over, and where this thread lends out of it.
    #[inline]
    pub(crate) fn take(&self, until: Until) -> Option<Holding<'_>> {
        match self.enter() {
            Some(inside) => Some(Holding::Owner(inside)),
            None => self.take_slowly(this_thread(), until),
        }
    }

    /// Takes the turn, where this thread owns the lock.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let me = this_thread();
        if self.open.load(Relaxed) != me {
            return None;
        }
        self.inside.store(true, Relaxed);
        // The kernel's barrier stands between the two where somebody revokes.
        compiler_fence(SeqCst);
        if self.owner.load(Acquire) == me {
            return Some(Inside(self));
        }
        self.open.store(NOBODY, Relaxed);
        self.leave();
        None
    }

    /// Something is lent out of the turn that `holding` is.
    #[inline]
    pub(crate) fn lend<'a>(&'a self, holding: Holding<'a>) -> Lending<'a> {
        match holding {
            Holding::Owner(_) => self.open.store(!this_thread(), Relaxed),
            Holding::Other(_) => self.lender.store(this_thread(), Relaxed),
        }
        Lending {
            turns: self,
            holding,
        }
    }

    /// Whether this thread has lent something out of its turn.
    fn is_lent_here(&self) -> bool {
        let me = this_thread();
        self.open.load(Relaxed) == !me || self.lender.load(Relaxed) == me
    }

    #[cold]
    fn take_slowly(&self, me: usize, until: Until) -> Option<Holding<'_>> {
        let first = self.owner.compare_exchange(NOBODY, me, Acquire, Relaxed);
        if first.is_ok() {
            self.open.store(me, Relaxed);
            return self.take(until);
        }
        if self.is_lent_here() {
            return None;
        }
        let held = self.shared.take(until)?;
        if self.owner.load(Relaxed) != EVERYBODY {
            self.owner.store(EVERYBODY, SeqCst);
            barrier_on_own_threads();
        }
        self.until_the_owner_left(until)
            .then_some(Holding::Other(held))
    }

    fn until_the_owner_left(&self, until: Until) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while !*left {
            if !self.inside.load(Acquire) {
                *left = true;
                break;
            }
            left = match until.remaining() {
                Some(rest) if rest.is_zero() => return false,
                Some(rest) => {
                    let waited = self.leaving.wait_timeout(left, rest);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.leaving.wait(left);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        true
    }

    /// The owner leaves.
    #[inline]
    fn leave(&self) {
        self.inside.store(false, Release);
        compiler_fence(SeqCst);
        if self.owner.load(Relaxed) == EVERYBODY {
            self.say_that_the_owner_left();
        }
    }

    #[cold]
    fn say_that_the_owner_left(&self) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.leaving.notify_all();
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for Lending<'_> {
    #[inline]
    fn drop(&mut self) {
        // The turn itself ends behind this.
        match self.holding {
            Holding::Owner(_) => self.turns.open.store(this_thread(), Relaxed),
            Holding::Other(_) => self.turns.lender.store(NOBODY, Relaxed),
        }
    }
}

#[cfg(all(test, not(ipc_model)))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn no_two_threads_have_the_turn_at_a_time() {
        let (turns, count) = (Turns::new(), Cell::new(0));
        let count_up = |many| {
            for _ in 0..many {
                let _held = turns.take(Until::Forever).expect("it waits");
                count.set(count.get() + 1);
            }
        };
        std::thread::scope(|scope| {
            // One alone at first, so that there is something to revoke.
            scope.spawn(|| count_up(200_000));
            scope.spawn(|| count_up(100_000));
            scope.spawn(|| count_up(100_000));
        });
        assert_eq!(count.get(), 400_000);
    }

    #[test]
    fn who_lends_does_not_get_in_again_and_others_wait() {
        let turns = Turns::new();
        for owns in [true, false] {
            let lent = turns.lend(turns.take(Until::Now).expect("free"));
            assert!(turns.enter().is_none());
            assert!(turns.take(Until::Forever).is_none(), "owns: {owns}");
            assert!(turns.is_lent_here());
            let refused = || turns.take(Until::Now).is_none() && !turns.is_lent_here();
            assert!(!owns || turns.owner.load(Relaxed) == this_thread());
            drop(lent);
            assert!(!turns.is_lent_here());
            drop(turns.take(Until::Now).expect("it is back"));
            assert_eq!(turns.enter().is_some(), owns);
            let lent = turns.lend(turns.take(Until::Now).expect("free"));
            // It also revokes the owner, who finds so when what it lends is back.
            let other = std::thread::scope(|scope| scope.spawn(refused).join());
            assert!(other.expect("no panic"));
            assert!(turns.take(Until::Forever).is_none());
            drop(lent);
            assert!(turns.enter().is_none());
            assert!(turns.take(Until::Forever).is_some());
        }
    }

    #[test]
    fn who_comes_while_the_owner_is_inside_waits_as_it_says() {
        let turns = Turns::new();
        let held = turns.take(Until::Now).expect("free");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(turns.take(Until::Now).is_none());
                assert!(turns.take(Until::after(Duration::from_millis(5))).is_none());
            });
        });
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(turns.take(Until::Forever).is_some()));
            drop(held);
        });
        assert!(
            turns.take(Until::Now).is_some(),
            "the owner is one of all now"
        );
    }
}
