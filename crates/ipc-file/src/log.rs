//! The log as one process appends to it: threads share one write and one fdatasync.

use crate::segment::{Recovery, Segment, final_failure, lock};
use crate::vfs::{Vfs, shown};
use crate::{reader::Reader, record};
use ipc_core::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An append-only file of records that many processes, and many threads of each, append to.
///
/// A record that was appended is durable: [`append`](Log::append) returns after fdatasync(2).
/// Those who append at the same time share one. A process that was forked opens the log again.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("ipc log doc {}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// let log = ipc_file::open_log(dir.join("orders"))?;
/// log.append(b"first")?;
/// let reader = ipc_file::follow(dir.join("orders"))?;
/// let mut record = Vec::new();
/// reader.recv_vec(&mut record)?;
/// assert_eq!(record, b"first");
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), ipc_file::Error>(())
/// ```
#[derive(Debug)]
pub struct Log {
    segment: Segment,
    vfs: Arc<dyn Vfs>,
    name: PathBuf,
    owner: u32,
    max_record_bytes: usize,
    window: Duration,
    queue: Mutex<Queue>,
    /// A batch is done.
    done: Condvar,
    /// As many as were expected have come.
    gathered: Condvar,
}

/// Who waits for what.
#[derive(Debug, Default)]
struct Queue {
    /// Records that are to be written next.
    pending: Vec<u8>,
    /// Callers whose records they are.
    callers: usize,
    /// Number of the batch that is gathering.
    batch: u64,
    /// Batches below this number are done.
    done: u64,
    /// Somebody gathers or writes a batch.
    leading: bool,
    /// Callers of the batch before: as many are likely to come again.
    expected: usize,
    /// How long that batch took.
    took: Duration,
    /// Batches that failed, until each of their callers knows.
    failures: Vec<Failure>,
    /// A failure that is final.
    over: bool,
}

#[derive(Debug)]
struct Failure {
    batch: u64,
    callers: usize,
    kind: ErrorKind,
    os_error: Option<i32>,
    text: String,
}

impl Log {
    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        name: &Path,
        mode: u32,
        max_record_bytes: usize,
        window: Duration,
    ) -> Result<Self> {
        Ok(Self {
            segment: Segment::open(&vfs, name, mode)?,
            vfs,
            name: name.into(),
            owner: std::process::id(),
            max_record_bytes,
            window,
            queue: Mutex::default(),
            done: Condvar::new(),
            gathered: Condvar::new(),
        })
    }

    /// Appends a record, and returns when it is durable.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) above the limit; [`NoSpace`](ErrorKind::NoSpace) where
    /// the disk is full: nothing was appended; [`Closed`](ErrorKind::Closed), from then on, where
    /// making it durable has failed: it may or may not be there when the log is opened again.
    pub fn append(&self, record: &[u8]) -> Result<()> {
        self.append_all(&[record])
    }

    /// Appends several records behind each other, and returns when all are durable. A crash may
    /// leave the first few of them.
    ///
    /// # Errors
    /// As [`append`](Log::append).
    pub fn append_all(&self, records: &[&[u8]]) -> Result<()> {
        let named = |error| shown(self.vfs.as_ref(), &self.name, error);
        self.append_together(records).map_err(named)
    }

    /// What was found, and done, when it was opened.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        self.segment.recovery()
    }

    /// A reader of this log, from its first record.
    ///
    /// # Errors
    /// As [`follow`](crate::follow).
    pub fn reader(&self) -> Result<Reader> {
        let named = |error| shown(self.vfs.as_ref(), &self.name, error);
        Reader::open(&self.vfs, &self.name, None).map_err(named)
    }

    fn append_together(&self, records: &[&[u8]]) -> Result<()> {
        if self.owner != std::process::id() {
            return Err(Error::new("append", ErrorKind::InvalidInput)
                .hint("a forked process shares its parent's locks: it opens the log again"));
        }
        if let Some(large) = records.iter().find(|r| r.len() > self.max_record_bytes) {
            return Err(Error::new("append", ErrorKind::TooLarge).hint(format!(
                "a record of {} bytes is above the limit of {} (Options::max_record_bytes)",
                large.len(),
                self.max_record_bytes
            )));
        }
        let mut queue = lock(&self.queue);
        let mine = queue.batch;
        for record in records {
            record::encode(record, &mut queue.pending);
        }
        queue.callers += 1;
        if queue.callers >= queue.expected {
            self.gathered.notify_one();
        }
        while queue.done <= mine {
            // Where nobody leads, the batch that gathers is this caller's.
            queue = match queue.leading {
                true => self
                    .done
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner),
                false => self.lead(queue),
            };
        }
        queue.outcome(mine)
    }

    /// Writes what is pending, this caller's records and all that have gathered.
    fn lead<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        queue.leading = true;
        queue = self.gather(queue);
        let mut records = std::mem::take(&mut queue.pending);
        let (batch, callers) = (queue.batch, std::mem::take(&mut queue.callers));
        queue.batch += 1;
        let over = queue.over;
        drop(queue);
        let begun = Instant::now();
        let outcome = match over {
            true => Err(final_failure(&self.name)),
            false => self.segment.commit(&mut records),
        };
        let mut queue = lock(&self.queue);
        if let Err(error) = outcome {
            queue.over |= error.kind() == ErrorKind::Closed;
            let failure = Failure {
                batch,
                callers,
                kind: error.kind(),
                os_error: error.raw_os_error(),
                text: clause(&error),
            };
            queue.failures.push(failure);
        }
        queue.expected = callers;
        queue.took = begun.elapsed();
        queue.done = batch + 1;
        queue.leading = false;
        if queue.pending.is_empty() {
            // Its room serves the next batch.
            records.clear();
            queue.pending = records;
        }
        // Who is woken needs the queue at once.
        drop(queue);
        self.done.notify_all();
        lock(&self.queue)
    }

    /// Waits for the callers of the batch before to come again, for no longer than a batch takes:
    /// then two would have been faster. One that works alone never waits.
    fn gather<'a>(&'a self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        if queue.callers >= queue.expected || self.window.is_zero() {
            return queue;
        }
        let few = |queue: &mut Queue| queue.callers < queue.expected;
        let window = self.window.min(queue.took);
        let waited = (self.gathered).wait_timeout_while(queue, window, few);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Queue {
    /// What became of the batch, for one of its callers.
    fn outcome(&mut self, batch: u64) -> Result<()> {
        let Some(at) = self.failures.iter().position(|f| f.batch == batch) else {
            return Ok(());
        };
        let failure = &mut self.failures[at];
        failure.callers -= 1;
        let mut error = Error::new("append", failure.kind).hint(failure.text.clone());
        if let Some(code) = failure.os_error {
            error = error.caused_by(std::io::Error::from_raw_os_error(code));
        }
        if failure.callers == 0 {
            self.failures.swap_remove(at);
        }
        Err(error)
    }
}

/// What an error says without the verb, which each caller's error has again.
fn clause(error: &Error) -> String {
    match error.operation() {
        "append" => error.reason().to_string(),
        _ => error.to_string(),
    }
}
