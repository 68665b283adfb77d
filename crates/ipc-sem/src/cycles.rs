//! Locks that wait for each other across processes: found when the last one begins to wait.
//!
//! A debugging aid. The processes share a [`Board`] in a region; each that [watches](Board::watch)
//! it writes down which thread holds which [`Mutex`](crate::Mutex), and since when, and which
//! waits for which. Who begins to wait without an end looks whether the chain of holders comes
//! back to itself, and is told [`Deadlock`](ErrorKind::Deadlock) instead of waiting for ever.

mod thread;

use self::thread::Thread;
use crate::glance;
use crate::header::{self, HEADER_BYTES, Identity};
use crate::sys::{ALIGN_BYTES, Robust, Taken, Words, now};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_shm::Region;
use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::time::Duration;

/// Most locks that are held or waited for at a time and seen by one board; those beyond work, and
/// are not seen.
pub const MAX_ENTRIES: usize = 255;

const KIND: u32 = 17;
const AT_LOCK: usize = HEADER_BYTES;
const AT_ENTRIES: usize = 2 * ALIGN_BYTES;
const ENTRY_BYTES: usize = 64;

/// In an entry: whose it is, 0 for nobody's; written last.
const IN_THREAD: usize = 0;
const IN_PROCESS: usize = 4;
const IN_WHAT: usize = 8;
const IN_STARTED: usize = 16;
const IN_DEVICE: usize = 24;
const IN_INODE: usize = 32;
const IN_OFFSET: usize = 40;
const IN_SINCE: usize = 48;

const HOLDS: u32 = 1;
const WAITS: u32 = 2;

static WATCHED: OnceLock<Board> = OnceLock::new();

/// Where the processes write down who holds what and waits for what.
///
/// ```
/// use ipc_sem::{Mutex, cycles::Board};
/// let region = ipc_shm::anonymous(1 << 16)?;
/// Board::create_trusted(&region, 0)?.watch()?;
/// let mutex = Mutex::create_trusted(&region, Board::SIZE_BYTES, 0u32)?;
/// *mutex.lock()? += 1;
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
pub struct Board {
    words: Words,
}

impl Board {
    /// How many bytes of a region it takes.
    pub const SIZE_BYTES: usize = AT_ENTRIES + MAX_ENTRIES * ENTRY_BYTES;

    /// Makes one at `offset` of `region`. All who can write to the region are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted).
    pub fn create_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
            for entry in 0..MAX_ENTRIES {
                words.u32(at(entry) + IN_THREAD).store(0, Relaxed);
            }
            words.robust(AT_LOCK).init(false)
        })?;
        Ok(Self { words })
    }

    /// Opens the one at `offset` of `region`.
    ///
    /// # Errors
    /// As [`Mutex::open_trusted`](crate::Mutex::open_trusted).
    pub fn open_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::open(&words, Self::identity(offset)?)?;
        Ok(Self { words })
    }

    /// From now on, and for as long as this process lives, what its threads hold and wait for is
    /// written down here. Locks taken before are not seen; neither are waits with an end.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where this process watches a board already.
    pub fn watch(self) -> Result<()> {
        WATCHED.set(self).map_err(|_| {
            Error::new("watch", ErrorKind::AlreadyExists).hint("this process watches a board")
        })
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }

    fn lock(&self) -> Option<Locked<'_>> {
        let lock = self.words.robust(AT_LOCK);
        // Without the board's own lock nothing is written down; the user's lock works all the same.
        if glance::take(lock, Until::Forever).ok()? == Taken::OwnerDied {
            // Each entry is there or not, by one word: nothing is torn.
            lock.mark_consistent();
        }
        Some(Locked { board: self, lock })
    }
}

/// The board, while nobody else writes to it.
struct Locked<'a> {
    board: &'a Board,
    lock: Robust<'a>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.lock.release();
    }
}

