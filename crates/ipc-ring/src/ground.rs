//! What the protocols stand on: memory, atomics, barriers, locks, sockets. Models have their own.

pub(crate) use ipc_core::{Held, Turn};
pub(crate) use ipc_shm::{Region, Slots, Window, WritableSlots, WritableWindow};
pub(crate) use ipc_uds::SeqPacket;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, compiler_fence, fence};
pub(crate) use std::sync::{Condvar, Mutex};

use rustix::thread::{MembarrierCommand, membarrier, sched_getcpu};

/// From now on [`barrier_on_own_threads`] works; false where the kernel has no such barrier.
pub(crate) fn expect_own_barriers() -> bool {
    membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
}

/// A full barrier on every processor that runs a thread of this process.
pub(crate) fn barrier_on_own_threads() {
    let barrier = membarrier(MembarrierCommand::PrivateExpedited);
    debug_assert!(barrier.is_ok(), "it was expected");
}

/// From now on others' [`barrier_on_all`] reaches this process; false where the kernel has none.
pub(crate) fn expect_barriers() -> bool {
    membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// A full barrier on every processor that runs a process which expects it.
pub(crate) fn barrier_on_all() {
    // Refused only where the kernel has none, where no honest peer relies on it.
    let _ = membarrier(MembarrierCommand::GlobalExpedited);
}

/// The calling thread, as an address that no other live thread has.
#[inline]
pub(crate) fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// The processor we run on, plus 1.
pub(crate) fn this_processor() -> u32 {
    u32::try_from(sched_getcpu()).unwrap_or(0) + 1
}
