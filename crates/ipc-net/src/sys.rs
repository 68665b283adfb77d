//! Every system call of the crate that is not on the path of a message, all of them safe.

use crate::options::Options;
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, os_error};
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A new stream socket, non-blocking: its description is ours alone.
pub(crate) fn stream(operation: &'static str, address: &SocketAddr) -> Result<OwnedFd> {
    socket(operation, address, Type::STREAM.nonblocking())
}

/// A new datagram socket.
pub(crate) fn datagram(operation: &'static str, address: &SocketAddr) -> Result<OwnedFd> {
    socket(operation, address, Type::DGRAM)
}

fn socket(operation: &'static str, address: &SocketAddr, kind: Type) -> Result<OwnedFd> {
    match Socket::new(Domain::for_address(*address), kind, None) {
        Ok(socket) => above_stdio(socket.into()),
        Err(source) => Err(failure(operation, source).on(address)),
    }
}

/// Sets what can be set for any socket; a listener's go over to what it accepts.
pub(crate) fn prepare(operation: &'static str, fd: &OwnedFd, options: &Options) -> Result<()> {
    size_buffers(operation, fd, options)?;
    let socket = SockRef::from(fd);
    let keepalive = options
        .keepalive
        .map(|idle| TcpKeepalive::new().with_time(idle).with_interval(idle / 3));
    let set = || -> io::Result<()> {
        socket.set_tcp_nodelay(options.nodelay)?;
        if let Some(keepalive) = &keepalive {
            socket.set_tcp_keepalive(keepalive)?;
        }
        if options.unacknowledged_timeout.is_some() {
            socket.set_tcp_user_timeout(options.unacknowledged_timeout)?;
        }
        Ok(())
    };
    set().map_err(|source| failure(operation, source))
}

pub(crate) fn size_buffers(operation: &'static str, fd: &OwnedFd, options: &Options) -> Result<()> {
    let socket = SockRef::from(fd);
    let set = || -> io::Result<()> {
        if let Some(bytes) = options.send_buffer_bytes {
            socket.set_send_buffer_size(bytes.min(i32::MAX as usize))?;
        }
        if let Some(bytes) = options.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes.min(i32::MAX as usize))?;
        }
        Ok(())
    };
    set().map_err(|source| failure(operation, source))
}

/// Binds `fd`, which takes part in both families where its address is `::`, unless the options
/// say otherwise; the host's setting (net.ipv6.bindv6only) plays no part.
pub(crate) fn bind(fd: &OwnedFd, address: &SocketAddr, options: &Options) -> Result<()> {
    let socket = SockRef::from(fd);
    let set = || -> io::Result<()> {
        if address.is_ipv6() {
            socket.set_only_v6(options.only_v6)?;
        }
        if options.reuse_port {
            socket.set_reuse_port(true)?;
        }
        Ok(())
    };
    set().map_err(|source| failure("bind", source).on(address))?;
    rustix::net::bind(fd, address).map_err(|errno| bind_failure(address, errno))
}

/// Connections of a listener before, which the kernel still remembers, do not hinder this one.
pub(crate) fn reuse_address(fd: &OwnedFd) -> Result<()> {
    SockRef::from(fd)
        .set_reuse_address(true)
        .map_err(|source| failure("bind", source))
}

#[cold]
fn bind_failure(address: &SocketAddr, errno: Errno) -> Error {
    let error = os_error("bind", errno).on(address);
    match errno {
        Errno::ADDRINUSE => error.hint("another socket has this address and port"),
        Errno::ADDRNOTAVAIL => Error::new("bind", ErrorKind::NotFound)
            .on(address)
            .hint("no interface of this host has this address")
            .caused_by(errno.into()),
        Errno::ACCESS => error.hint(
            "ports below net.ipv4.ip_unprivileged_port_start (1024) need CAP_NET_BIND_SERVICE",
        ),
        _ => error,
    }
}

/// The address that `fd` is bound to.
pub(crate) fn local_address(fd: BorrowedFd<'_>) -> Result<SocketAddr> {
    let found = rustix::net::getsockname(fd).map_err(|errno| os_error("address", errno))?;
    SocketAddr::try_from(found).map_err(|_| not_internet("address"))
}

/// The address that the peer of `fd` has.
pub(crate) fn peer_address(fd: BorrowedFd<'_>) -> Result<SocketAddr> {
    let found = rustix::net::getpeername(fd).map_err(|errno| os_error("peer address", errno))?;
    let found = found.ok_or_else(|| Error::new("peer address", ErrorKind::Closed))?;
    SocketAddr::try_from(found).map_err(|_| not_internet("peer address"))
}

/// Whether `fd`, which tried to connect, has connected to itself: to a free port from which it was
/// given its own, as TCP allows.
pub(crate) fn is_its_own_peer(fd: &OwnedFd) -> bool {
    matches!(
        (local_address(fd.as_fd()), peer_address(fd.as_fd())),
        (Ok(own), Ok(peer)) if own == peer
    )
}

#[cold]
fn not_internet(operation: &'static str) -> Error {
    Error::new(operation, ErrorKind::WrongType).hint("the socket has no internet address")
}

#[cold]
fn failure(operation: &'static str, source: io::Error) -> Error {
    match Errno::from_io_error(&source) {
        Some(errno) => os_error(operation, errno),
        None => Error::new(operation, ErrorKind::Other).caused_by(source),
    }
}
