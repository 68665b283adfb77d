//! What the blocking client writes, and what it makes of a server that takes it no more.

use super::Inner;
use crate::straight::Message;
use bytes::Buf;
use ipc_core::{ByteSink, ErrorKind, Pollable, Until};
use rpc_core::Status;

impl Inner {
    /// Sends a message of so many bytes behind what is to be written. What is left of it when its
    /// time is over goes out before anything else does.
    pub(super) fn send_straight(
        &mut self,
        message: Message<'_>,
        bytes: usize,
        until: Until,
    ) -> Result<(), Status> {
        let (codec, wire) = (self.format.codec(), &self.wire);
        let output = &mut self.machine.link.output;
        let write = |head: &[u8], body: &[u8]| wire.write_until(head, body, until);
        match message.send(codec, bytes, output, write) {
            true => Ok(()),
            false => {
                // The server takes what follows for a part of it.
                self.wire.shut_down();
                Err(self.lost("a message has not the length that it says"))
            }
        }
    }

    /// Nothing can be written any more: what the server has said before it went says whether what
    /// was to be written may have run.
    #[cold]
    fn last_words(&mut self, error: &ipc_core::Error) -> Status {
        self.machine.link.output.clear();
        while let Ok(length) = self.read_some(Until::Now) {
            if let Err(status) = self.take_in(length) {
                return status;
            }
        }
        self.lost(&error.to_string())
    }

    pub(crate) fn flush(&mut self, until: Until) -> Result<(), Status> {
        while !self.machine.link.output.is_empty() {
            match self.wire.write_until(&[], &self.machine.link.output, until) {
                Ok(written) => self.machine.link.output.advance(written),
                Err(error) if is_gone(&error) => return Err(self.last_words(&error)),
                Err(error) => return Err(self.failed(&error)),
            }
        }
        if !self.wire.owes() {
            return Ok(());
        }
        // What a layer below has taken (TLS) goes out too.
        let paid = self.wire.pay_until(until);
        paid.map_err(|error| self.failed(&error))
    }
}

fn is_gone(error: &ipc_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::Closed | ErrorKind::PeerDied)
}
