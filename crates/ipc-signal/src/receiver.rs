//! The receiver: signals as values, in four forms, and in any event loop.

use crate::{Delivery, SignalSet, sys};
use ipc_core::{Interest, Pollable, Result, TryWait, Until, four_forms};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Receives signals one by one, without any handler.
///
/// Real-time signals are queued: each one sent is received, those of one number in the order they
/// were sent, a lower number before a higher one. A standard signal is a flag: what is sent while
/// it is pending changes nothing. Several threads may wait at one receiver; each signal goes to
/// one of them. One that was sent to a single thread is received by that thread alone.
///
/// The descriptor (signalfd(2)) is for event loops; the verbs take from the queue directly
/// (rt_sigtimedwait(2)), one system call each. Whoever inherits the descriptor receives *its own*
/// signals by it, not ours.
///
/// ```no_run
/// use ipc_signal::{Signal, receiver};
/// let signals = receiver([Signal::HUP, Signal::USR1])?; // before the first thread starts
/// loop {
///     match signals.wait()?.signal() {
///         Signal::HUP => println!("reading the configuration again"),
///         other => println!("{other}"),
///     }
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    fd: OwnedFd,
    signals: SignalSet,
}

impl Receiver {
    pub(crate) fn new(signals: SignalSet) -> Result<Self> {
        let fd = sys::signalfd(signals.bits())?;
        Ok(Self { fd, signals })
    }

    four_forms! {
        /// Waits for the next signal and takes it.
        #[doc(alias = "sigtimedwait")]
        #[doc(alias = "sigwaitinfo")]
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> Delivery
    }

    /// What it receives.
    #[must_use]
    pub fn signals(&self) -> SignalSet {
        self.signals
    }

    #[inline]
    fn wait_until(&self, until: Until) -> Result<Delivery> {
        loop {
            let info = sys::take(self.signals.bits(), until)?;
            // Always some: the kernel gives a signal of the set, and each of those is one of ours.
            if let Some(delivery) = Delivery::new(&info) {
                return Ok(delivery);
            }
        }
    }
}

impl Pollable for Receiver {
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

impl TryWait for Receiver {
    type Happened = Delivery;
    fn try_wait(&self) -> Result<Delivery> {
        self.wait_until(Until::Now)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
