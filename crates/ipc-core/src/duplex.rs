//! Byte streams: a source, a sink, both in one, and the end of one direction.

use crate::{Debt, Pollable, Result, Until};

/// An endpoint from which bytes can be read.
pub trait ByteSource: Pollable {
    /// Reads at least one byte, waiting until `until`; `Ok(0)` is the end of the stream (or an
    /// empty `buffer`).
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) or [`TimedOut`](crate::ErrorKind::TimedOut):
    /// nothing was taken.
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize>;
}

/// An endpoint to which bytes can be written.
pub trait ByteSink: Pollable {
    /// Writes `head` then `body` in one system call as far as there is room, at least one byte
    /// of a non-empty pair, waiting until `until`.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) or [`TimedOut`](crate::ErrorKind::TimedOut):
    /// nothing was written. [`Closed`](crate::ErrorKind::Closed): nobody can read it any more.
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize>;

    /// What this endpoint has accepted and not written yet; there is one for all that write here.
    fn debt(&self) -> &Debt;

    /// Writes all that is owed, also what an endpoint below this one has accepted of it.
    ///
    /// # Errors
    /// [`WouldBlock`](crate::ErrorKind::WouldBlock) or [`TimedOut`](crate::ErrorKind::TimedOut)
    /// while something is still owed.
    fn pay_until(&self, until: Until) -> Result<()> {
        self.debt().flush(self, until)
    }

    /// Writes what is owed and tells the peer that no more comes, where the mechanism can say so
    /// before the endpoint is dropped, as those with [`HalfClose`] can.
    ///
    /// # Errors
    /// As [`pay_until`](ByteSink::pay_until).
    fn end_until(&self, until: Until) -> Result<()> {
        self.pay_until(until)
    }
}

/// A byte stream in both directions, as every transport of a protocol is.
pub trait Duplex: ByteSource + ByteSink {}

impl<T: ByteSource + ByteSink + ?Sized> Duplex for T {}

/// A stream whose own direction can be ended while the peer's goes on: sockets can; of a pair of
/// pipes one drops the sender instead.
pub trait HalfClose: Duplex {
    /// Ends the own direction: the peer reads to the end, and its answer can still come.
    ///
    /// # Errors
    /// [`Closed`](crate::ErrorKind::Closed) where it is ended already.
    fn close_write(&self) -> Result<()>;
}

impl<T: ByteSource + ?Sized> ByteSource for &T {
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        (**self).read_until(buffer, until)
    }
}

impl<T: ByteSink + ?Sized> ByteSink for &T {
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        (**self).write_until(head, body, until)
    }
    fn debt(&self) -> &Debt {
        (**self).debt()
    }
    fn pay_until(&self, until: Until) -> Result<()> {
        (**self).pay_until(until)
    }
    fn end_until(&self, until: Until) -> Result<()> {
        (**self).end_until(until)
    }
}

/// The traits of a byte stream that it has by its verbs: the try-forms, and `Read` and `Write` of
/// the standard library, for itself and for references to it.
///
/// The type implements [`ByteSource`] and [`ByteSink`], and has, private or not, what
/// [`four_forms!`](crate::four_forms!) calls for `send`, `recv` and `flush`: `send_until`,
/// `recv_until` and `flush_until`. Generics stand in brackets before it.
///
/// ```text
/// ipc_core::byte_stream!(Stream);
/// ipc_core::byte_stream!([T: Duplex] Stream<T>);
/// ```
#[macro_export]
macro_rules! byte_stream {
    ([$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> $crate::TrySend for $stream {
            fn try_send(&self, message: &[u8]) -> $crate::Result<()> {
                self.send_until(message, $crate::Until::Now)
            }
        }

        impl<$($generics)*> $crate::Flush for $stream {
            fn try_flush(&self) -> $crate::Result<()> {
                self.flush_until($crate::Until::Now)
            }
        }

        impl<$($generics)*> $crate::TryRecv for $stream {
            fn try_recv(&self, buffer: &mut [u8]) -> $crate::Result<usize> {
                self.recv_until(buffer, $crate::Until::Now)
            }
        }

        impl<$($generics)*> ::std::io::Read for &$stream {
            fn read(&mut self, buffer: &mut [u8]) -> ::std::io::Result<usize> {
                let forever = $crate::Until::Forever;
                Ok($crate::ByteSource::read_until(*self, buffer, forever)?)
            }
        }

        impl<$($generics)*> ::std::io::Read for $stream {
            fn read(&mut self, buffer: &mut [u8]) -> ::std::io::Result<usize> {
                ::std::io::Read::read(&mut &*self, buffer)
            }
        }

        impl<$($generics)*> ::std::io::Write for &$stream {
            fn write(&mut self, bytes: &[u8]) -> ::std::io::Result<usize> {
                let forever = $crate::Until::Forever;
                self.flush_until(forever)?;
                Ok($crate::ByteSink::write_until(*self, &[], bytes, forever)?)
            }
            fn flush(&mut self) -> ::std::io::Result<()> {
                Ok(self.flush_until($crate::Until::Forever)?)
            }
        }

        impl<$($generics)*> ::std::io::Write for $stream {
            fn write(&mut self, bytes: &[u8]) -> ::std::io::Result<usize> {
                ::std::io::Write::write(&mut &*self, bytes)
            }
            fn flush(&mut self) -> ::std::io::Result<()> {
                ::std::io::Write::flush(&mut &*self)
            }
        }
    };
    ($stream:ty) => {
        $crate::byte_stream!([] $stream);
    };
}
