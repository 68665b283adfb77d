//! Who is inside at a time, told from outside the model's own words.

use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Counts those inside. A dead one is inside for ever, and is taken off by who finds its death.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    writing: AtomicU32,
    reading: AtomicU32,
}

impl Turns {
    pub(crate) fn write(&self) {
        assert_eq!(self.writing.fetch_add(1, SeqCst), 0, "two write");
        assert_eq!(self.reading.load(SeqCst), 0, "one writes where one reads");
        shuttle::thread::yield_now();
        self.writing.fetch_sub(1, SeqCst);
    }

    pub(crate) fn read(&self) {
        self.reading.fetch_add(1, SeqCst);
        assert_eq!(self.writing.load(SeqCst), 0, "one reads where one writes");
        shuttle::thread::yield_now();
        self.reading.fetch_sub(1, SeqCst);
    }
}
