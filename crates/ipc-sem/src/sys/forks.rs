//! How often this process was made by fork: what a thread holds, its copy in a child does not.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// A number that differs between a process and each child forked from it.
#[inline]
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Counts forks from now on.
pub(crate) fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        // SAFETY: the handler is async-signal-safe: it does one atomic addition
        // (pthread_atfork(3)). Without memory for it forks are not seen, which only matters to
        // a child that uses what its parent held.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}

unsafe extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
