//! A large message that is decoded while it arrives: what is little through one small buffer, and
//! what is long put together where it is taken from.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ipc_core::{ByteSource, Error, Until};
use rpc_core::{Arriving as _, Code, Status};
use rpc_transport::Wire;
use std::ops::Range;

/// Fields from this size on are put together at once.
const LONG_BYTES: usize = 16 << 10;

/// Where the rest of a message comes from.
pub(crate) trait Source {
    /// At least one byte more; `None` where nothing more comes.
    fn read(&mut self, room: &mut [u8]) -> Option<usize>;
}

/// A stream that is read until a time, and why it gave nothing more, where it did not just end.
pub(crate) struct Stream<'w> {
    wire: &'w Wire,
    until: Until,
    failed: Option<Error>,
}

impl Source for Stream<'_> {
    fn read(&mut self, room: &mut [u8]) -> Option<usize> {
        match self.wire.read_until(room, self.until) {
            Ok(length) => Some(length),
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }
}

/// What came of a message, and what will.
pub(crate) struct Arriving<'a, R> {
    buffer: &'a mut [u8],
    /// What has come stands in `spare`, and not in `buffer`.
    aside: bool,
    at: usize,
    filled: usize,
    /// How many bytes have not come.
    more: usize,
    source: R,
    /// Where a long field is put together; it is kept for the next.
    spare: &'a mut Vec<u8>,
    /// The same, while somebody may have a share of it.
    lent: Option<Bytes>,
    /// How many of them do not come.
    missing: usize,
}

impl<'a, 'w> Arriving<'a, Stream<'w>> {
    /// What stands in `buffer` where it `came`, and `more` bytes that `wire` brings until `until`.
    pub(crate) fn over(
        (wire, until): (&'w Wire, Until),
        memory: (&'a mut [u8], &'a mut Vec<u8>),
        came: Range<usize>,
        more: usize,
    ) -> Self {
        let stream = Stream {
            wire,
            until,
            failed: None,
        };
        Self::new(memory, (came.start, came.end), more, stream)
    }

    /// Reads to the end, where nobody has; how many bytes have not come, and why, where the stream
    /// did not just end.
    pub(crate) fn finish(self) -> (usize, Option<Error>) {
        let (missing, stream) = self.read_to_end();
        (missing, stream.failed)
    }
}

impl<'a, R: Source> Arriving<'a, R> {
    /// What stands in `buffer` from `at` to `filled`, and `more` bytes that `source` brings; where
    /// it brings none, nothing more comes.
    fn new(
        (buffer, spare): (&'a mut [u8], &'a mut Vec<u8>),
        (at, filled): (usize, usize),
        more: usize,
        source: R,
    ) -> Self {
        let mut arriving = Self {
            buffer,
            aside: false,
            at,
            filled,
            more,
            source,
            spare,
            lent: None,
            missing: 0,
        };
        arriving.refill();
        arriving
    }

    fn refill(&mut self) {
        if self.at < self.filled || self.more == 0 {
            return;
        }
        let most = self.more.min(self.buffer.len());
        match self.source.read(&mut self.buffer[..most]) {
            Some(length @ 1..) => {
                (self.aside, self.at, self.filled) = (false, 0, length);
                self.more -= length;
            }
            _ => self.fail(),
        }
    }

    /// Nothing more comes. Whoever is in the middle of a number sees noughts, then an end, and then
    /// hears of it.
    #[cold]
    fn fail(&mut self) {
        self.missing = self.more;
        (self.aside, self.at, self.filled) = (false, 0, self.more.min(self.buffer.len()));
        self.more = 0;
        self.buffer[..self.filled].fill(0);
    }

    /// Puts what has come where it can grow.
    fn set_aside(&mut self) {
        if self.aside {
            return;
        }
        self.take_back();
        let came = &self.buffer[self.at..self.filled];
        self.spare.resize(self.spare.len().max(came.len()), 0);
        self.spare[..came.len()].copy_from_slice(came);
        (self.aside, self.at, self.filled) = (true, 0, came.len());
    }

    /// Puts `len` bytes together and shares them: fewer, where no more come.
    fn together(&mut self, len: usize) -> Bytes {
        self.wait_for(len);
        let come = self.chunk();
        if come.len() > len {
            // What follows them stands there too.
            let copy = Bytes::copy_from_slice(&come[..len]);
            self.advance(len);
            return copy;
        }
        self.set_aside();
        let whole = Bytes::from(std::mem::take(self.spare));
        let share = whole.slice(self.at..self.filled);
        (self.aside, self.at, self.filled) = (false, 0, 0);
        self.lent = Some(whole);
        self.refill();
        share
    }

    /// Where nobody has kept a share, the memory is used again.
    fn take_back(&mut self) {
        if let Some(Ok(whole)) = self.lent.take().map(Bytes::try_into_mut) {
            *self.spare = Vec::from(whole);
        }
    }

    fn read_to_end(mut self) -> (usize, R) {
        self.advance(self.remaining());
        self.take_back();
        (self.missing, self.source)
    }
}

impl<R: Source> Buf for Arriving<'_, R> {
    fn remaining(&self) -> usize {
        self.filled - self.at + self.more
    }

    fn chunk(&self) -> &[u8] {
        match self.aside {
            true => &self.spare[self.at..self.filled],
            false => &self.buffer[self.at..self.filled],
        }
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let step = count.min(self.filled - self.at);
            if step == 0 {
                assert!(self.missing > 0, "nobody advances beyond the end");
                return;
            }
            self.at += step;
            count -= step;
            self.refill();
        }
    }

    fn copy_to_slice(&mut self, mut room: &mut [u8]) {
        while !room.is_empty() {
            let come = self.chunk();
            let step = room.len().min(come.len());
            if step == 0 {
                assert!(self.missing > 0, "nobody takes more than there is");
                return room.fill(0);
            }
            room[..step].copy_from_slice(&come[..step]);
            room = &mut room[step..];
            self.advance(step);
        }
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let has = len <= self.remaining() || self.missing > 0;
        assert!(has, "nobody takes more than there is");
        if len >= LONG_BYTES && self.missing == 0 {
            return self.together(len);
        }
        let mut copy = BytesMut::with_capacity(len.min(self.remaining()));
        copy.put(self.take(len));
        copy.freeze()
    }
}

impl<R: Source> rpc_core::Arriving for Arriving<'_, R> {
    /// More memory is taken only as they come.
    fn wait_for(&mut self, bytes: usize) {
        if bytes <= self.filled - self.at || self.missing > 0 {
            return;
        }
        self.set_aside();
        let end = self.at + bytes.min(self.remaining());
        while self.filled < end {
            if self.filled == self.spare.len() {
                let more = 2 * self.filled.max(LONG_BYTES);
                self.spare.resize(end.min(more), 0);
            }
            let most = end.min(self.spare.len());
            match self.source.read(&mut self.spare[self.filled..most]) {
                Some(length @ 1..) => {
                    self.filled += length;
                    self.more -= length;
                }
                _ => {
                    self.missing = std::mem::take(&mut self.more);
                    break;
                }
            }
        }
        self.refill();
    }

    fn outcome(&self) -> Result<(), Status> {
        match self.missing {
            0 => Ok(()),
            _ => Err(Status::new(Code::Unavailable, "it has not come whole")),
        }
    }
}

#[cfg(test)]
mod tests;
