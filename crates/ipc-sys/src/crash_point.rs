//! Labelled points in an operation at which a test can have the process killed.

/// A point that a test can name to have the process killed there (SIGKILL) at its `n`th passing:
/// `IPC_KILL_AT=label:n`. Without the feature `failpoints` of ipc-sys it is nothing at all.
///
/// ```
/// ipc_sys::crash_point!("push.after_payload");
/// ```
#[macro_export]
macro_rules! crash_point {
    ($label:literal) => {
        $crate::__crash_point!($label)
    };
}

#[cfg(feature = "failpoints")]
#[doc(hidden)]
#[macro_export]
macro_rules! __crash_point {
    ($label:literal) => {{
        static PASSED: ::std::sync::atomic::AtomicBool =
            ::std::sync::atomic::AtomicBool::new(false);
        $crate::pass_crash_point($label, &PASSED)
    }};
}

#[cfg(not(feature = "failpoints"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __crash_point {
    ($label:literal) => {};
}

#[cfg(feature = "failpoints")]
mod enabled {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError};

    static PASSED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

    /// What [`crash_point!`](crate::crash_point) does. Only who passes a point first takes the
    /// lock: threads that wait for it make system calls, which tests count.
    pub fn pass_crash_point(label: &'static str, passed: &AtomicBool) {
        static TARGET: OnceLock<Option<(String, u64)>> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if !passed.load(Ordering::Relaxed) {
            PASSED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(label);
            passed.store(true, Ordering::Relaxed);
        }
        let target = TARGET.get_or_init(|| {
            let text = std::env::var("IPC_KILL_AT").ok()?;
            let (label, count) = text.rsplit_once(':')?;
            Some((label.to_owned(), count.parse().ok()?))
        });
        if let Some((wanted, count)) = target
            && wanted == label
            && COUNT.fetch_add(1, Ordering::Relaxed) + 1 == *count
        {
            let this = rustix::process::getpid();
            let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
        }
    }

    /// The labels that this process has passed: a test holds them against the list of all.
    #[must_use]
    pub fn crash_labels_passed() -> Vec<&'static str> {
        PASSED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }
}

#[cfg(feature = "failpoints")]
pub use enabled::{crash_labels_passed, pass_crash_point};
