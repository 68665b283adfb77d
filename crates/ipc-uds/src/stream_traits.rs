//! What a stream is to event loops, protocols and the standard library.

use crate::ancillary::Ancillary;
use crate::socket::message;
use crate::stream::Stream;
use ipc_core::{
    ByteSink, ByteSource, Debt, ErrorKind, Flush, HalfClose, Interest, Pollable, Result, TryRecv,
    TryRecvFds, TrySend, TrySendFds, Until,
};
use std::io::{self, Read, Write};
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

impl TrySend for Stream {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Stream {
    fn try_flush(&self) -> Result<()> {
        self.flush_until(Until::Now)
    }
}

impl TryRecv for Stream {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_until(buffer, Until::Forever)?)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush_until(Until::Forever)?;
        Ok(self.write_until(&[], bytes, Until::Forever)?)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(self.flush_until(Until::Forever)?)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut &*self)
    }
}

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
