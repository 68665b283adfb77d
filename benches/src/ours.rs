//! Endpoints over the crates of this workspace, whose verbs are the same everywhere.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use ipc_core::{Error, ErrorKind, Framed, Pollable};

use crate::{descriptors::whole, family::Endpoint};

/// An end made of one of our endpoints, or of a pipe's two.
#[derive(Debug)]
pub struct Ours<T> {
    ends: T,
    /// A message is begun that is not wholly out.
    begun: bool,
    /// Bytes of a message of a byte stream that are here already.
    received: usize,
}

impl<T> Ours<T> {
    /// An end over `ends`.
    pub fn new(ends: T) -> Ours<T> {
        Ours {
            ends,
            begun: false,
            received: 0,
        }
    }
}

/// The two ends of pipes that one side holds.
#[derive(Debug)]
pub struct Pipes {
    /// To the other side.
    pub tx: ipc_pipe::Sender,
    /// From the other side.
    pub rx: ipc_pipe::Receiver,
}

/// The one end of a pipe that a sender of a fan-in, or its receiver, holds.
#[derive(Debug)]
pub enum PipeEnd {
    /// Writes only.
    Sender(ipc_pipe::Sender),
    /// Reads only.
    Receiver(ipc_pipe::Receiver),
}

impl Endpoint for PipeEnd {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            PipeEnd::Sender(tx) => Ok(tx.send(message)?),
            PipeEnd::Receiver(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let PipeEnd::Receiver(rx) = self else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut filled = 0;
        while filled < into.len() {
            filled += rx.recv(&mut into[filled..])?;
        }
        Ok(())
    }
}

impl<T: AsFd> AsFd for Ours<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.as_fd()
    }
}

/// What a try form gave, or `None` where it would block.
pub fn tried<R>(outcome: Result<R, Error>) -> io::Result<Option<R>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How messages are received from what: as bytes that add up, or whole.
macro_rules! endpoint {
    ($ends:ty, |$of:ident| $tx:expr, $rx:expr, flush: $flush:ident, $unit:ident) => {
        impl Endpoint for Ours<$ends> {
            #[inline]
            fn send(&mut self, message: &[u8]) -> io::Result<()> {
                let $of = &self.ends;
                Ok($tx.send(message)?)
            }

            #[inline]
            fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
                let $of = &self.ends;
                endpoint!(@recv $unit $rx, into)
            }

            fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
                let $of = &self.ends;
                if !self.begun && tried($tx.try_send(message))?.is_none() {
                    return Ok(false);
                }
                self.begun = endpoint!(@owes $flush $tx);
                Ok(!self.begun)
            }

            fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
                let $of = &self.ends;
                match tried($rx.try_recv(&mut into[self.received..]))? {
                    None => return Ok(false),
                    Some(length) => self.received += length,
                }
                let done = self.received >= into.len();
                if done {
                    self.received = 0;
                }
                Ok(done)
            }
        }
    };
    (@recv bytes $rx:expr, $into:ident) => {{
        let mut filled = 0;
        while filled < $into.len() {
            filled += $rx.recv(&mut $into[filled..])?;
        }
        Ok(())
    }};
    (@recv messages $rx:expr, $into:ident) => {{
        let length = $into.len();
        whole($rx.recv($into)?, length)
    }};
    (@owes yes $tx:expr) => {
        $tx.owes() && tried($tx.try_flush())?.is_none()
    };
    (@owes no $tx:expr) => {
        false
    };
}

endpoint!(Pipes, |pipes| pipes.tx, pipes.rx, flush: yes, bytes);
endpoint!(ipc_pipe::Stream, |stream| stream, stream, flush: yes, bytes);
endpoint!(ipc_uds::Stream, |stream| stream, stream, flush: yes, bytes);
endpoint!(Framed<ipc_uds::Stream>, |framed| framed, framed, flush: yes, messages);
endpoint!(ipc_uds::SeqPacket, |socket| socket, socket, flush: no, messages);
endpoint!(ipc_uds::Datagram, |socket| socket, socket, flush: no, messages);
endpoint!(ipc_net::Stream, |stream| stream, stream, flush: yes, bytes);
endpoint!(ipc_net::Datagram, |socket| socket, socket, flush: no, messages);
#[cfg(feature = "peers")]
endpoint!(ipc_net::tls::Stream, |stream| stream, stream, flush: yes, bytes);
