//! Counts heap allocations of a thread.

pub use crate::sys::CountingAllocator;
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static LARGE: Cell<(usize, u64)> = const { Cell::new((usize::MAX, 0)) };
}

/// How many allocations `work` makes in this thread. The test binary must declare
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;
/// # let counted = ipc_testkit::allocations(|| drop(Box::new(7)));
/// # assert_eq!(counted, 1);
/// ```
///
/// # Panics
/// Where it does not.
#[track_caller]
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    drop(std::hint::black_box(Box::new(0u8)));
    assert_eq!(
        COUNT.get(),
        before + 1,
        "CountingAllocator is not the global allocator"
    );
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// How many bytes the largest allocation has that `work` makes in this thread.
///
/// # Panics
/// As [`allocations`].
#[track_caller]
pub fn largest_allocation(work: impl FnOnce()) -> usize {
    let largest = || LARGEST.replace(0);
    let _ = largest();
    allocations(work);
    largest()
}

/// How many allocations of at least so many bytes `work` makes in this thread.
///
/// # Panics
/// As [`allocations`].
#[track_caller]
pub fn large_allocations(bytes: usize, work: impl FnOnce()) -> u64 {
    LARGE.set((bytes, 0));
    allocations(work);
    LARGE.replace((usize::MAX, 0)).1
}

/// Called by the allocator for each allocation.
pub(crate) fn count(bytes: usize) {
    // A thread that is ending has no counter any more, and nobody who asks.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
    let _ = LARGE.try_with(|large| {
        let (least, count) = large.get();
        large.set((least, count + u64::from(bytes >= least)));
    });
}
