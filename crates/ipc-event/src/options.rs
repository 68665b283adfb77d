//! How an event is made.

use crate::{Event, sys};
use ipc_core::Result;

/// How an event is made.
///
/// ```
/// let permits = ipc_event::Options::new().semaphore(true).initial_count(2).create()?;
/// assert_eq!((permits.try_wait()?, permits.try_wait()?), (1, 1));
/// assert!(permits.try_wait().is_err());
/// # Ok::<(), ipc_event::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    initial_count: u32,
    semaphore: bool,
}

impl Options {
    /// A counter that stands at nought.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the counter stands at first.
    pub fn initial_count(&mut self, count: u32) -> &mut Self {
        self.initial_count = count;
        self
    }

    /// Each wait takes one from the counter, instead of all of it.
    pub fn semaphore(&mut self, semaphore: bool) -> &mut Self {
        self.semaphore = semaphore;
        self
    }

    /// Makes the event.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`](crate::ErrorKind::LimitReached) without descriptors.
    pub fn create(&self) -> Result<Event> {
        sys::eventfd(self.initial_count, self.semaphore).map(Event::new)
    }
}
