//! A set of signals, and what a thread does with one: block, unblock, ask what is pending.

use crate::{Mask, Signal, sys};
use ipc_core::{Error, ErrorKind, Result};
use std::fmt;
use std::ops::BitOr;

/// A set of signals, as the kernel keeps them: one word.
///
/// ```
/// use ipc_signal::{Signal, SignalSet};
/// let set = SignalSet::from([Signal::USR1, Signal::USR2]);
/// let mask = set.block()?; // in this thread, and in those that it starts from now on
/// assert!(SignalSet::blocked().contains(Signal::USR1));
/// drop(mask);
/// assert!(!SignalSet::blocked().contains(Signal::USR1));
/// # Ok::<(), ipc_signal::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Every signal that can be blocked and received: all but SIGKILL, SIGSTOP and those of the
    /// C library.
    #[must_use]
    pub fn all() -> Self {
        (1..=64)
            .filter_map(|number| Signal::new(number).ok())
            .filter(|signal| signal.bit() & NEVER_BLOCKED == 0)
            .collect()
    }

    /// The set that the kernel says; bits that are no signal of ours are dropped.
    pub(crate) fn from_bits(bits: u64) -> Self {
        (1..=64)
            .filter_map(|number| Signal::new(number).ok())
            .filter(|signal| signal.bit() & bits != 0)
            .collect()
    }

    /// The signals that are blocked in this thread.
    #[must_use]
    pub fn blocked() -> Self {
        Self::from_bits(sys::change_mask(sys::Change::Block, 0))
    }

    /// The signals that are pending for this thread or its process.
    #[must_use]
    pub fn pending() -> Self {
        Self::from_bits(sys::pending())
    }

    /// Blocks these signals in this thread, and in the threads that it starts from now on, until
    /// the mask is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with SIGKILL or SIGSTOP in the set.
    pub fn block(self) -> Result<Mask> {
        self.check("block")?;
        Ok(Mask::new(sys::Change::Block, self))
    }

    /// Lets these signals through to this thread until the mask is dropped: one that is pending
    /// takes effect before this returns.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with SIGKILL or SIGSTOP in the set.
    pub fn unblock(self) -> Result<Mask> {
        self.check("unblock")?;
        Ok(Mask::new(sys::Change::Unblock, self))
    }

    /// Adds a signal; false where it was there.
    pub fn insert(&mut self, signal: Signal) -> bool {
        let absent = !self.contains(signal);
        self.0 |= signal.bit();
        absent
    }

    /// Takes a signal out; false where it was not there.
    pub fn remove(&mut self, signal: Signal) -> bool {
        let present = self.contains(signal);
        self.0 &= !signal.bit();
        present
    }

    /// Whether the signal is in the set.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    /// How many signals are in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no signal is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its signals, the lowest number first.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=64)
            .filter_map(|number| Signal::new(number).ok())
            .filter(move |signal| self.contains(*signal))
    }

    /// The kernel's word.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The signals of this set that `other` lacks.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Refuses what the kernel would leave out without a word.
    pub(crate) fn check(self, operation: &'static str) -> Result<()> {
        if self.0 & NEVER_BLOCKED == 0 {
            return Ok(());
        }
        Err(Error::new(operation, ErrorKind::InvalidInput)
            .on(self)
            .hint("SIGKILL and SIGSTOP can be neither blocked nor received"))
    }
}

/// The kernel lets nobody block these.
const NEVER_BLOCKED: u64 = Signal::KILL.bit() | Signal::STOP.bit();

impl From<Signal> for SignalSet {
    fn from(signal: Signal) -> Self {
        Self(signal.bit())
    }
}

impl<const N: usize> From<[Signal; N]> for SignalSet {
    fn from(signals: [Signal; N]) -> Self {
        signals.into_iter().collect()
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        let bits = signals.into_iter().fold(0, |set, one| set | one.bit());
        Self(bits)
    }
}

impl BitOr for SignalSet {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, signal) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{signal}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
