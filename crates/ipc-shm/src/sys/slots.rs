//! Slots of a mapped region that were checked once, each a word and the bytes that it commits.

use crate::{Region, copy};
use ipc_core::{Error, ErrorKind, Result};
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Slots of `BYTES` bytes each, known by a number modulo their count, to be read.
///
/// Each begins with a double word, behind which its bytes stand. No number is outside, so that
/// nothing needs to be checked but the length of what is copied.
///
/// ```
/// use std::sync::atomic::Ordering;
/// let region = ipc_shm::anonymous(4096)?;
/// let slots = region.writable_slots::<64>(128, 4)?;
/// slots.write(6, b"six");
/// slots.word(6).store(7, Ordering::Release);
/// let mut bytes = [0; 3];
/// assert_eq!(slots.load(2, Ordering::Acquire), 7, "2 and 6 are one of four");
/// slots.read(2, &mut bytes);
/// assert_eq!(&bytes, b"six");
/// # Ok::<(), ipc_shm::Error>(())
/// ```
#[derive(Debug)]
pub struct Slots<const BYTES: usize> {
    start: NonNull<u8>,
    /// The count, a power of two, less one.
    mask: u64,
    /// Keeps the mapping.
    _region: Region,
}

/// Slots that this process may write, too.
#[derive(Debug)]
pub struct WritableSlots<const BYTES: usize>(Slots<BYTES>);

// SAFETY: a mapping belongs to the process, not to a thread; what is reached through slots is
// atomics, and bytes that only the racing copy touches.
unsafe impl<const BYTES: usize> Send for Slots<BYTES> {}
// SAFETY: as above.
unsafe impl<const BYTES: usize> Sync for Slots<BYTES> {}

/// Of a slot, what its word takes.
const WORD: usize = 8;
/// What processors hand to each other at a time.
const LINE: usize = 64;

impl Region {
    /// The `count` slots at `offset`, to be read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) beyond the end, where `offset`
    /// is not a multiple of 8, and where `count` is no power of two;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where the region is not mapped.
    pub fn slots<const BYTES: usize>(&self, offset: usize, count: usize) -> Result<Slots<BYTES>> {
        const { assert!(BYTES > WORD && BYTES.is_multiple_of(WORD)) };
        let wrong = |hint: &'static str| Error::new("slots", ErrorKind::InvalidInput).hint(hint);
        if !count.is_power_of_two() {
            return Err(wrong("slots are a power of two"));
        }
        let len = count.checked_mul(BYTES);
        let len = len.ok_or_else(|| wrong("so many slots have no room anywhere"))?;
        let at = self.range("slots", offset, len)?;
        let start = self.mapping("slots")?.at(at, len);
        if !start.cast::<u64>().is_aligned() {
            return Err(wrong("slots begin at a multiple of 8"));
        }
        Ok(Slots {
            start,
            mask: count as u64 - 1,
            _region: self.clone(),
        })
    }

    /// The `count` slots at `offset`, to be read and written.
    ///
    /// # Errors
    /// As [`slots`](Region::slots); [`ErrorKind::Denied`](crate::ErrorKind::Denied) where the
    /// region is read-only here.
    pub fn writable_slots<const BYTES: usize>(
        &self,
        offset: usize,
        count: usize,
    ) -> Result<WritableSlots<BYTES>> {
        if self.is_read_only() {
            return Err(crate::region::read_only("slots"));
        }
        self.slots(offset, count).map(WritableSlots)
    }
}

impl<const BYTES: usize> Slots<BYTES> {
    /// Loads the word of slot `number`.
    ///
    /// # Panics
    /// For an `order` that only a store has.
    #[inline]
    #[must_use]
    pub fn load(&self, number: u64, order: Ordering) -> u64 {
        self.word64(number).load(order)
    }

    /// Copies what follows the word of slot `number` into `buffer`, all of it, whoever writes it
    /// meanwhile.
    ///
    /// # Panics
    /// Where a slot has fewer bytes behind its word.
    #[inline]
    pub fn read(&self, number: u64, buffer: &mut [u8]) {
        let from = self.bytes(number, buffer.len());
        if buffer.len() > LINE - WORD {
            // Who knows how long a message is from its word asks for both lines at once, since a
            // processor that guesses goes on before the word is there, and this address does not
            // hang on it, as those of the copy may.
            copy::soon(from.as_ptr().wrapping_add(LINE - WORD));
        }
        // SAFETY: `bytes` has checked that so many lie inside the mapping; `buffer` is a Rust
        // object of its own, and the shared side may be written meanwhile.
        unsafe { copy::racing(from.as_ptr(), buffer.as_mut_ptr(), buffer.len()) };
    }

    #[inline]
    fn word64(&self, number: u64) -> &AtomicU64 {
        let word = self.slot(number).cast::<u64>();
        // SAFETY: inside the mapping, and aligned, since the start is (checked when it was made)
        // and `BYTES` a multiple of 8, for as long as `self` lives; others touch it by atomics
        // alone. Of a read-only mapping it is only loaded: `word64` is private.
        unsafe { AtomicU64::from_ptr(word.as_ptr()) }
    }

    #[inline]
    fn bytes(&self, number: u64, len: usize) -> NonNull<u8> {
        assert!(len <= BYTES - WORD, "a slot holds what is copied");
        // SAFETY: a slot has more than a word.
        unsafe { self.slot(number).add(WORD) }
    }

    #[inline]
    fn slot(&self, number: u64) -> NonNull<u8> {
        let index = (number & self.mask) as usize;
        // SAFETY: `index` is below the count, and so many slots lie inside one mapping (checked
        // when it was made), which is why the product does not overflow either.
        unsafe { self.start.add(index.wrapping_mul(BYTES)) }
    }
}

impl<const BYTES: usize> WritableSlots<BYTES> {
    /// The word of slot `number`, shared by all processes.
    #[inline]
    #[must_use]
    pub fn word(&self, number: u64) -> &AtomicU64 {
        self.0.word64(number)
    }

    /// Copies `bytes` behind the word of slot `number`, all of them.
    ///
    /// # Panics
    /// Where a slot has fewer bytes behind its word.
    #[inline]
    pub fn write(&self, number: u64, bytes: &[u8]) {
        let to = self.0.bytes(number, bytes.len());
        // SAFETY: as in `read`, and the mapping is writable, as was checked when it was made.
        unsafe { copy::racing(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }
}

impl<const BYTES: usize> Deref for WritableSlots<BYTES> {
    type Target = Slots<BYTES>;
    fn deref(&self) -> &Slots<BYTES> {
        &self.0
    }
}
