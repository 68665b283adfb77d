//! Walks the records of a log, from one place to a limit, and says what stands where none is.

use crate::record::{ALIGN_BYTES, HEADER_BYTES, Header};
use crate::vfs::{VfsFile, read_full};
use std::io;
use std::ops::Range;

/// What is read at once; a longer record takes as much as it has.
const WINDOW_BYTES: usize = 64 * 1024;

/// What the walk met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A whole record; its payload is in the window.
    Record { start: u64, payload: Range<usize> },
    /// Bytes that are no record, with a whole one, or the limit, behind them: something was here.
    Damaged { start: u64, end: u64 },
    /// No whole record from here to the limit. `torn` where what stands here was certainly never
    /// written to its end: less than a header, a sound header whose payload does not fit, or
    /// nothing but zeros.
    Tail { start: u64, torn: bool },
}

/// A walk over the records of one file.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    id: u64,
    /// Where the next step looks.
    at: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Scan {
    pub(crate) fn new(id: u64, at: u64) -> Self {
        Self {
            id,
            at,
            ..Self::default()
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    pub(crate) fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// What was read before may have changed since.
    pub(crate) fn forget(&mut self) {
        self.window.clear();
    }

    /// The payload of the record that the last step met.
    pub(crate) fn payload(&self, payload: &Range<usize>) -> &[u8] {
        &self.window[payload.clone()]
    }

    /// What stands at the position, up to `limit`; the position moves behind a record or damage.
    pub(crate) fn step(&mut self, file: &dyn VfsFile, limit: u64) -> io::Result<Step> {
        let start = self.at;
        let left = limit.saturating_sub(start);
        if left < HEADER_BYTES as u64 {
            return Ok(Step::Tail { start, torn: true });
        }
        match self.look(file, start, limit)? {
            Look::Whole { header, .. } => {
                let from = (start - self.window_at) as usize + HEADER_BYTES;
                self.at = start + HEADER_BYTES as u64 + header.padded_bytes();
                let payload = from..from + header.payload_bytes as usize;
                Ok(Step::Record { start, payload })
            }
            // A header is sound, and yet nothing is skipped on its word: where a file was cut and
            // gone on with, whole records may stand in what it says is its payload.
            Look::Cut => self.resume(file, start, limit, true),
            Look::Nothing => self.resume(file, start, limit, false),
        }
    }

    /// Looks for the next whole record behind what is none.
    fn resume(
        &mut self,
        file: &dyn VfsFile,
        start: u64,
        limit: u64,
        cut: bool,
    ) -> io::Result<Step> {
        // Where the file was cut, nothing stands up to the limit.
        let limit = limit.min(file.len()?.max(start));
        let mut at = start + ALIGN_BYTES;
        let mut zeros = self.is_zero(file, start, limit)?;
        while at + HEADER_BYTES as u64 <= limit {
            if let Look::Whole { .. } = self.look(file, at, limit)? {
                self.at = at;
                return Ok(Step::Damaged { start, end: at });
            }
            zeros = zeros && self.is_zero(file, at, limit)?;
            at += ALIGN_BYTES;
        }
        // Less than a header behind the last place that could have had one.
        if at < limit {
            zeros = zeros && self.is_zero(file, at, limit)?;
        }
        let torn = cut || zeros;
        Ok(Step::Tail { start, torn })
    }

    fn look(&mut self, file: &dyn VfsFile, at: u64, limit: u64) -> io::Result<Look> {
        let id = self.id;
        let Some(bytes) = self.fill(file, at, HEADER_BYTES, limit)? else {
            return Ok(Look::Cut);
        };
        let Some(header) = Header::parse(id, at, bytes) else {
            return Ok(Look::Nothing);
        };
        let whole = HEADER_BYTES as u64 + header.padded_bytes();
        if at + whole > limit {
            return Ok(Look::Cut);
        }
        let Ok(length) = usize::try_from(whole) else {
            return Ok(Look::Cut);
        };
        let Some(bytes) = self.fill(file, at, length, limit)? else {
            return Ok(Look::Cut);
        };
        if header.fits(&bytes[HEADER_BYTES..]) {
            Ok(Look::Whole { header })
        } else {
            Ok(Look::Nothing)
        }
    }

    fn is_zero(&mut self, file: &dyn VfsFile, at: u64, limit: u64) -> io::Result<bool> {
        let length = (limit - at).min(ALIGN_BYTES) as usize;
        let bytes = self.fill(file, at, length, limit)?;
        Ok(bytes.is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0)))
    }

    /// The `length` bytes at `at`, all of which lie before `limit`; `None` where the file has
    /// become shorter.
    fn fill(
        &mut self,
        file: &dyn VfsFile,
        at: u64,
        length: usize,
        limit: u64,
    ) -> io::Result<Option<&[u8]>> {
        let end = self.window_at + self.window.len() as u64;
        if at < self.window_at || at + length as u64 > end {
            let most = usize::try_from(limit - at).unwrap_or(usize::MAX);
            self.window.resize(length.max(WINDOW_BYTES).min(most), 0);
            self.window_at = at;
            let read = match read_full(file, &mut self.window, at) {
                Ok(read) => read,
                Err(error) => {
                    self.window.clear();
                    return Err(error);
                }
            };
            self.window.truncate(read);
        }
        let from = (at - self.window_at) as usize;
        Ok(self.window.get(from..from + length))
    }
}

/// What one place looks like.
enum Look {
    Whole {
        header: Header,
    },
    /// A sound header whose payload does not fit before the limit.
    Cut,
    /// No sound header, or not its payload.
    Nothing,
}
