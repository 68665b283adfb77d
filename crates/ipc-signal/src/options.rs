//! How a receiver is made.

use crate::{Receiver, Shutdown, SignalSet, threads};
use ipc_core::{Error, ErrorKind, Result};

/// How a receiver of signals is made.
///
/// ```
/// use ipc_signal::{Options, Signal};
/// // A test runs beside the harness's own thread, which blocks nothing.
/// let signals = Options::new().unchecked_threads(true).receiver(Signal::WINCH)?;
/// assert!(signals.try_wait().is_err());
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    unchecked_threads: bool,
}

impl Options {
    /// A receiver that every thread of the process leaves its signals to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does not look whether the other threads block the signals. What is sent to the process may
    /// then reach a thread that does not, where it has its usual effect; only what is sent to the
    /// receiving thread itself is certain to be received.
    pub fn unchecked_threads(&mut self, unchecked: bool) -> &mut Self {
        self.unchecked_threads = unchecked;
        self
    }

    /// Makes a receiver of `signals`, and blocks them in this thread, where they stay blocked
    /// when the receiver is dropped: one that is pending would else take its usual effect. To
    /// have them back, hold a [`Mask`](crate::Mask) of your own around the receiver.
    ///
    /// A signal that is sent to a process goes to any thread that does not block it. Threads
    /// inherit the mask of the thread that starts them, so make the receiver before the first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with no signal, with SIGKILL or SIGSTOP, and where another
    /// thread does not block all of them: it is named. [`ErrorKind::Unsupported`] where `/proc`
    /// is not mounted, by which this is checked. [`ErrorKind::LimitReached`] without descriptors.
    pub fn receiver(&self, signals: impl Into<SignalSet>) -> Result<Receiver> {
        let signals = signals.into();
        if signals.is_empty() {
            return Err(Error::new("receive signals", ErrorKind::InvalidInput)
                .hint("the set has no signal in it"));
        }
        signals.check("receive signals")?;
        // Taken back where the rest fails.
        let mask = signals.block()?;
        if !self.unchecked_threads {
            threads::check_that_all_block(signals)?;
        }
        let receiver = Receiver::new(signals)?;
        mask.keep();
        Ok(receiver)
    }

    /// Turns the first SIGINT or SIGTERM into an event; see [`Shutdown`].
    ///
    /// # Errors
    /// As [`receiver`](Options::receiver).
    pub fn shutdown(&self) -> Result<Shutdown> {
        Shutdown::new(self)
    }
}
