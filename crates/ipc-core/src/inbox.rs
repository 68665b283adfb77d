//! Received bytes of which whole messages are made.

use crate::{Error, ErrorKind, Result};

/// The length before each message: four bytes, little-endian, not counting themselves.
pub(crate) const HEADER_BYTES: usize = 4;
/// Memory for received bytes is taken in steps of this many bytes, as they arrive.
const STEP_BYTES: usize = 64 * 1024;

/// Received bytes: `buffer[start..filled]` are not consumed yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
}

impl Inbox {
    /// `count` bytes have come into [`room`](Inbox::room).
    #[inline]
    pub(crate) fn filled(&mut self, count: usize) {
        self.filled += count;
    }

    /// How many bytes of the first message, of which the length is here, are here.
    pub(crate) fn begun(&self) -> usize {
        self.filled - self.start - HEADER_BYTES
    }

    /// The length of the first message where all of it is here.
    #[inline]
    pub(crate) fn complete(&self, limit: usize) -> Result<Option<usize>> {
        let here = &self.buffer[self.start..self.filled];
        let Some((header, rest)) = here.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*header) as usize;
        if length > limit {
            return Err(above_limit(length, limit));
        }
        Ok((rest.len() >= length).then_some(length))
    }

    /// The length of the first message, of which not all is here.
    pub(crate) fn announced(&self) -> Option<usize> {
        let header = self.buffer[self.start..self.filled].first_chunk::<HEADER_BYTES>()?;
        Some(u32::from_le_bytes(*header) as usize)
    }

    /// How many bytes of the first message, `length` long, are not here.
    pub(crate) fn missing_of(&self, length: usize) -> usize {
        HEADER_BYTES + length - (self.filled - self.start)
    }

    /// Takes back what was received elsewhere.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if end > self.buffer.len() {
            self.buffer.resize(end + STEP_BYTES, 0);
        }
        self.buffer[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    #[inline]
    pub(crate) fn message(&self, length: usize) -> &[u8] {
        let from = self.start + HEADER_BYTES;
        &self.buffer[from..from + length]
    }

    #[inline]
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        if self.start == self.filled {
            (self.start, self.filled) = (0, 0);
        }
    }

    #[inline]
    pub(crate) fn may_hold_more(&self) -> bool {
        self.start < self.filled
    }

    /// Free room behind what is here; never empty. It grows by one step, and only when all that
    /// there was is filled with bytes that arrived.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.len() {
            self.make_room();
        }
        let end = self.buffer.len().min(self.filled + STEP_BYTES);
        &mut self.buffer[self.filled..end]
    }

    #[cold]
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        } else {
            self.buffer.reserve_exact(STEP_BYTES);
            self.buffer.resize(self.filled + STEP_BYTES, 0);
        }
    }

    pub(crate) fn end(&self) -> Error {
        if self.start == self.filled {
            return Error::new("recv", ErrorKind::Closed);
        }
        Error::new("recv", ErrorKind::Truncated).hint(format!(
            "the stream ended inside a message, {} bytes after its beginning",
            self.filled - self.start
        ))
    }
}

#[cold]
fn above_limit(length: usize, limit: usize) -> Error {
    Error::new("recv", ErrorKind::Corrupt).hint(format!(
        "a message of {length} bytes is announced, above the limit of {limit}; close the channel, \
         or raise max_message_bytes on both sides"
    ))
}
