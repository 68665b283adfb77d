//! What a datagram socket is to event loops and to ipc-async.

use crate::address::{Address, Spot};
use crate::ancillary::Ancillary;
use crate::datagram::{Datagram, watcher};
use ipc_core::{
    Flush, Interest, Pollable, Result, TryRecv, TryRecvFds, TryRecvFrom, TrySend, TrySendFds,
    TrySendFdsTo, TrySendTo, Until,
};
use std::os::fd::{BorrowedFd, OwnedFd};

impl Pollable for Datagram {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.socket.fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket.wait_ready(interests, until)
    }
}

impl TrySend for Datagram {
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, Until::Now)
    }
}

impl Flush for Datagram {
    /// Nothing is ever owed: a message goes out whole or not at all.
    fn try_flush(&self) -> Result<()> {
        Ok(())
    }
}

impl TryRecv for Datagram {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl TrySendFds for Datagram {
    fn try_send_with_fds(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.try_send_with_fds(message, fds)
    }
}

impl TryRecvFds for Datagram {
    type Ancillary = Ancillary;
    fn try_recv_with_fds(&self, buffer: &mut [u8], ancillary: &mut Ancillary) -> Result<usize> {
        self.try_recv_with_fds(buffer, ancillary)
    }
}

impl TrySendTo for Datagram {
    type Address = Address;
    fn try_send_to(&self, message: &[u8], address: &Address) -> Result<()> {
        self.try_send_to(message, address)
    }
    /// The queue of whoever has `address` shows on a socket that is connected to it alone.
    fn room_at(&self, address: &Address) -> Result<Option<OwnedFd>> {
        watcher(&self.find("send", &Spot::of(address)?)?)
    }
}

impl TrySendFdsTo for Datagram {
    fn try_send_with_fds_to(
        &self,
        message: &[u8],
        fds: &[BorrowedFd<'_>],
        address: &Address,
    ) -> Result<()> {
        self.try_send_with_fds_to(message, fds, address)
    }
}

impl TryRecvFrom for Datagram {
    type Address = Address;
    fn try_recv_from(&self, buffer: &mut [u8]) -> Result<(usize, Address)> {
        self.try_recv_from(buffer)
    }
}