impl Locked<'_> {
    fn add(&self, thread: Thread, what: u32, lock: LockName) {
        let free = || (0..MAX_ENTRIES).find(|entry| self.owner(*entry) == 0);
        let entry = free().or_else(|| {
            self.sweep();
            free()
        });
        let (Some(entry), words) = (entry, &self.board.words) else {
            return;
        };
        let at = at(entry);
        words.u32(at + IN_PROCESS).store(thread.process, Relaxed);
        words.u32(at + IN_WHAT).store(what, Relaxed);
        words.u64(at + IN_STARTED).store(thread.started, Relaxed);
        words.u64(at + IN_DEVICE).store(lock.device, Relaxed);
        words.u64(at + IN_INODE).store(lock.inode, Relaxed);
        words.u64(at + IN_OFFSET).store(lock.offset, Relaxed);
        words.u64(at + IN_SINCE).store(nanoseconds(now()), Relaxed);
        words.u32(at + IN_THREAD).store(thread.id, Release);
    }

    fn remove(&self, thread: Thread, what: u32, lock: LockName) {
        for index in 0..MAX_ENTRIES {
            if self.owner(index) == thread.id {
                let entry = self.entry(index);
                if entry.thread == thread && entry.what == what && entry.lock == lock {
                    self.clear(index);
                }
            }
        }
    }

    /// Clears what the dead have left.
    fn sweep(&self) {
        for entry in 0..MAX_ENTRIES {
            if self.owner(entry) != 0 && !self.entry(entry).thread.lives() {
                self.clear(entry);
            }
        }
    }

    fn clear(&self, entry: usize) {
        let owner = self.board.words.u32(at(entry) + IN_THREAD);
        owner.store(0, Release);
    }

    fn owner(&self, entry: usize) -> u32 {
        self.board.words.u32(at(entry) + IN_THREAD).load(Relaxed)
    }

    fn entry(&self, entry: usize) -> Entry {
        let (words, at) = (&self.board.words, at(entry));
        let word = |inside| words.u64(at + inside).load(Relaxed);
        Entry {
            thread: Thread {
                id: words.u32(at + IN_THREAD).load(Relaxed),
                process: words.u32(at + IN_PROCESS).load(Relaxed),
                started: word(IN_STARTED),
            },
            what: words.u32(at + IN_WHAT).load(Relaxed),
            lock: LockName {
                device: word(IN_DEVICE),
                inode: word(IN_INODE),
                offset: word(IN_OFFSET),
            },
            since: word(IN_SINCE),
        }
    }

    /// The chain of holders from `lock` back to `thread`, if there is one.
    fn cycle(&self, thread: Thread, lock: LockName) -> Option<Vec<Entry>> {
        let taken = (0..MAX_ENTRIES).filter(|entry| self.owner(*entry) != 0);
        let entries: Vec<Entry> = taken.map(|entry| self.entry(entry)).collect();
        let mut chain = Vec::new();
        follow(&entries, thread, lock, &mut chain).then_some(chain)
    }
}

/// Whether the holders of `lock` wait, by whatever chain, for `thread`; those who do are pushed.
fn follow(entries: &[Entry], thread: Thread, lock: LockName, chain: &mut Vec<Entry>) -> bool {
    let holders = entries.iter().filter(|entry| entry.is(HOLDS, lock));
    for holder in holders {
        // A chain that runs into a circle without this thread is for those in it to report.
        let seen = chain.iter().any(|link| link.thread == holder.thread);
        if seen || (holder.thread != thread && !holder.thread.lives()) {
            continue;
        }
        chain.push(*holder);
        let mut waits = entries
            .iter()
            .filter(|entry| entry.thread == holder.thread && entry.what == WAITS);
        if holder.thread == thread || waits.any(|wait| follow(entries, thread, wait.lock, chain)) {
            return true;
        }
        chain.pop();
    }
    false
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    thread: Thread,
    what: u32,
    lock: LockName,
    since: u64,
}

