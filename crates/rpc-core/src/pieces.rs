//! Where a large message is written piece by piece, so that nobody holds a copy of all of it.

#![allow(unsafe_code)]

use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut, BytesMut};

/// Slices from this size on are handed over where they stand; smaller ones are gathered.
const SLICE_BYTES: usize = 4 << 10;
/// How much is gathered before it is handed over.
const GATHERED_BYTES: usize = 16 << 10;

/// Where a message is written piece by piece: long slices, such as a field of bytes, are handed
/// over from where they stand, and what lies between is gathered before them.
///
/// ```
/// use bytes::{BufMut, BytesMut};
/// let mut sizes = Vec::new();
/// let mut take = |gathered: &mut BytesMut, piece: &[u8]| {
///     sizes.push((gathered.split().len(), piece.len()));
/// };
/// let mut pieces = rpc_core::Pieces::new(BytesMut::new(), &mut take);
/// pieces.put_u8(1);
/// pieces.put_slice(&[7; 100_000]);
/// pieces.put_u8(2);
/// assert_eq!(pieces.written(), 100_002);
/// assert_eq!(pieces.finish().len(), 1);
/// assert_eq!(sizes, [(1, 100_000)]);
/// ```
pub struct Pieces<'a> {
    gathered: BytesMut,
    /// What was gathered before this began, and what was handed over, cancel out: how many bytes
    /// were written is what is gathered now, and this.
    handed: isize,
    take: &'a mut dyn FnMut(&mut BytesMut, &[u8]),
}

impl<'a> Pieces<'a> {
    /// Begins behind what is gathered already. `take` is given what was gathered and the slice
    /// that follows it; what it leaves gathered comes again, and it may append the slice to it.
    pub fn new(gathered: BytesMut, take: &'a mut dyn FnMut(&mut BytesMut, &[u8])) -> Self {
        Self {
            handed: 0_isize.wrapping_sub_unsigned(gathered.len()),
            gathered,
            take,
        }
    }

    /// How many bytes of the message have been written.
    #[must_use]
    pub fn written(&self) -> usize {
        self.handed.wrapping_add_unsigned(self.gathered.len()) as usize
    }

    /// What was gathered last and not handed over.
    #[must_use]
    pub fn finish(self) -> BytesMut {
        self.gathered
    }

    #[cold]
    fn hand_over(&mut self, piece: &[u8]) {
        let before = self.gathered.len() + piece.len();
        (self.take)(&mut self.gathered, piece);
        let gone = before.wrapping_sub(self.gathered.len());
        self.handed = self.handed.wrapping_add_unsigned(gone);
    }
}

// SAFETY: the memory of `chunk_mut` is that of a `BytesMut`, which only grows between it and
// `advance_mut`: what is handed over is so before the chunk is made, or in other methods.
unsafe impl BufMut for Pieces<'_> {
    fn remaining_mut(&self) -> usize {
        self.gathered.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller has filled so many bytes of the chunk, which is that of `gathered`.
        unsafe { self.gathered.advance_mut(count) };
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        if self.gathered.len() >= GATHERED_BYTES {
            self.hand_over(&[]);
        }
        self.gathered.chunk_mut()
    }

    fn put<T: Buf>(&mut self, mut from: T) {
        while from.has_remaining() {
            let slice = from.chunk();
            let count = slice.len();
            self.put_slice(slice);
            from.advance(count);
        }
    }

    fn put_slice(&mut self, bytes: &[u8]) {
        if bytes.len() >= SLICE_BYTES {
            return self.hand_over(bytes);
        }
        if self.gathered.len() >= GATHERED_BYTES {
            self.hand_over(&[]);
        }
        self.gathered.extend_from_slice(bytes);
    }
}

impl std::fmt::Debug for Pieces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces")
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}
