//! Ends a test that hangs, loudly.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ends the process when it lives longer than was allowed; dropping it calls it off.
#[derive(Debug)]
pub struct Watchdog {
    called_off: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Ends this process with a message when the guard lives longer than `limit`. The limit is a
/// guard against hanging, never a claim about speed.
#[must_use]
pub fn watchdog(limit: Duration) -> Watchdog {
    let called_off = Arc::new((Mutex::new(false), Condvar::new()));
    let watched = Arc::clone(&called_off);
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let thread = std::thread::spawn(move || {
        let (flag, changed) = &*watched;
        let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = changed.wait_timeout_while(flag, limit, |called_off| !*called_off);
        if outcome.is_ok_and(|(_, wait)| wait.timed_out()) {
            eprintln!("watchdog: {test} still runs after {limit:?}: it hangs");
            std::process::abort();
        }
    });
    Watchdog {
        called_off,
        thread: Some(thread),
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let (flag, changed) = &*self.called_off;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // Joined, so that a leak check sees no thread of ours.
            let _ = thread.join();
        }
    }
}
