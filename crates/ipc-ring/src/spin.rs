//! How long a waiter looks at memory before it sleeps.

use crate::turns::Cell;

/// How long a waiter looks at memory before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spin {
    /// As long as it has paid lately, and never while the peer runs on the same processor.
    #[default]
    Learned,
    /// Not at all.
    Never,
    /// Until something comes: for a processor that does nothing else. Such a wait sees the end of
    /// the peer, but only now and then.
    Always,
}

/// Looks of a spin that is as long as a sleep and its wake take, about 20 µs.
const MOST: u64 = 4_000;
/// What one that was given up tries again, now and then.
const PROBE: u64 = 200;
/// Every how many sleeps.
const PROBE_EVERY: u64 = 64;

/// What one end has learned.
#[derive(Debug)]
pub(crate) struct Budget {
    spin: Spin,
    looks: Cell,
    sleeps: Cell,
}

impl Budget {
    pub(crate) fn new(spin: Spin) -> Self {
        Self {
            spin,
            looks: Cell::new(MOST),
            sleeps: Cell::new(0),
        }
    }

    /// How often to look before this sleep.
    #[inline]
    pub(crate) fn looks(&self) -> u64 {
        match self.spin {
            Spin::Never => 0,
            Spin::Always => u64::MAX,
            Spin::Learned if self.looks.get() > 0 => self.looks.get(),
            Spin::Learned => {
                let sleeps = self.sleeps.get() + 1;
                self.sleeps.set(sleeps);
                match sleeps % PROBE_EVERY {
                    0 => PROBE,
                    _ => 0,
                }
            }
        }
    }

    /// It came while we looked.
    #[inline]
    pub(crate) fn paid(&self) {
        self.looks.set(MOST);
    }

    /// We looked so often in vain.
    pub(crate) fn wasted(&self, looks: u64) {
        if looks > 0 {
            self.looks.set(self.looks.get() / 2);
        }
        if self.looks.get() < PROBE {
            self.looks.set(0);
        }
    }
}
