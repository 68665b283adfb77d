//! Sends that wait for what becomes of the message.

use crate::Sender;
use crate::layout::{ACKED, AT_DONE};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use std::sync::atomic::Ordering::Acquire;

/// What [`Sender::send_acked`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The receiver has taken the message.
    Taken,
    /// The receiver has said by [`Receiver::done`](crate::Receiver::done) that it is done with it.
    Done,
}

impl Sender {
    four_forms! {
        /// Sends a message and waits until the receiver has taken it, or is done with it. False
        /// where it was sent, and what was waited for did not come in time; other threads' sends
        /// wait meanwhile.
        ///
        /// # Errors
        /// As [`send`](Sender::send), and then nothing was sent; but
        /// [`PeerDied`](ErrorKind::PeerDied) and [`Closed`](ErrorKind::Closed) also where the
        /// receiver has gone without a word on the message.
        send_acked / try_send_acked / send_acked_timeout / send_acked_deadline
            = send_acked_until(message: &[u8], ack: Ack) -> bool
    }

    fn send_acked_until(&self, message: &[u8], ack: Ack, until: Until) -> Result<bool> {
        let _turn = self.link.turn("send", until)?;
        let (at, end) = self.room(message.len(), until)?;
        if !message.is_empty() {
            self.link.own.write(at, message);
        }
        self.commit(message.len() | ACKED, end);
        let sent = self.sent.get();
        let look = || {
            // Read first: what it told before it closed counts.
            let closed = self.link.they_closed();
            match self.told(ack)? >= sent {
                true => Ok(Some(())),
                false if closed => Err(Error::new("send", ErrorKind::Closed)),
                false => Ok(None),
            }
        };
        match self.link.wait("send", sent, until, look) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// How many messages the receiver says it has taken, or is done with.
    fn told(&self, ack: Ack) -> Result<u64> {
        // Read first: it tells what it has taken before it tells that it is done with it.
        let done = self.link.theirs.load_u64(AT_DONE, Acquire);
        self.look_at_progress()?;
        if ack == Ack::Taken {
            return Ok(self.taken.get());
        }
        if done > self.taken.get() {
            return Err(Error::new("send", ErrorKind::Corrupt)
                .hint("the receiver says that it is done with what it has not taken"));
        }
        Ok(done)
    }
}
