//! A large message that is decoded while it arrives, through one small buffer.

use bytes::Buf;
use rpc_core::{Code, Status};

/// What came of a message, and what will.
pub(crate) struct Arriving<'a, R> {
    buffer: &'a mut [u8],
    at: usize,
    filled: usize,
    /// How many bytes have not come.
    more: usize,
    read: R,
    /// How many of them do not come.
    missing: usize,
}

impl<'a, R: FnMut(&mut [u8]) -> Option<usize>> Arriving<'a, R> {
    /// What stands in `buffer` from `at` to `filled`, and `more` bytes that `read` brings; where it
    /// brings none, nothing more comes.
    pub(crate) fn new(
        buffer: &'a mut [u8],
        (at, filled): (usize, usize),
        more: usize,
        read: R,
    ) -> Self {
        let mut arriving = Self {
            buffer,
            at,
            filled,
            more,
            read,
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
        let came = match self.missing {
            0 => (self.read)(&mut self.buffer[..most]).filter(|length| *length > 0),
            _ => None,
        };
        (self.at, self.filled) = (0, came.unwrap_or(most));
        if came.is_none() {
            // Whoever decodes sees noughts, and then hears of it.
            self.missing = self.missing.max(self.more);
            self.buffer[..most].fill(0);
        }
        self.more -= self.filled;
    }

    /// Reads to the end, where nobody has; how many bytes have not come.
    pub(crate) fn finish(mut self) -> usize {
        if self.missing == 0 {
            self.advance(self.remaining());
        }
        self.missing
    }
}

impl<R: FnMut(&mut [u8]) -> Option<usize>> Buf for Arriving<'_, R> {
    fn remaining(&self) -> usize {
        self.filled - self.at + self.more
    }

    fn chunk(&self) -> &[u8] {
        &self.buffer[self.at..self.filled]
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let step = count.min(self.filled - self.at);
            assert!(step > 0, "nobody advances beyond the end");
            self.at += step;
            count -= step;
            self.refill();
        }
    }
}

impl<R: FnMut(&mut [u8]) -> Option<usize>> rpc_core::Arriving for Arriving<'_, R> {
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

    #[test]
    fn what_comes_in_pieces_is_one_message_and_nothing_behind_it_is_read() {
        let all: Vec<u8> = (0..10_000).map(|at| (at % 251) as u8).collect();
        for step in [1, 7, 300, 5000] {
            let mut buffer = [0; 512];
            buffer[3..20].copy_from_slice(&all[..17]);
            let mut at = 17;
            let read = |room: &mut [u8]| {
                let length = room.len().min(step);
                room[..length].copy_from_slice(&all[at..at + length]);
                at += length;
                Some(length)
            };
            let mut arriving = Arriving::new(&mut buffer, (3, 20), 8_000 - 17, read);
            assert_eq!(arriving.remaining(), 8_000);
            arriving.advance(5);
            assert_eq!(arriving.copy_to_bytes(6_000), all[5..6_005]);
            assert_eq!(arriving.outcome(), Ok(()));
            assert_eq!((arriving.finish(), at), (0, 8_000));
        }
    }

    #[test]
    fn what_does_not_come_is_nought_and_told() {
        let mut buffer = [7; 8];
        let mut reads = 0;
        let read = |room: &mut [u8]| {
            reads += 1;
            (reads == 1).then_some(room.len())
        };
        let mut arriving = Arriving::new(&mut buffer, (0, 8), 20, read);
        assert_eq!(arriving.copy_to_bytes(28)[16..], [0; 12]);
        assert!(arriving.outcome().is_err());
        assert_eq!(arriving.finish(), 12);
        let mut buffer = [7; 8];
        let arriving = Arriving::new(&mut buffer, (8, 8), 20, |_: &mut [u8]| None);
        assert!(arriving.outcome().is_err());
        assert_eq!(arriving.finish(), 20);
    }
}
