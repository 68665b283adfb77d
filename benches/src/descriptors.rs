//! Endpoints over plain descriptors, which several mechanisms share: streams of bytes, packets,
//! and whatever implements the traits of std.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use crate::family::Endpoint;

/// A stream of bytes, one descriptor each way. To poll, both must be non-blocking.
///
/// Sockets are used by send(2) and recv(2), which cost less there than write(2) and read(2): a
/// reference must be the best that plain calls can do.
#[derive(Debug)]
pub struct ByteStream<const SOCKET: bool> {
    tx: OwnedFd,
    rx: OwnedFd,
    sent: usize,
    received: usize,
}

impl ByteStream<false> {
    /// An end that writes to `tx` and reads from `rx`.
    pub fn of_pipes(tx: OwnedFd, rx: OwnedFd) -> ByteStream<false> {
        ByteStream {
            tx,
            rx,
            sent: 0,
            received: 0,
        }
    }
}

impl ByteStream<true> {
    /// An end over a connected stream socket.
    pub fn of_socket(socket: OwnedFd) -> io::Result<ByteStream<true>> {
        Ok(ByteStream {
            tx: socket.try_clone()?,
            rx: socket,
            sent: 0,
            received: 0,
        })
    }
}

impl<const SOCKET: bool> ByteStream<SOCKET> {
    #[inline]
    fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        if SOCKET {
            rustix::net::send(&self.tx, bytes, SendFlags::NOSIGNAL)
        } else {
            rustix::io::write(&self.tx, bytes)
        }
    }

    #[inline]
    fn read(&self, into: &mut [u8]) -> Result<usize, Errno> {
        if SOCKET {
            rustix::net::recv(&self.rx, into, RecvFlags::empty()).map(|(got, _)| got)
        } else {
            rustix::io::read(&self.rx, into)
        }
    }
}

impl<const SOCKET: bool> AsFd for ByteStream<SOCKET> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.rx.as_fd()
    }
}

impl<const SOCKET: bool> Endpoint for ByteStream<SOCKET> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut rest = message;
        while !rest.is_empty() {
            match self.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(&mut into[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        match self.write(&message[self.sent..]) {
            Ok(written) => self.sent += written,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(complete(&mut self.sent, message.len()))
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match self.read(&mut into[self.received..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.received += read,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(complete(&mut self.received, into.len()))
    }
}

/// Packets over one connected socket.
#[derive(Debug)]
pub struct Packets {
    socket: OwnedFd,
}

impl Packets {
    /// An end over a connected socket that keeps message boundaries.
    pub fn new(socket: OwnedFd) -> Packets {
        Packets { socket }
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Endpoint for Packets {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        loop {
            match rustix::net::send(&self.socket, message, SendFlags::NOSIGNAL) {
                Ok(sent) => return whole(sent, message.len()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let len = into.len();
        loop {
            match rustix::net::recv(&self.socket, &mut *into, RecvFlags::empty()) {
                Ok((got, _)) => return whole(got, len),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match rustix::net::send(&self.socket, message, flags) {
            Ok(sent) => whole(sent, message.len()).map(|()| true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        let len = into.len();
        match rustix::net::recv(&self.socket, &mut *into, RecvFlags::DONTWAIT) {
            Ok((got, _)) => whole(got, len).map(|()| true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A stream of bytes through the traits of std.
#[derive(Debug)]
pub struct StdStream<W, R> {
    tx: W,
    rx: R,
}

impl<W: Write + Send, R: Read + Send> StdStream<W, R> {
    /// An end that writes to `tx` and reads from `rx`.
    pub fn new(tx: W, rx: R) -> StdStream<W, R> {
        StdStream { tx, rx }
    }
}

impl<W: Write + Send, R: Read + Send> Endpoint for StdStream<W, R> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.tx.write_all(message)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.rx.read_exact(into)
    }
}

/// Makes a descriptor non-blocking where the shape is polled.
pub fn set_polling(descriptor: &OwnedFd, polling: bool) -> io::Result<()> {
    if polling {
        rustix::io::ioctl_fionbio(descriptor, true)?;
    }
    Ok(())
}

/// A packet must arrive as a whole.
pub fn whole(got: usize, expected: usize) -> io::Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{got} bytes of a message of {expected}"
    )))
}

fn complete(progress: &mut usize, len: usize) -> bool {
    let done = *progress >= len;
    if done {
        *progress = 0;
    }
    done
}