impl Entry {
    fn is(&self, what: u32, lock: LockName) -> bool {
        self.what == what && self.lock == lock
    }
}

/// Which lock of all: by the object behind its region, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LockName {
    device: u64,
    inode: u64,
    offset: u64,
}

impl LockName {
    pub(crate) fn of(region: &Region, offset: usize) -> Self {
        let object = region
            .as_fd()
            .ok()
            .and_then(|fd| rustix::fs::fstat(fd).ok());
        let (device, inode) = match (object, region.id()) {
            (Some(stat), _) => (stat.st_dev, stat.st_ino),
            // A System V segment, which has a number of its own kind.
            (None, id) => (u64::MAX, u64::from(id.unwrap_or(0).unsigned_abs())),
        };
        Self {
            device,
            inode,
            offset: offset as u64,
        }
    }

    /// Takes the lock by `take`, and writes it down.
    ///
    /// # Errors
    /// Those of `take`; `Deadlock` where waiting would close a cycle.
    #[inline]
    pub(crate) fn take(self, until: Until, take: impl Fn(Until) -> Result<Taken>) -> Result<Taken> {
        match WATCHED.get() {
            None => take(until),
            Some(board) => self.take_watched(board, until, take),
        }
    }

    #[cold]
    fn take_watched(
        self,
        board: &Board,
        until: Until,
        take: impl Fn(Until) -> Result<Taken>,
    ) -> Result<Taken> {
        let would_wait = |error: &Error| error.kind() == ErrorKind::WouldBlock;
        let taken = match take(Until::Now) {
            Err(error) if until == Until::Forever && would_wait(&error) => {
                self.begin_waiting(board)?;
                let taken = take(until);
                if let Some(locked) = board.lock() {
                    locked.remove(Thread::current(), WAITS, self);
                }
                taken
            }
            Err(error) if until != Until::Now && would_wait(&error) => take(until),
            outcome => outcome,
        };
        if taken.is_ok() {
            self.held();
        }
        taken
    }

    /// In this order, all under one lock: of those who close a cycle the last one sees it.
    fn begin_waiting(self, board: &Board) -> Result<()> {
        let Some(locked) = board.lock() else {
            return Ok(());
        };
        let thread = Thread::current();
        if let Some(chain) = locked.cycle(thread, self) {
            return Err(deadlock(thread, self, &chain));
        }
        locked.add(thread, WAITS, self);
        Ok(())
    }

    /// Writes down that this thread holds the lock.
    #[inline]
    pub(crate) fn held(self) {
        if let Some(locked) = WATCHED.get().and_then(Board::lock) {
            locked.add(Thread::current(), HOLDS, self);
        }
    }

    /// Writes down that this thread is about to release the lock.
    #[inline]
    pub(crate) fn released(self) {
        if let Some(locked) = WATCHED.get().and_then(Board::lock) {
            locked.remove(Thread::current(), HOLDS, self);
        }
    }
}

impl std::fmt::Display for LockName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the lock at {} of region {}", self.offset, self.inode)
    }
}

#[cold]
fn deadlock(thread: Thread, lock: LockName, chain: &[Entry]) -> Error {
    let mut why = format!("process {} waits for {lock}", thread.process);
    for (place, holder) in chain.iter().enumerate() {
        let age = Duration::from_nanos(nanoseconds(now()).saturating_sub(holder.since));
        let Thread { id, process, .. } = holder.thread;
        let _ = write!(
            why,
            ", held for {age:.1?} by process {process} (thread {id})"
        );
        if let Some(next) = chain.get(place + 1) {
            let _ = write!(why, ", which waits for {}", next.lock);
        }
    }
    Error::new("lock", ErrorKind::Deadlock).hint(why + ": release one of them")
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn at(entry: usize) -> usize {
    AT_ENTRIES + entry * ENTRY_BYTES
}
