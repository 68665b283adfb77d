//! Atomics at which a thread may die: as a killed one does, between any two operations.

use shuttle::sync::atomic::{AtomicU64 as Inner, Ordering};
use std::cell::Cell;

shuttle::thread_local! {
    /// After how many operations this thread dies.
    static LEFT: Cell<u32> = Cell::new(u32::MAX);
}

/// What a dying thread unwinds with.
pub(crate) struct Death;

/// Runs `work` in a thread that dies before its `operations`-th operation; whether it did.
pub(crate) fn dies_after(operations: u32, work: impl FnOnce()) -> bool {
    LEFT.with(|left| left.set(operations));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    LEFT.with(|left| left.set(u32::MAX));
    match outcome {
        Ok(()) => false,
        Err(death) if death.is::<Death>() => true,
        Err(other) => std::panic::resume_unwind(other),
    }
}

fn step() {
    let alive = LEFT.with(|left| {
        let now = left.get();
        left.set(now.saturating_sub(u32::from(now != u32::MAX)));
        now > 0
    });
    if !alive {
        std::panic::resume_unwind(Box::new(Death));
    }
}

/// An atomic at each operation of which the thread may die, before it is done.
#[derive(Debug)]
pub(crate) struct AtomicU64(Inner);

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> Self {
        Self(Inner::new(value))
    }
    pub(crate) fn load(&self, order: Ordering) -> u64 {
        step();
        self.0.load(order)
    }
    pub(crate) fn store(&self, value: u64, order: Ordering) {
        step();
        self.0.store(value, order);
    }
    pub(crate) fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        step();
        self.0.fetch_max(value, order)
    }
    pub(crate) fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        step();
        self.0.compare_exchange(current, new, success, failure)
    }
}
