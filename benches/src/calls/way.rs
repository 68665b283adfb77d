//! The kinds of connections that calls go over, made by hand, so that every maker has the same.

use std::{
    io,
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    os::unix::net::UnixStream,
};

use ipc_core::{Interest, Pollable};

use rpc_transport::Wire;

#[cfg(feature = "tls")]
use crate::secured::Secured;
use crate::{
    descriptors::ByteStream,
    family::Endpoint,
    limits::loopback,
    mechanisms::tcp,
    meet::Meet,
    scenario::{Scenario, Shape, Side},
};

/// The largest message of a call that a default run measures.
const USUAL_MAX: usize = 4 << 10;

/// One end of a connection.
#[derive(Debug)]
pub enum Socket {
    /// Of two Unix sockets.
    Unix(UnixStream),
    /// Over loopback.
    Tcp(TcpStream),
    /// A pipe each way: to write, and to read.
    Pipe(OwnedFd, OwnedFd),
    /// A ring each way, in shared memory.
    Ring(Box<ipc_ring::Channel>),
    /// TLS over loopback.
    #[cfg(feature = "tls")]
    Tls(Secured),
}

impl Socket {
    /// As our transports have it.
    pub fn into_wire(self) -> io::Result<Wire> {
        Ok(match self {
            Socket::Unix(socket) => Wire::unix(OwnedFd::from(socket).into())?,
            Socket::Tcp(socket) => Wire::tcp(OwnedFd::from(socket).into())?,
            Socket::Pipe(tx, rx) => Wire::pipe(ipc_pipe::Stream::join(tx.into(), rx.into())),
            Socket::Ring(channel) => Wire::shm(*channel)?,
            #[cfg(feature = "tls")]
            Socket::Tls(secured) => Wire::tls(secured.ours()?)?,
        })
    }

    /// For plain system calls.
    pub(super) fn into_raw(self) -> io::Result<RawStream> {
        Ok(match self {
            Socket::Unix(socket) => RawStream::Socket(ByteStream::of_socket(socket.into())?),
            Socket::Tcp(socket) => RawStream::Socket(ByteStream::of_socket(socket.into())?),
            Socket::Pipe(tx, rx) => RawStream::Pipes(ByteStream::of_pipes(tx, rx)),
            Socket::Ring(channel) => RawStream::Ring(Messages(channel)),
            #[cfg(feature = "tls")]
            Socket::Tls(secured) => RawStream::Tls(secured.blocking()?),
        })
    }

    /// What a maker says that cannot take a connection of this kind.
    pub fn unfit() -> io::Error {
        io::Error::new(io::ErrorKind::Unsupported, "it takes plain sockets only")
    }

    /// Of a client that has one connection.
    pub fn only(sockets: Vec<Socket>) -> io::Result<Socket> {
        let [socket] = <[Socket; 1]>::try_from(sockets)
            .map_err(|_| io::Error::other("its client has one connection"))?;
        Ok(socket)
    }
}

/// A connection for plain system calls.
pub(super) enum RawStream {
    Socket(ByteStream<true>),
    Pipes(ByteStream<false>),
    Ring(Messages),
    #[cfg(feature = "tls")]
    Tls(crate::secured::Blocking),
}

/// The messages of a ring each way.
pub(super) struct Messages(Box<ipc_ring::Channel>);

impl Endpoint for Messages {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.sender().send(message)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        match self.0.receiver().recv(into)? {
            length if length == into.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl AsFd for Messages {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.receiver().descriptor(Interest::Read)
    }
}

/// How the two sides of a connection find each other.
pub trait Way: 'static {
    /// How often bytes are copied on their way.
    const COPIES: &'static str = "2 (in and out of the kernel), and by the codec";

    /// Makes this side's end.
    fn socket(side: Side, meet: &Meet) -> io::Result<Socket>;

    /// Why this host lacks it.
    fn probe() -> Result<(), String> {
        Ok(())
    }

    /// Whether a default run has time for this cell.
    fn usual(_: &Shape) -> bool {
        false
    }
}

/// Unix sockets: what a default run measures of calls.
#[derive(Debug)]
pub struct Unix;

impl Way for Unix {
    fn socket(side: Side, meet: &Meet) -> io::Result<Socket> {
        meet.share(side, UnixStream::pair).map(Socket::Unix)
    }

    fn usual(shape: &Shape) -> bool {
        shape.scenario == Scenario::RoundTrip && shape.size <= USUAL_MAX
    }
}

/// Shared memory: a ring each way.
#[derive(Debug)]
pub struct Shm;

impl Way for Shm {
    const COPIES: &'static str = "2 (in and out of the ring), and by the codec";

    fn socket(side: Side, meet: &Meet) -> io::Result<Socket> {
        let socket = meet.share(side, || Ok(ipc_uds::pair_seqpacket()?))?;
        let mut options = ipc_ring::Options::new();
        // The largest message of the sweep, four times.
        options.capacity_bytes(4 << 20);
        Ok(Socket::Ring(Box::new(options.over(socket)?)))
    }
}

/// TCP over loopback, without delay.
#[derive(Debug)]
pub struct Tcp;

impl Way for Tcp {
    fn socket(side: Side, meet: &Meet) -> io::Result<Socket> {
        tcp::meet_by_tcp(side, meet).map(Socket::Tcp)
    }

    fn probe() -> Result<(), String> {
        loopback()
    }
}

/// TLS over TCP over loopback, both sides verified.
#[cfg(feature = "tls")]
#[derive(Debug)]
pub struct Tls;

#[cfg(feature = "tls")]
impl Way for Tls {
    const COPIES: &'static str = "2 (in and out of the kernel), by the cipher and by the codec";

    fn socket(side: Side, meet: &Meet) -> io::Result<Socket> {
        Secured::meet(side, meet).map(Socket::Tls)
    }

    fn probe() -> Result<(), String> {
        loopback()
    }
}

/// A pipe each way.
#[derive(Debug)]
pub struct Pipe;

impl Way for Pipe {
    fn socket(side: Side, meet: &Meet) -> io::Result<Socket> {
        match side {
            Side::Server => {
                let (rx, their_tx) = rustix_pipe()?;
                let (their_rx, tx) = rustix_pipe()?;
                meet.send_descriptors(&[their_tx.as_fd(), their_rx.as_fd()])?;
                Ok(Socket::Pipe(tx, rx))
            }
            Side::Client => {
                let [tx, rx] = meet.recv_descriptors()?;
                Ok(Socket::Pipe(tx, rx))
            }
        }
    }
}

/// The reading end and the writing end.
fn rustix_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}
