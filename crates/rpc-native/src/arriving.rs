//! A large message that is decoded while it arrives: what is little through one small buffer, and
//! what is long put together where it is taken from.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ipc_core::{ByteSource, Error, Until};
use rpc_core::{Code, Status};
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
                (self.at, self.filled) = (0, length);
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
        (self.at, self.filled) = (0, self.more.min(self.buffer.len()));
        self.more = 0;
        self.buffer[..self.filled].fill(0);
    }

    /// Puts `len` bytes together, more memory only as they come, and shares them: fewer, where no
    /// more come.
    fn together(&mut self, len: usize) -> Bytes {
        self.take_back();
        let mut whole = std::mem::take(self.spare);
        let mut filled = len.min(self.filled - self.at);
        whole.resize(whole.len().max(filled), 0);
        whole[..filled].copy_from_slice(&self.chunk()[..filled]);
        self.at += filled;
        while filled < len {
            if filled == whole.len() {
                whole.resize(len.min(2 * filled.max(LONG_BYTES)), 0);
            }
            let end = len.min(whole.len());
            match self.source.read(&mut whole[filled..end]) {
                Some(length @ 1..) => {
                    filled += length;
                    self.more -= length;
                }
                _ => {
                    self.fail();
                    break;
                }
            }
        }
        self.refill();
        let whole = Bytes::from(whole);
        let share = whole.slice(..filled);
        self.lent = Some(whole);
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
        &self.buffer[self.at..self.filled]
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
    fn outcome(&self) -> Result<(), Status> {
        match self.missing {
            0 => Ok(()),
            _ => Err(Status::new(Code::Unavailable, "it has not come whole")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc_core::Arriving as _;

    impl<R: FnMut(&mut [u8]) -> Option<usize>> Source for R {
        fn read(&mut self, room: &mut [u8]) -> Option<usize> {
            self(room)
        }
    }

    #[test]
    fn what_comes_in_pieces_is_one_message_and_nothing_behind_it_is_read() {
        let all: Vec<u8> = (0..10_000).map(|at| (at % 251) as u8).collect();
        for step in [1, 7, 300, 5000] {
            let (mut buffer, mut spare) = ([0; 512], Vec::new());
            buffer[3..20].copy_from_slice(&all[..17]);
            let mut at = 17;
            let read = |room: &mut [u8]| {
                let length = room.len().min(step);
                room[..length].copy_from_slice(&all[at..at + length]);
                at += length;
                Some(length)
            };
            let mut arriving = Arriving::new((&mut buffer, &mut spare), (3, 20), 8_000 - 17, read);
            assert_eq!(arriving.remaining(), 8_000);
            arriving.advance(5);
            assert_eq!(arriving.copy_to_bytes(6_000), all[5..6_005]);
            assert_eq!(arriving.outcome(), Ok(()));
            assert_eq!((arriving.read_to_end().0, at), (0, 8_000));
        }
    }

    #[test]
    fn what_does_not_come_is_nought_and_then_the_end_and_told() {
        let (mut buffer, mut spare) = ([7; 8], Vec::new());
        let reads = std::cell::Cell::new(0);
        let read = |room: &mut [u8]| {
            reads.set(reads.get() + 1);
            (reads.get() == 1).then_some(room.len())
        };
        let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 8), 20, read);
        assert_eq!(arriving.copy_to_bytes(14)[..], [7; 14]);
        assert_eq!((arriving.remaining(), arriving.missing), (14, 0));
        assert_eq!(arriving.get_u64(), 0x0707_0000_0000_0000);
        assert_eq!((arriving.remaining(), arriving.missing), (2, 12));
        let mut room = [7; 20];
        arriving.copy_to_slice(&mut room);
        assert_eq!((room, arriving.remaining()), ([0; 20], 0));
        arriving.advance(4);
        assert_eq!(arriving.copy_to_bytes(4), Bytes::new());
        assert!(arriving.outcome().is_err());
        assert_eq!((arriving.read_to_end().0, reads.get()), (12, 2));
        let (mut buffer, mut spare) = ([7; 8], Vec::new());
        let arriving = Arriving::new((&mut buffer, &mut spare), (8, 8), 20, |_: &mut [u8]| None);
        assert!(arriving.outcome().is_err());
        assert_eq!(arriving.read_to_end().0, 20);
    }

    #[test]
    fn a_long_field_is_put_together_and_its_memory_is_used_again() {
        let all: Vec<u8> = (0..200_000).map(|at| (at % 251) as u8).collect();
        let (mut buffer, mut spare, mut places) = ([0; 512], Vec::new(), Vec::new());
        for keeps in [false, false, true, false] {
            buffer[..100].copy_from_slice(&all[..100]);
            let (mut at, mut ahead) = (100, 0);
            let read = |room: &mut [u8]| {
                ahead = ahead.max(room.len().saturating_sub(at.max(LONG_BYTES)));
                let length = room.len().min(5_000);
                room[..length].copy_from_slice(&all[at..at + length]);
                at += length;
                Some(length)
            };
            let more = all.len() - 100;
            let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 100), more, read);
            arriving.advance(50);
            let long = arriving.copy_to_bytes(150_000);
            assert_eq!(long, all[50..150_050]);
            places.push(long.as_ptr());
            let kept = keeps.then_some(long);
            assert_eq!(arriving.copy_to_bytes(1_000), all[150_050..151_050]);
            assert_eq!(arriving.outcome(), Ok(()));
            assert_eq!((arriving.read_to_end().0, at), (0, all.len()));
            assert_eq!(spare.len() >= 150_000, !keeps, "{kept:?} has it");
        }
        assert_eq!(places[0], places[1]);
        assert_eq!(places[1], places[2]);
    }

    #[test]
    fn a_long_field_that_does_not_come_is_what_has_come_of_it() {
        let (mut buffer, mut spare, mut reads) = ([7; 512], Vec::new(), 0);
        let read = |room: &mut [u8]| {
            reads += 1;
            room.fill(7);
            (reads == 1).then_some(room.len())
        };
        let mut arriving = Arriving::new((&mut buffer, &mut spare), (0, 512), 4 << 20, read);
        let long = arriving.copy_to_bytes(4 << 20);
        assert!(long.iter().all(|byte| *byte == 7) && long.len() < 2 * LONG_BYTES + 512);
        assert!(arriving.outcome().is_err());
        let came = long.len();
        drop(long);
        assert_eq!(arriving.read_to_end().0, 512 + (4 << 20) - came);
        assert!(
            spare.len() <= 2 * LONG_BYTES,
            "{} bytes of memory",
            spare.len()
        );
    }
}
