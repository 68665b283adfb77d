//! A gate that one thread at a time passes, with the four ways to wait for it.

use crate::Until;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

/// Takes turns at something that may block inside, which a `Mutex` cannot offer with a deadline.
/// Uncontended it costs two atomic operations.
///
/// ```
/// use ipc_core::{Turn, Until};
/// let turn = Turn::default();
/// let held = turn.take(Until::Now).expect("nobody has it");
/// assert!(turn.take(Until::Now).is_none());
/// drop(held);
/// assert!(turn.take(Until::Forever).is_some());
/// ```
#[derive(Debug, Default)]
pub struct Turn {
    state: AtomicU32,
    queue: Mutex<()>,
    freed: Condvar,
}

/// The turn is held until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Held<'a>(&'a Turn);

impl Turn {
    /// Takes the turn, or `None` when `until` is over.
    #[inline]
    pub fn take(&self, until: Until) -> Option<Held<'_>> {
        if self.exchange(FREE, HELD) {
            return Some(Held(self));
        }
        self.take_contended(until)
    }

    #[cold]
    fn take_contended(&self, until: Until) -> Option<Held<'_>> {
        if until == Until::Now {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Marked as wanted under the queue's lock: the holder's release takes the same lock
            // before it notifies, so the notification cannot fall between this and the wait.
            if self.state.swap(WANTED, Ordering::Acquire) == FREE {
                return Some(Held(self));
            }
            queue = match until.remaining() {
                None => self
                    .freed
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return None,
                Some(left) => {
                    let woken = self.freed.wait_timeout(queue, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    #[cold]
    fn wake_next(&self) {
        let _queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.freed.notify_one();
    }

    #[inline]
    fn exchange(&self, from: u32, to: u32) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Ordering::Release) == WANTED {
            self.0.wake_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_held_turn_is_refused_at_once_or_in_time() {
        let turn = Turn::default();
        let held = turn.take(Until::Now).expect("free");
        assert!(turn.take(Until::Now).is_none());
        assert!(turn.take(Until::after(Duration::from_millis(1))).is_none());
        drop(held);
        assert!(turn.take(Until::Now).is_some());
    }

    #[test]
    fn no_turn_is_lost_among_many_threads() {
        let turn = Turn::default();
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..5_000 {
                        let until = if round % 3 == 0 {
                            Until::after(Duration::MAX)
                        } else {
                            Until::Forever
                        };
                        let held = turn.take(until).expect("it waits for ever");
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        inside.fetch_sub(1, Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
    }
}
