//! A stream that reads in a test's own way, and is else the wire that it has.

use ipc_core::{ByteSink, ByteSource, Debt, Interest, Pollable, Result, Until};
use rpc_core::Peer;
use rpc_transport::Wire;
use std::os::fd::BorrowedFd;

struct Reads<R, W> {
    wire: Wire,
    read: R,
    has_come: W,
}

/// `wire`, of which `read` reads.
pub(crate) fn reads(
    wire: Wire,
    read: impl Fn(&Wire, &mut [u8], Until) -> Result<usize> + Send + Sync + 'static,
) -> Wire {
    reads_what_has_come(wire, read, || false)
}

/// The same of one where something has come whenever `has_come` says so.
pub(crate) fn reads_what_has_come(
    wire: Wire,
    read: impl Fn(&Wire, &mut [u8], Until) -> Result<usize> + Send + Sync + 'static,
    has_come: impl Fn() -> bool + Send + Sync + 'static,
) -> Wire {
    let reads = Reads {
        wire,
        read,
        has_come,
    };
    Wire::new(reads, Peer::Unknown)
}

impl<R, W: Fn() -> bool> Pollable for Reads<R, W> {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.wire.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        match interests.contains(&Interest::Read) && (self.has_come)() {
            true => Ok(()),
            false => self.wire.wait_ready(interests, until),
        }
    }
    fn owes(&self) -> bool {
        self.wire.owes()
    }
}

impl<R, W> ByteSource for Reads<R, W>
where
    R: Fn(&Wire, &mut [u8], Until) -> Result<usize>,
    W: Fn() -> bool,
{
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        (self.read)(&self.wire, buffer, until)
    }
}

impl<R, W: Fn() -> bool> ByteSink for Reads<R, W> {
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        self.wire.write_until(head, body, until)
    }
    fn debt(&self) -> &Debt {
        self.wire.debt()
    }
    fn pay_until(&self, until: Until) -> Result<()> {
        self.wire.pay_until(until)
    }
}
