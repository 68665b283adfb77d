//! How an object is made.

use crate::{Event, Mutex, Plain, Semaphore};
use ipc_core::Result;
use ipc_shm::Region;

/// How an object is made; opening it again needs none of this.
///
/// ```
/// let region = ipc_shm::anonymous(4096)?;
/// let queue = ipc_sem::Options::new().fair(true).create_mutex_trusted(&region, 0, [0u32; 8])?;
/// assert_eq!(queue.lock()?[0], 0);
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    fair: bool,
    inherit_priority: bool,
    taken_by_one: bool,
}

impl Options {
    /// Not fair, no priority inheritance.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The lock goes to who has waited longest. A release then hands it over, which costs a
    /// switch for each contended round; without it a running thread may take it many times
    /// before a sleeper wakes.
    ///
    /// It is the kernel's hand-over of a priority-inheriting lock: threads of real-time priority
    /// still go first.
    pub fn fair(&mut self, fair: bool) -> &mut Self {
        self.fair = fair;
        self
    }

    /// The owner runs at the priority of the most urgent that waits for it.
    pub fn inherit_priority(&mut self, inherit: bool) -> &mut Self {
        self.inherit_priority = inherit;
        self
    }

    /// One wait takes an event's notification, instead of all seeing it until a reset.
    pub fn taken_by_one(&mut self, taken: bool) -> &mut Self {
        self.taken_by_one = taken;
        self
    }

    /// Makes a mutex around `value` at `offset` of `region`. All who can write to the region
    /// are trusted.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](crate::ErrorKind::AlreadyExists) where an object is there;
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) where it does not fit, or
    /// `offset` is not a multiple of [`ALIGN_BYTES`](crate::ALIGN_BYTES);
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) where the region is read-only here.
    pub fn create_mutex_trusted<T: Plain>(
        &self,
        region: &Region,
        offset: usize,
        value: T,
    ) -> Result<Mutex<T>> {
        Mutex::create(region, offset, value, self.fair || self.inherit_priority)
    }

    /// Makes a semaphore of `permits` at `offset` of `region`. All who can write to the region
    /// are trusted.
    ///
    /// # Errors
    /// As [`create_mutex_trusted`](Options::create_mutex_trusted);
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) above
    /// [`Semaphore::MAX_PERMITS`].
    pub fn create_semaphore_trusted(
        &self,
        region: &Region,
        offset: usize,
        permits: u32,
    ) -> Result<Semaphore> {
        Semaphore::create(region, offset, permits)
    }

    /// Makes an event, not set, at `offset` of `region`. All who can write to the region are
    /// trusted.
    ///
    /// # Errors
    /// As [`create_mutex_trusted`](Options::create_mutex_trusted).
    pub fn create_event_trusted(&self, region: &Region, offset: usize) -> Result<Event> {
        Event::create(region, offset, self.taken_by_one)
    }
}
