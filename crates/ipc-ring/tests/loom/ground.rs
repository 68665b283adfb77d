//! What the sources stand on here: atomics of the checker, which orders them no more than the
//! language does.

use crate::layout::{AT_ASYMMETRIC, AT_CLOSED, AT_CPU, AT_DONE, AT_PARKED, AT_PROGRESS, AT_SLOTS};
use ipc_core::{Credentials, Result};
use loom::sync::atomic::Ordering;
use loom::thread::ThreadId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use crate::locks::{Condvar, Held, Mutex, Turn};
pub(crate) use crate::slots::{Slots, WritableSlots};
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, fence};

/// A fence of the compiler's stands where another thread's barrier takes effect, so a full one
/// stands for both: each orders what is on its two sides only against the other.
pub(crate) fn compiler_fence(order: Ordering) {
    fence(order);
}

pub(crate) fn expect_own_barriers() -> bool {
    true
}

pub(crate) fn barrier_on_own_threads() {
    fence(Ordering::SeqCst);
}

pub(crate) fn expect_barriers() -> bool {
    true
}

pub(crate) fn barrier_on_all() {
    fence(Ordering::SeqCst);
}

pub(crate) fn this_thread() -> usize {
    std::thread_local! {
        /// The checker runs its threads in one of the system's, each known by a name of its own.
        static NAMES: RefCell<Vec<ThreadId>> = const { RefCell::new(Vec::new()) };
    }
    let this = loom::thread::current().id();
    NAMES.with(|names| {
        let mut names = names.borrow_mut();
        let at = names.iter().position(|name| *name == this);
        at.unwrap_or_else(|| {
            names.push(this);
            names.len() - 1
        }) + 2
    })
}

pub(crate) fn this_processor() -> u32 {
    1
}

/// Memory: a cell for each place that is used. The checker wants them made by who makes the memory.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    cells: Arc<BTreeMap<usize, Arc<AtomicU64>>>,
    len: usize,
}

/// Of that, a part to be read.
#[derive(Clone, Debug)]
pub(crate) struct Window(Region);

/// And one to be written, too.
#[derive(Clone, Debug)]
pub(crate) struct WritableWindow(Window);

/// A double word of it.
pub(crate) type Word64 = Word<u64>;

/// A word of it.
pub(crate) struct Word<T>(Arc<AtomicU64>, std::marker::PhantomData<T>);

impl Word<u32> {
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.0.load(order) as u32
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.0.store(u64::from(value), order);
    }
}

impl Word<u64> {
    pub(crate) fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        done: Ordering,
        failed: Ordering,
    ) -> std::result::Result<u64, u64> {
        self.0.compare_exchange(current, new, done, failed)
    }

    pub(crate) fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
        self.0.fetch_add(more, order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }
}

impl Region {
    pub(crate) fn new(len: usize) -> Self {
        let header = [
            AT_PARKED,
            AT_CLOSED,
            AT_CPU,
            AT_ASYMMETRIC,
            AT_PROGRESS,
            AT_DONE,
        ];
        let places = header.into_iter().chain((AT_SLOTS..len).step_by(8));
        Self::with(places, len)
    }

    /// With cells at these places.
    pub(crate) fn with(places: impl Iterator<Item = usize>, len: usize) -> Self {
        let cells = places.map(|at| (at, Arc::new(AtomicU64::new(0))));
        Self {
            cells: Arc::new(cells.collect()),
            len,
        }
    }

    pub(crate) fn len_bytes(&self) -> usize {
        self.len
    }

    pub(crate) fn window(&self, _offset: usize, _len: usize) -> Result<Window> {
        Ok(Window(self.clone()))
    }

    pub(crate) fn writable_window(&self, offset: usize, len: usize) -> Result<WritableWindow> {
        Ok(WritableWindow(self.window(offset, len)?))
    }
}

impl Window {
    fn cell(&self, at: usize, len: usize) -> Arc<AtomicU64> {
        assert!(at + len <= self.0.len, "inside");
        Arc::clone(&self.0.cells[&at])
    }

    pub(crate) fn load_u32(&self, at: usize, order: Ordering) -> u32 {
        self.cell(at, 4).load(order) as u32
    }

    pub(crate) fn load_u64(&self, at: usize, order: Ordering) -> u64 {
        self.cell(at, 8).load(order)
    }

    /// Eight bytes at a time.
    pub(crate) fn read(&self, at: usize, buffer: &mut [u8]) {
        for (word, part) in buffer.chunks_mut(8).enumerate() {
            let cell = self.cell(at + 8 * word, part.len());
            let bytes = cell.load(Ordering::Relaxed).to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
    }
}

impl std::ops::Deref for WritableWindow {
    type Target = Window;
    fn deref(&self) -> &Window {
        &self.0
    }
}

impl WritableWindow {
    pub(crate) fn u32(&self, at: usize) -> Word<u32> {
        Word(self.0.cell(at, 4), std::marker::PhantomData)
    }

    pub(crate) fn u64(&self, at: usize) -> Word<u64> {
        Word(self.0.cell(at, 8), std::marker::PhantomData)
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        for (word, part) in bytes.chunks(8).enumerate() {
            let mut bytes = [0; 8];
            bytes[..part.len()].copy_from_slice(part);
            let cell = self.0.cell(at + 8 * word, part.len());
            cell.store(u64::from_le_bytes(bytes), Ordering::Relaxed);
        }
    }
}

/// A connected pair's end; what is passed by it, `join` has.
#[derive(Clone, Debug)]
pub struct SeqPacket(pub(crate) Arc<crate::join::Meeting>);

impl SeqPacket {
    pub(crate) fn credentials(&self) -> Result<Credentials> {
        unimplemented!("no model asks who the writer is")
    }
}
