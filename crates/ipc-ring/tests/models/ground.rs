//! What the sources stand on here: the model's machine.

use crate::machine;
use ipc_core::{Credentials, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) use crate::locks::{Condvar, Held, Mutex, Turn};
pub(crate) use crate::slots::{Slots, WritableSlots};
pub(crate) use AtomicU64 as Word64;

macro_rules! atomic {
    ($name:ident, $number:ty, $of:expr, $to:expr) => {
        /// A cell of the machine's.
        #[derive(Debug)]
        pub(crate) struct $name(usize);

        impl $name {
            pub(crate) fn new(value: $number) -> Self {
                let cell = machine::cells(1);
                machine::exchange(cell, 0, $to(value));
                Self(cell)
            }
            pub(crate) fn load(&self, _: Ordering) -> $number {
                $of(machine::load(self.0))
            }
            pub(crate) fn store(&self, value: $number, order: Ordering) {
                machine::store(self.0, $to(value));
                if order == Ordering::SeqCst {
                    machine::fence();
                }
            }
            pub(crate) fn compare_exchange(
                &self,
                current: $number,
                new: $number,
                _: Ordering,
                _: Ordering,
            ) -> std::result::Result<$number, $number> {
                let found = $of(machine::exchange(self.0, $to(current), $to(new)));
                match found == current {
                    true => Ok(found),
                    false => Err(found),
                }
            }
        }
    };
}

atomic!(AtomicBool, bool, |word| word != 0, u64::from);
atomic!(AtomicUsize, usize, |word| word as usize, |number| number
    as u64);
atomic!(AtomicU32, u32, |word| word as u32, u64::from);
atomic!(AtomicU64, u64, |word| word, |number| number);

/// Only a full one does anything that this machine does not do anyway.
pub(crate) fn fence(order: Ordering) {
    if order == Ordering::SeqCst {
        machine::fence();
    }
}

pub(crate) fn compiler_fence(_: Ordering) {}

pub(crate) fn expect_own_barriers() -> bool {
    true
}

pub(crate) fn barrier_on_own_threads() {
    machine::barrier();
}

pub(crate) fn expect_barriers() -> bool {
    true
}

pub(crate) fn barrier_on_all() {
    machine::barrier();
}

pub(crate) fn this_thread() -> usize {
    machine::number() + 2
}

pub(crate) fn this_processor() -> u32 {
    machine::number() as u32 + 1
}

/// Memory: a cell for each 4 bytes, of which a double word uses the first.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    first: usize,
    len: usize,
}

/// Of that, a part to be read.
#[derive(Clone, Debug)]
pub(crate) struct Window(Region);

/// And one to be written, too.
#[derive(Clone, Debug)]
pub(crate) struct WritableWindow(Window);

impl Region {
    pub(crate) fn new(len: usize) -> Self {
        let first = machine::cells(len.div_ceil(4));
        Self { first, len }
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
    fn cell(&self, at: usize, len: usize) -> usize {
        assert!(at.is_multiple_of(4) && at + len <= self.0.len);
        self.0.first + at / 4
    }

    pub(crate) fn load_u32(&self, at: usize, _: Ordering) -> u32 {
        machine::load(self.cell(at, 4)) as u32
    }

    pub(crate) fn load_u64(&self, at: usize, _: Ordering) -> u64 {
        machine::load(self.cell(at, 8))
    }

    /// Eight bytes at a time. Where they begin may be a word that is damaged, as a reader finds
    /// who then sees that it was overwritten; it need not be a multiple of anything.
    pub(crate) fn read(&self, at: usize, buffer: &mut [u8]) {
        assert!(at + buffer.len() <= self.0.len, "inside");
        let at = at / 4 * 4;
        for (word, part) in buffer.chunks_mut(8).enumerate() {
            let bytes = machine::load(self.cell(at + 8 * word, part.len())).to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
    }
}

impl AtomicU64 {
    pub(crate) fn fetch_add(&self, more: u64, order: Ordering) -> u64 {
        self.update(order, |found| found + more)
    }

    pub(crate) fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.update(order, |found| found | bits)
    }

    pub(crate) fn fetch_and(&self, bits: u64, order: Ordering) -> u64 {
        self.update(order, |found| found & bits)
    }

    pub(crate) fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.update(order, |_| value)
    }

    fn update(&self, order: Ordering, to: impl Fn(u64) -> u64) -> u64 {
        loop {
            let found = self.load(Ordering::Relaxed);
            let exchanged = self.compare_exchange(found, to(found), order, order);
            if exchanged.is_ok() {
                return found;
            }
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
    pub(crate) fn u32(&self, at: usize) -> AtomicU32 {
        AtomicU32(self.0.cell(at, 4))
    }

    pub(crate) fn u64(&self, at: usize) -> AtomicU64 {
        AtomicU64(self.0.cell(at, 8))
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) {
        for (word, part) in bytes.chunks(8).enumerate() {
            let mut bytes = [0; 8];
            bytes[..part.len()].copy_from_slice(part);
            let cell = self.0.cell(at + 8 * word, part.len());
            machine::store(cell, u64::from_le_bytes(bytes));
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
