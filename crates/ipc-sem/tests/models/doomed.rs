//! Atomics at which a thread may die: as a killed one does, before any operation.

use crate::kernel;
use shuttle::sync::atomic::Ordering;

/// What a dying thread unwinds with.
pub(crate) struct Death;

/// Runs `work` in a thread that is killed before its `steps`-th step; whether it was. What its
/// destructors would do is not done: a killed process does nothing more.
pub(crate) fn dies_after(steps: u32, work: impl FnOnce()) -> bool {
    kernel::doom(steps);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    match outcome {
        Ok(()) => {
            kernel::reprieve();
            false
        }
        Err(death) if death.is::<Death>() => {
            kernel::bury();
            true
        }
        Err(other) => std::panic::resume_unwind(other),
    }
}

/// One step of this thread. False where it is dead already, and only unwinds.
pub(crate) fn step() -> bool {
    if kernel::is_dead() {
        return false;
    }
    if kernel::last_step() {
        std::panic::resume_unwind(Box::new(Death));
    }
    true
}

macro_rules! doomed {
    ($name:ident, $number:ty) => {
        /// An atomic at each operation of which the thread may die, before it is done.
        #[derive(Debug)]
        pub(crate) struct $name(shuttle::sync::atomic::$name);

        impl $name {
            pub(crate) fn new(value: $number) -> Self {
                Self(shuttle::sync::atomic::$name::new(value))
            }
            pub(crate) fn load(&self, order: Ordering) -> $number {
                if step() { self.0.load(order) } else { 0 }
            }
            pub(crate) fn store(&self, value: $number, order: Ordering) {
                if step() {
                    self.0.store(value, order);
                }
            }
            pub(crate) fn swap(&self, value: $number, order: Ordering) -> $number {
                if step() { self.0.swap(value, order) } else { 0 }
            }
            pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                if step() {
                    self.0.fetch_add(value, order)
                } else {
                    0
                }
            }
            pub(crate) fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                if step() {
                    self.0.fetch_sub(value, order)
                } else {
                    0
                }
            }
            pub(crate) fn fetch_or(&self, value: $number, order: Ordering) -> $number {
                if step() {
                    self.0.fetch_or(value, order)
                } else {
                    0
                }
            }
            pub(crate) fn fetch_max(&self, value: $number, order: Ordering) -> $number {
                if step() {
                    self.0.fetch_max(value, order)
                } else {
                    0
                }
            }
            pub(crate) fn compare_exchange(
                &self,
                current: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                if step() {
                    self.0.compare_exchange(current, new, success, failure)
                } else {
                    Ok(current)
                }
            }
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                self.compare_exchange(current, new, success, failure)
            }
            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                change: impl Fn($number) -> Option<$number>,
            ) -> Result<$number, $number> {
                let mut now = self.load(failure);
                while let Some(next) = change(now) {
                    match self.compare_exchange(now, next, success, failure) {
                        Ok(_) => return Ok(now),
                        Err(other) => now = other,
                    }
                }
                Err(now)
            }
            /// What the kernel sees; it does not die.
            pub(crate) fn inner(&self) -> &shuttle::sync::atomic::$name {
                &self.0
            }
        }
    };
}

doomed!(AtomicU32, u32);
doomed!(AtomicU64, u64);
