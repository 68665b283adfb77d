//! A storm of signals at one thread, so that its system calls are interrupted.

use crate::sys;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Signals the thread that started it, ten thousand times a second, until it is dropped. The
/// handler does nothing and restarts nothing: blocking calls return `EINTR`.
#[derive(Debug)]
pub struct Storm {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Storm {
    /// Starts a storm at the calling thread.
    ///
    /// # Panics
    /// Where the handler cannot be installed.
    #[must_use]
    pub fn here() -> Self {
        sys::install_interrupting_handler();
        let target = sys::ThisThread::new();
        let (over, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stop, count) = (Arc::clone(&over), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                target.interrupt();
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        // A busy host may let the thread wait for longer than what is to be interrupted takes.
        while sent.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        Self {
            over,
            sent,
            thread: Some(thread),
        }
    }

    /// How many signals were sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
