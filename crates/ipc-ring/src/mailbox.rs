//! A socket into which somebody puts the ropes of others, each with a note that says whose it is.

use crate::bell::Rope;
use crate::meet;
use ipc_core::{ErrorKind, Result};
use ipc_uds::{Ancillary, SeqPacket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(crate) const NOTE_BYTES: usize = 8;

/// Where we take them from.
#[derive(Debug)]
pub(crate) struct Mailbox {
    socket: SeqPacket,
    ancillary: Ancillary,
}

impl Mailbox {
    pub(crate) fn new(socket: SeqPacket) -> Self {
        Self {
            socket,
            ancillary: Ancillary::new(),
        }
    }

    /// The next note, and its rope; none where nothing is there.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) where nobody puts anything in any more.
    pub(crate) fn take(&mut self) -> Result<Option<([u8; NOTE_BYTES], Rope)>> {
        let mut note = [0; NOTE_BYTES];
        match self
            .socket
            .try_recv_with_fds(&mut note, &mut self.ancillary)
        {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let fds: Vec<OwnedFd> = self.ancillary.take_fds().collect();
        match <[OwnedFd; 1]>::try_from(fds) {
            Ok([rope]) => Ok(Some((note, meet::rope(rope)?))),
            Err(_) => Err(meet::corrupt("a rope comes alone")),
        }
    }
}

impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
