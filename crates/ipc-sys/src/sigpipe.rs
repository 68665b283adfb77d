//! Writes to a pipe that nobody reads, without the signal that would end the process.

use crate::sys;

/// How a write avoids SIGPIPE, the cheapest way that this process and kernel have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sigpipe {
    /// The process ignores it, as Rust programs do by default: a plain write.
    Ignored,
    /// `RWF_NOSIGNAL` on each write (Linux 6.18).
    Flagged,
    /// The signal is masked for the thread around each write, and a fresh one is taken back.
    Masked,
}

impl Sigpipe {
    /// What to do in this process, judged by its disposition now; [`Sigpipe::Flagged`] where the
    /// signal is not ignored, to be given up for [`Sigpipe::Masked`] when the kernel refuses it.
    #[must_use]
    pub fn judge() -> Self {
        if sys::sigpipe_is_ignored() {
            Self::Ignored
        } else {
            Self::Flagged
        }
    }
}

/// Runs `write` with SIGPIPE masked for this thread; one that it raised is taken back, one that
/// was pending before stays.
pub fn with_sigpipe_masked<R>(write: impl FnOnce() -> R) -> R {
    let masked = sys::MaskedSigpipe::new();
    let outcome = write();
    drop(masked);
    outcome
}
