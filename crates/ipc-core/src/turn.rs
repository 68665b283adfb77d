//! Taking a lock in the four ways to wait.

use crate::Until;
use parking_lot::{Mutex, MutexGuard};

/// What several threads take turns at, one of which may block inside for long: so the others wait
/// as their own forms say. Uncontended it costs two atomic operations.
///
/// ```
/// use ipc_core::{Turn, Until};
/// let turn: Turn = Turn::default();
/// let held = turn.take(Until::Now).expect("nobody has it");
/// assert!(turn.take(Until::Now).is_none());
/// drop(held);
/// assert!(turn.take(Until::Forever).is_some());
/// ```
#[derive(Debug, Default)]
pub struct Turn<T = ()>(Mutex<T>);

/// The turn is held until this is dropped.
pub type Held<'a, T = ()> = MutexGuard<'a, T>;

impl<T> Turn<T> {
    /// A turn at `value`.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(parking_lot::const_mutex(value))
    }

    /// Takes the turn, or `None` when `until` is over.
    #[inline]
    pub fn take(&self, until: Until) -> Option<Held<'_, T>> {
        self.0.try_lock().or_else(|| self.take_contended(until))
    }

    #[cold]
    #[inline(never)]
    fn take_contended(&self, until: Until) -> Option<Held<'_, T>> {
        match until {
            Until::Now => None,
            Until::Forever => Some(self.0.lock()),
            Until::At(deadline) => self.0.try_lock_until(deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_held_turn_is_refused_at_once_or_in_time() {
        let turn = Turn::<()>::default();
        let held = turn.take(Until::Now).expect("free");
        assert!(turn.take(Until::Now).is_none());
        assert!(turn.take(Until::after(Duration::from_millis(1))).is_none());
        drop(held);
        assert!(turn.take(Until::Now).is_some());
    }

    #[test]
    fn no_turn_is_lost_among_many_threads() {
        let turn = Turn::<u32>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..5_000 {
                        let until = if round % 3 == 0 {
                            Until::after(Duration::MAX)
                        } else {
                            Until::Forever
                        };
                        *turn.take(until).expect("it waits for ever") += 1;
                    }
                });
            }
        });
        assert_eq!(*turn.take(Until::Now).expect("free"), 20_000);
    }
}
