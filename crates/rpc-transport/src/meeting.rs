//! A channel in shared memory before its other side has done its part: it carries no bytes yet.

use ipc_core::{ByteSink, ByteSource, Debt, Error, ErrorKind, Interest, Pollable, Result, Until};
use std::os::fd::BorrowedFd;

/// What is a channel after the handshake.
pub(crate) struct Meeting {
    meeting: ipc_ring::Meeting,
    debt: Debt,
}

impl Meeting {
    pub(crate) fn new(meeting: ipc_ring::Meeting) -> Self {
        let debt = Debt::default();
        Self { meeting, debt }
    }

    /// Waits until the other side has done its part.
    pub(crate) fn finish(&self, until: Until) -> Result<()> {
        match until {
            Until::Now => self.meeting.try_finish(),
            Until::Forever => self.meeting.finish(),
            Until::At(deadline) => self.meeting.finish_deadline(deadline),
        }
    }

    /// The channel that was made.
    pub(crate) fn channel(&self) -> Result<ipc_ring::Channel> {
        self.meeting.channel()
    }
}

/// Nothing goes over it before the handshake.
#[cold]
fn too_early(operation: &'static str) -> Error {
    Error::new(operation, ErrorKind::Unsupported)
        .hint("the two sides of shared memory meet first: Wire::handshake")
}

impl Pollable for Meeting {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.meeting.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.meeting.wait_ready(interests, until)
    }
}

impl ByteSource for Meeting {
    fn read_until(&self, _: &mut [u8], _: Until) -> Result<usize> {
        Err(too_early("read"))
    }
}

impl ByteSink for Meeting {
    fn write_until(&self, _: &[u8], _: &[u8], _: Until) -> Result<usize> {
        Err(too_early("write"))
    }
    fn debt(&self) -> &Debt {
        &self.debt
    }
}
