//! A part of a mapped region that was checked once, for who reads and writes it all the time.

use crate::{Region, copy};
use ipc_core::Result;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What processors hand to each other at a time, and where its last piece begins.
const LINE: usize = 64;
const LAST: usize = 48;

/// A part of a region, mapped for as long as this lives, to be read.
///
/// The region's own verbs check with each call that they may, and answer an error; here that was
/// checked when the window was made, and what is beyond its end is a mistake of the program.
///
/// ```
/// use std::sync::atomic::Ordering;
/// let region = ipc_shm::anonymous(4096)?;
/// let window = region.writable_window(0, 128)?;
/// window.u64(64).store(7, Ordering::Release);
/// assert_eq!(window.load_u64(64, Ordering::Acquire), 7);
/// # Ok::<(), ipc_shm::Error>(())
/// ```
#[derive(Debug)]
pub struct Window {
    start: NonNull<u8>,
    len: usize,
    /// Keeps the mapping.
    _region: Region,
}

/// A part of a region that this process may write, too.
#[derive(Debug)]
pub struct WritableWindow(Window);

// SAFETY: a mapping belongs to the process, not to a thread; what is reached through a window is
// atomics, and bytes that only the racing copy touches.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Region {
    /// The `len` bytes at `offset`, to be read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) beyond the end, or where
    /// `offset` is not a multiple of 8; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)
    /// where the region is not mapped.
    pub fn window(&self, offset: usize, len: usize) -> Result<Window> {
        let at = self.range("window", offset, len)?;
        let mapping = self.mapping("window")?;
        let start = mapping.at(at, len);
        if !start.cast::<u64>().is_aligned() {
            return Err(off_the_grid(offset));
        }
        Ok(Window {
            start,
            len,
            _region: self.clone(),
        })
    }

    /// The `len` bytes at `offset`, to be read and written.
    ///
    /// # Errors
    /// As [`window`](Region::window); [`ErrorKind::Denied`](crate::ErrorKind::Denied) where the
    /// region is read-only here.
    pub fn writable_window(&self, offset: usize, len: usize) -> Result<WritableWindow> {
        if self.is_read_only() {
            return Err(crate::region::read_only("window"));
        }
        self.window(offset, len).map(WritableWindow)
    }
}

fn off_the_grid(offset: usize) -> ipc_core::Error {
    ipc_core::Error::new("window", ipc_core::ErrorKind::InvalidInput)
        .hint(format!("offset {offset} is not a multiple of 8"))
}

impl Window {
    /// How many bytes it has.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.len
    }

    /// Loads the word at `at`, a multiple of 4.
    ///
    /// # Panics
    /// Beyond the end, off the alignment, and for an `order` that only a store has.
    #[inline]
    #[must_use]
    pub fn load_u32(&self, at: usize, order: Ordering) -> u32 {
        self.word32(at).load(order)
    }

    /// Loads the double word at `at`, a multiple of 8.
    ///
    /// # Panics
    /// As [`load_u32`](Window::load_u32).
    #[inline]
    #[must_use]
    pub fn load_u64(&self, at: usize, order: Ordering) -> u64 {
        self.word64(at).load(order)
    }

    /// Copies the bytes at `at` into `buffer`, all of it, whoever writes them meanwhile.
    ///
    /// # Panics
    /// Beyond the end.
    #[inline]
    pub fn read(&self, at: usize, buffer: &mut [u8]) {
        let from = self.place(at, buffer.len());
        if (LAST..=LINE).contains(&buffer.len()) {
            // Of so few bytes the copy begins at places that hang on their number, which the memory
            // itself may have told: see `Slots::read`.
            copy::soon(from.as_ptr().wrapping_add(LAST));
        }
        // SAFETY: `place` has checked that so many bytes lie inside the mapping; `buffer` is a
        // Rust object of its own, and the shared side may be written meanwhile.
        unsafe { copy::racing(from.as_ptr(), buffer.as_mut_ptr(), buffer.len()) };
    }

    #[inline]
    fn word32(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(4), "a word is aligned");
        let place = self.place(at, 4).cast::<u32>();
        // SAFETY: inside the mapping, and aligned, since the start is a multiple of 8 (checked
        // when it was made), for as long as `self` lives; others touch it by atomics or by the
        // racing copy alone. Of a read-only mapping it is only loaded: `word32` is private.
        unsafe { AtomicU32::from_ptr(place.as_ptr()) }
    }

    #[inline]
    fn word64(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8), "a double word is aligned");
        let place = self.place(at, 8).cast::<u64>();
        // SAFETY: as in `word32`.
        unsafe { AtomicU64::from_ptr(place.as_ptr()) }
    }

    #[inline]
    fn place(&self, at: usize, len: usize) -> NonNull<u8> {
        let inside = self.len.checked_sub(at).is_some_and(|rest| len <= rest);
        assert!(inside, "what is reached stands inside the window");
        // SAFETY: `at` is at most `len`, and the whole window lies inside one mapping.
        unsafe { self.start.add(at) }
    }
}

impl WritableWindow {
    /// The word at `at`, a multiple of 4, shared by all processes.
    ///
    /// # Panics
    /// Beyond the end and off the alignment.
    #[inline]
    #[must_use]
    pub fn u32(&self, at: usize) -> &AtomicU32 {
        self.0.word32(at)
    }

    /// The double word at `at`, a multiple of 8, shared by all processes.
    ///
    /// # Panics
    /// As [`u32`](WritableWindow::u32).
    #[inline]
    #[must_use]
    pub fn u64(&self, at: usize) -> &AtomicU64 {
        self.0.word64(at)
    }

    /// Copies `bytes` to `at`, all of them.
    ///
    /// # Panics
    /// Beyond the end.
    #[inline]
    pub fn write(&self, at: usize, bytes: &[u8]) {
        let to = self.0.place(at, bytes.len());
        // SAFETY: as in `read`, and the mapping is writable, as was checked when it was made.
        unsafe { copy::racing(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }
}

impl Deref for WritableWindow {
    type Target = Window;
    fn deref(&self) -> &Window {
        &self.0
    }
}
