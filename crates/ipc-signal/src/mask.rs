//! A change of a thread's signal mask that is taken back.

use crate::{SignalSet, sys};
use std::marker::PhantomData;

/// A change of this thread's mask, taken back when this is dropped.
///
/// It takes back what it has changed and nothing else: a signal that was blocked before stays so,
/// and masks that overlap may be dropped in any order as long as they changed different signals.
/// A mask belongs to its thread, so this cannot leave it.
#[derive(Debug)]
#[must_use = "the mask is taken back when this is dropped"]
pub struct Mask {
    back: sys::Change,
    changed: SignalSet,
    _thread: PhantomData<*const ()>,
}

impl Mask {
    pub(crate) fn new(change: sys::Change, set: SignalSet) -> Self {
        let before = SignalSet::from_bits(sys::change_mask(change, set.bits()));
        let (back, changed) = match change {
            sys::Change::Block => (sys::Change::Unblock, set.without(before)),
            sys::Change::Unblock => (
                sys::Change::Block,
                set.iter().filter(|one| before.contains(*one)).collect(),
            ),
        };
        Self {
            back,
            changed,
            _thread: PhantomData,
        }
    }

    /// What has changed: signals of the set that were as wanted before are not in it.
    #[must_use]
    pub fn changed(&self) -> SignalSet {
        self.changed
    }

    /// Leaves the mask as it is now, for as long as the thread lives.
    pub fn keep(mut self) {
        self.changed = SignalSet::new();
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if !self.changed.is_empty() {
            sys::change_mask(self.back, self.changed.bits());
        }
    }
}
