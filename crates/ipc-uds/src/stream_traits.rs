//! What a stream is to event loops, protocols and the standard library.

use crate::ancillary::Ancillary;
use crate::socket::message;
use crate::stream::Stream;
use ipc_core::{
    ByteSink, ByteSource, Debt, ErrorKind, HalfClose, Interest, Pollable, Result, TryRecvFds,
    TrySendFds, Until, byte_stream,
};
use std::os::fd::BorrowedFd;

impl ByteSource for Stream {
    #[inline(always)]
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.recv_until(buffer, until) {
            // An end with a system error behind it (a reset) is none that the peer meant.
            Err(error) if error.kind() == ErrorKind::Closed && error.raw_os_error().is_none() => {
                Ok(0)
            }
            outcome => outcome,
        }
    }
}

impl ByteSink for Stream {
    #[inline(always)]
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        match head {
            [] => self.socket.send(body, until),
            _ => self
                .socket
                .send_message(&message(head, body, &[], None), until),
        }
    }
    #[inline]
    fn debt(&self) -> &Debt {
        Stream::debt(self)
    }
    fn end_until(&self, until: Until) -> Result<()> {
        self.pay_until(until)?;
        HalfClose::close_write(self)
    }
}

impl HalfClose for Stream {
    fn close_write(&self) -> Result<()> {
        self.close_write()
    }
}

impl Pollable for Stream {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.socket.fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket.wait_ready(interests, until)
    }
    fn arm(&self, _interest: Interest) -> Result<bool> {
        Ok(self.socket.awaits_verdict())
    }
    fn owes(&self) -> bool {
        self.debt().owes()
    }
    fn pay(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

byte_stream!(Stream);

impl TrySendFds for Stream {
    fn try_send_with_fds(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.try_send_with_fds(message, fds)
    }
}

impl TryRecvFds for Stream {
    type Ancillary = Ancillary;
    fn try_recv_with_fds(&self, buffer: &mut [u8], ancillary: &mut Ancillary) -> Result<usize> {
        self.try_recv_with_fds(buffer, ancillary)
    }
}
