//! What the blocking client writes, what it takes in where the server takes nothing, and what it
//! makes of a server that takes nothing any more.

use super::Inner;
use crate::straight::Message;
use bytes::Buf;
use ipc_core::{ByteSink, Error, ErrorKind, Interest, Pollable, Result, Until};
use rpc_core::Status;
use std::time::Instant;

/// How much of our own what comes may make us say (credits, echoes) before a message is written,
/// behind which that stands. With more of it to say nothing further is taken in: who asks for
/// echoes without end, and reads none, fills no memory.
const MOST_SAID_BYTES: usize = 64 << 10;

/// Reads in a row between two attempts to write: who sends without end does not hold a write up
/// beyond its time.
const READS_IN_A_ROW: usize = 16;

impl Inner {
    /// Sends a message of so many bytes behind what is to be written. What is left of it when its
    /// time is over goes out before anything else does.
    pub(super) fn send_straight(
        &mut self,
        message: Message<'_>,
        bytes: usize,
        until: Until,
    ) -> std::result::Result<(), Status> {
        let codec = self.format.codec();
        let mut output = std::mem::take(&mut self.machine.link.output);
        let write = |head: &[u8], body: &[u8]| self.write_some(head, body, until);
        let is_whole = message.send(codec, bytes, &mut output, write);
        self.put_before(output);
        if !is_whole {
            // The server takes what follows for a part of it.
            self.wire.shut_down();
            return Err(self.lost("a message has not the length that it says"));
        }
        match self.machine.link.ended.clone() {
            None => Ok(()),
            Some(status) => {
                self.hang_up();
                Err(status)
            }
        }
    }

    pub(crate) fn flush(&mut self, until: Until) -> std::result::Result<(), Status> {
        while !self.machine.link.output.is_empty() {
            let output = &self.machine.link.output;
            match self.wire.write_until(&[], output, Until::Now) {
                Ok(written) => self.machine.link.output.advance(written),
                Err(error) => self.flush_on(error, until)?,
            }
        }
        if !self.wire.owes() {
            return Ok(());
        }
        // What a layer below has taken (TLS) goes out too.
        self.pay(until).map_err(|error| self.stopped(&error))
    }

    /// A write has said that it would wait, or why there will be none. All of what is to be written
    /// now goes out before anything that is said meanwhile.
    #[cold]
    fn flush_on(&mut self, error: Error, until: Until) -> std::result::Result<(), Status> {
        if error.kind() != ErrorKind::WouldBlock {
            return Err(self.stopped(&error));
        }
        let mut output = std::mem::take(&mut self.machine.link.output);
        let mut outcome = self.write_on(&[], &output, until);
        while let Ok(written) = outcome {
            output.advance(written);
            if output.is_empty() {
                break;
            }
            outcome = self.write_some(&[], &output, until);
        }
        self.put_before(output);
        outcome.map(drop).map_err(|error| self.stopped(&error))
    }

    /// What stands in `output` goes out before what was to be said meanwhile.
    fn put_before(&mut self, mut output: bytes::BytesMut) {
        let link = &mut self.machine.link;
        output.extend_from_slice(&link.output);
        link.output = output;
    }

    #[inline]
    fn write_some(&mut self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        match self.wire.write_until(head, body, Until::Now) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.write_on(head, body, until),
            outcome => outcome,
        }
    }

    /// Writes some of what the server did not take at once. What it sends is taken in meanwhile:
    /// it may wait for that itself, and then neither would ever go on.
    #[cold]
    fn write_on(&mut self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        if until == Until::Now {
            return Err(until.over("write"));
        }
        let mut waited = false;
        loop {
            self.wait_for_room(&mut waited, until)?;
            match self.wire.write_until(head, body, Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
    }

    #[cold]
    fn pay(&mut self, until: Until) -> Result<()> {
        let mut waited = false;
        loop {
            match self.wire.pay_until(Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            self.wait_for_room(&mut waited, until)?;
        }
    }

    /// Waits until there may be room. Where it `waited` before, and there is none, it was
    /// something to read that ended the wait.
    fn wait_for_room(&mut self, waited: &mut bool, until: Until) -> Result<()> {
        // Who finds something to read each time never waits, and hears of no end.
        if until.is_over() {
            return Err(until.over("write"));
        }
        if self.says_too_much() {
            return self.wire.wait_ready(&[Interest::Write], until);
        }
        if std::mem::replace(waited, true) || self.wire.has_buffered() {
            self.take_in_what_came()?;
        }
        self.wire
            .wait_ready(&[Interest::Read, Interest::Write], until)
    }

    fn says_too_much(&self) -> bool {
        self.machine.link.output.len() > MOST_SAID_BYTES
    }

    /// Takes in what has come, for as long as that ends nothing; what ended is in the link.
    fn take_in_what_came(&mut self) -> Result<()> {
        for _ in 0..READS_IN_A_ROW {
            let length = match self.read(Until::Now) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?,
            };
            self.came = true;
            let taken = match length {
                0 => Err(self.lost("the server has gone")),
                length => self.understand(length, Instant::now()),
            };
            if taken.is_err() {
                return Err(Error::new("write", ErrorKind::Closed));
            }
            if self.says_too_much() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Why no more is written.
    #[cold]
    fn stopped(&mut self, error: &Error) -> Status {
        if let Some(status) = self.machine.link.ended.clone() {
            self.hang_up();
            return status;
        }
        match error.kind() {
            ErrorKind::Closed | ErrorKind::PeerDied => self.last_words(error),
            _ => self.failed(error),
        }
    }

    /// Nothing can be written any more: what the server has said before it went says whether what
    /// was to be written may have run.
    fn last_words(&mut self, error: &Error) -> Status {
        self.machine.link.output.clear();
        while let Ok(length) = self.read_some(Until::Now) {
            if let Err(status) = self.take_in(length, Instant::now()) {
                return status;
            }
        }
        self.lost(&error.to_string())
    }

    /// Says as much as goes out at once of why the connection has ended, and ends the stream.
    #[cold]
    pub(super) fn hang_up(&mut self) {
        let output = &mut self.machine.link.output;
        while !output.is_empty() {
            match self.wire.write_until(&[], output, Until::Now) {
                Ok(written) => output.advance(written),
                Err(_) => break,
            }
        }
        let _ = self.wire.pay_until(Until::Now);
        self.wire.shut_down();
    }
}
