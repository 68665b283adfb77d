//! The event: what each verb does with the counter.

use crate::sys;
use ipc_core::{Interest, Pollable, Result, TryWait, Until, four_forms};
use ipc_sys::above_stdio;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A counter that one side bumps and the other awaits.
///
/// Every copy of the descriptor, in whatever process, is the same counter. What was notified
/// before a wait is not lost, and neither is what was notified by a process that has died since.
///
/// ```
/// let event = ipc_event::create()?;
/// event.notify()?;
/// event.notify()?;
/// assert_eq!(event.wait()?, 2);
/// # Ok::<(), ipc_event::Error>(())
/// ```
#[derive(Debug)]
pub struct Event {
    fd: OwnedFd,
}

impl Event {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// The event behind a descriptor that this process was given.
    ///
    /// Its description stays as it is: one that does not block is as good as one that does.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) where it is no eventfd;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where `/proc` is not mounted,
    /// by which this is checked.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self> {
        sys::check_eventfd(fd.as_fd())?;
        Ok(Self::new(above_stdio(fd)?))
    }

    four_forms! {
        /// Adds one to the counter, which wakes a waiter.
        ///
        /// It waits only while the counter stands at [`MAX_COUNT`](crate::MAX_COUNT), where a
        /// program that counts by ones never gets. The kernel has no flag for a write that does
        /// not wait: the other forms look whether there is room first, so that they wait like
        /// this one where another notifier takes the very last of it in between.
        notify / try_notify / notify_timeout / notify_deadline = notify_until() -> ()
    }

    four_forms! {
        /// Waits until the counter is not nought, and takes all of it; of a
        /// [`semaphore`](crate::Options::semaphore) it takes one. Returns what it took.
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> u64
    }

    /// A second descriptor of the same event.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`](crate::ErrorKind::LimitReached) without descriptors.
    pub fn try_clone(&self) -> Result<Self> {
        sys::duplicate(self.fd.as_fd()).map(Self::new)
    }

    #[inline]
    fn notify_until(&self, until: Until) -> Result<()> {
        sys::add_one(self.fd.as_fd(), until)
    }

    #[inline]
    fn wait_until(&self, until: Until) -> Result<u64> {
        sys::take(self.fd.as_fd(), until)
    }
}

impl Pollable for Event {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        ipc_sys::wait_ready(self, interests, until)
    }
}

impl TryWait for Event {
    type Happened = u64;
    fn try_wait(&self) -> Result<u64> {
        self.wait_until(Until::Now)
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Event> for OwnedFd {
    fn from(event: Event) -> Self {
        event.fd
    }
}
