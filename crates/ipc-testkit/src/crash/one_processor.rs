//! Both sides of a tracing on one processor: a stop is a switch there, and a wake-up elsewhere.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// Keeps this process, and the copies it makes, on the processor it runs on; until dropped.
pub(crate) struct OneProcessor(Option<CpuSet>);

impl OneProcessor {
    pub(crate) fn new() -> Self {
        let before = sched_getaffinity(None).ok();
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        // Where it may not, it is slower.
        Self(before.filter(|_| sched_setaffinity(None, &one).is_ok()))
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = sched_setaffinity(None, before);
        }
    }
}
