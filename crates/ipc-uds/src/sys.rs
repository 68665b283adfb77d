//! Every system call of the crate, and how control messages lie in memory.

#![allow(unsafe_code)]

mod batch;

pub use self::batch::MAX_BATCH;
pub(crate) use self::batch::{is_seqpacket, recv_batch, recv_identified_batch, send_batch};

use crate::address::Address;
use ipc_core::{Credentials, Result};
use ipc_sys::{above_stdio, os_error};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType};
use std::io::IoSlice;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// `SO_PASSPIDFD`: each message brings its sender's pidfd (Linux 6.5).
const SO_PASSPIDFD: libc::c_int = 76;
/// `SO_PEERPIDFD`: the pidfd of the peer (Linux 6.5).
const SO_PEERPIDFD: libc::c_int = 77;
/// `SCM_PIDFD`: the control message that brings a pidfd.
const SCM_PIDFD: libc::c_int = 4;

pub(crate) const STREAM: SocketType = SocketType::STREAM;
pub(crate) const SEQPACKET: SocketType = SocketType::SEQPACKET;
pub(crate) const DATAGRAM: SocketType = SocketType::DGRAM;

/// A new socket.
pub(crate) fn socket(
    operation: &'static str,
    kind: SocketType,
    more: SocketFlags,
) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | more;
    let fd = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)
        .map_err(|errno| os_error(operation, errno))?;
    above_stdio(fd)
}

/// Two sockets that are connected.
pub(crate) fn pair(kind: SocketType) -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    let (left, right) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)
        .map_err(|errno| os_error("create pair", errno))?;
    Ok((above_stdio(left)?, above_stdio(right)?))
}

/// The ids of the peer as they were at connect, or of the server at listen.
pub(crate) fn peer_credentials(fd: BorrowedFd<'_>) -> rustix::io::Result<Credentials> {
    let mut ids = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `ids` and `length` are valid for writes, `length` says the size of `ids`
    // (getsockopt(2)); `fd` is open for the call.
    let outcome = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            ptr::from_mut(&mut ids).cast(),
            &mut length,
        )
    };
    check(outcome).map(|_| from_ucred(ids.pid, ids.uid, ids.gid))
}

/// A pidfd of the peer as it was at connect, or of the server at listen.
pub(crate) fn peer_pidfd(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let mut pidfd: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `pidfd` and `length` are valid for writes, `length` says the size of `pidfd`
    // (getsockopt(2)); `fd` is open for the call.
    let outcome = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            ptr::from_mut(&mut pidfd).cast(),
            &mut length,
        )
    };
    check(outcome)?;
    own(pidfd).and_then(|fd| above_stdio(fd).map_err(|_| Errno::MFILE))
}

/// Each message received from `fd` brings its sender's pidfd from now on.
pub(crate) fn set_pass_pidfd(fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` is valid for reads and its size is given (setsockopt(2)); `fd` is open for
    // the call.
    let outcome = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PASSPIDFD,
            ptr::from_ref(&on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    check(outcome).map(drop)
}

/// What goes out in one call.
pub(crate) struct Outgoing<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) fds: &'a [BorrowedFd<'a>],
    pub(crate) to: Option<&'a SocketAddrUnix>,
}

/// sendmsg(2). There must be at most [`MAX_FDS`](crate::MAX_FDS) descriptors.
#[inline]
pub(crate) fn send_message(
    fd: BorrowedFd<'_>,
    message: &Outgoing<'_>,
    flags: libc::c_int,
) -> rustix::io::Result<usize> {
    match message.fds {
        [] => send_with_control(fd, message, &[], flags),
        fds => {
            let mut control = [0; control_bytes(crate::MAX_FDS)];
            let length = put_rights(&mut control, fds);
            send_with_control(fd, message, &control[..length], flags)
        }
    }
}

fn send_with_control(
    fd: BorrowedFd<'_>,
    message: &Outgoing<'_>,
    control: &[u8],
    flags: libc::c_int,
) -> rustix::io::Result<usize> {
    let slices = [IoSlice::new(message.head), IoSlice::new(message.body)];
    let slices = if message.head.is_empty() {
        &slices[1..]
    } else {
        &slices[..]
    };
    let to = message.to.map(|to| SocketAddrAny::from(to.clone()));
    let mut header = empty_header();
    // `IoSlice` has the layout of `iovec` on Unix, as std promises.
    header.msg_iov = slices.as_ptr().cast_mut().cast();
    header.msg_iovlen = slices.len() as _;
    if let Some(to) = &to {
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.addr_len();
    }
    if !control.is_empty() {
        header.msg_control = control.as_ptr().cast_mut().cast();
        header.msg_controllen = control.len() as _;
    }
    // SAFETY: every pointer in `header` is null with length 0 or points to memory that outlives
    // the call, of the length given beside it; sendmsg(2) only reads it.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &header, flags | libc::MSG_NOSIGNAL) };
    check(sent)
}

/// What a [`recv_message`] brought beside the bytes.
pub(crate) struct Received {
    /// The message's true length, which may be above the buffer's for a message socket.
    pub(crate) length: usize,
    pub(crate) control_truncated: bool,
    pub(crate) from: Address,
}

/// recvmsg(2), descriptors close-on-exec. Each control message goes to `take`, which owns what it
/// brings; what it does not keep is closed.
pub(crate) fn recv_message(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    control: &mut [u8],
    flags: libc::c_int,
    mut take: impl FnMut(Cmsg<'_>),
) -> rustix::io::Result<Received> {
    let mut name = NO_NAME;
    let mut slice = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut header = empty_header();
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    header.msg_iov = &mut slice;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = control.len() as _;
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: every pointer in `header` points to memory that outlives the call, valid for writes
    // over the length given beside it (recvmsg(2)).
    let length = check(unsafe { libc::recvmsg(fd.as_raw_fd(), &mut header, flags) })?;
    let filled: usize = header.msg_controllen as _;
    each_cmsg(&control[..filled.min(control.len())], &mut take);
    Ok(Received {
        length,
        control_truncated: header.msg_flags & libc::MSG_CTRUNC != 0,
        from: address(&name, header.msg_namelen),
    })
}

const NO_NAME: libc::sockaddr_un = libc::sockaddr_un {
    sun_family: libc::AF_UNIX as libc::sa_family_t,
    sun_path: [0; 108],
};

/// The address that a call has filled in, of `length` bytes with the family.
fn address(name: &libc::sockaddr_un, length: libc::socklen_t) -> Address {
    let named = (length as usize).saturating_sub(offset_of!(libc::sockaddr_un, sun_path));
    let path = name.sun_path.map(|byte| byte as u8);
    Address::from_sun_path(&path[..named.min(path.len())])
}

/// The address that `fd` is bound to.
pub(crate) fn local_address(fd: BorrowedFd<'_>) -> rustix::io::Result<Address> {
    let mut name = NO_NAME;
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    let place = ptr::from_mut(&mut name).cast();
    // SAFETY: `place` is valid for writes of `length` bytes, and `length` for writes
    // (getsockname(2)); `fd` is open for the call.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), place, &mut length) })?;
    Ok(address(&name, length))
}

/// The address that the peer of `fd` is bound to.
pub(crate) fn peer_address(fd: BorrowedFd<'_>) -> rustix::io::Result<Address> {
    let mut name = NO_NAME;
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    let place = ptr::from_mut(&mut name).cast();
    // SAFETY: `place` is valid for writes of `length` bytes, and `length` for writes
    // (getpeername(2)); `fd` is open for the call.
    check(unsafe { libc::getpeername(fd.as_raw_fd(), place, &mut length) })?;
    Ok(address(&name, length))
}

/// A control message, its descriptors owned.
pub(crate) enum Cmsg<'a> {
    Rights(Rights<'a>),
    Credentials(Credentials),
    Pidfd(rustix::io::Result<OwnedFd>),
    Other,
}

/// Walks what the kernel has filled in a moment ago, once: each descriptor gets its owner here.
fn each_cmsg(filled: &[u8], take: &mut impl FnMut(Cmsg<'_>)) {
    let mut rest = filled;
    while let Some((length, level, kind)) = header_of(rest) {
        let Some(data) = rest.get(HEADER..length) else {
            return;
        };
        take(match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => Cmsg::Rights(Rights(data)),
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => credentials(data),
            (libc::SOL_SOCKET, SCM_PIDFD) => match int_at(data, 0) {
                Some(number) => Cmsg::Pidfd(own(number)),
                None => Cmsg::Other,
            },
            _ => Cmsg::Other,
        });
        rest = rest.get(align(length)..).unwrap_or(&[]);
    }
}

/// Length, level and kind of the control message at the beginning of `bytes`.
fn header_of(bytes: &[u8]) -> Option<(usize, libc::c_int, libc::c_int)> {
    let length = usize::from_ne_bytes(*bytes.first_chunk()?);
    Some((length, int_at(bytes, SIZE)?, int_at(bytes, SIZE + 4)?))
}

/// The descriptors of one message; what is not taken is closed.
pub(crate) struct Rights<'a>(&'a [u8]);

impl Iterator for Rights<'_> {
    type Item = OwnedFd;
    fn next(&mut self) -> Option<OwnedFd> {
        let number = int_at(self.0, 0)?;
        self.0 = &self.0[size_of::<libc::c_int>()..];
        own(number).ok()
    }
}

impl Drop for Rights<'_> {
    fn drop(&mut self) {
        for fd in self.by_ref() {
            drop(fd);
        }
    }
}

/// How many bytes of control messages may come with `max_fds` descriptors, the sender's ids and
/// its process.
pub(crate) const fn control_bytes(max_fds: usize) -> usize {
    space(max_fds * 4) + space(size_of::<libc::ucred>()) + space(4)
}

/// The kernel's `struct cmsghdr` on every architecture: a `size_t`, then two ints.
const SIZE: usize = size_of::<usize>();
const HEADER: usize = align(SIZE + 8);

const fn align(length: usize) -> usize {
    length.saturating_add(SIZE - 1) & !(SIZE - 1)
}

const fn space(data: usize) -> usize {
    HEADER + align(data)
}

fn put_rights(control: &mut [u8], fds: &[BorrowedFd<'_>]) -> usize {
    if fds.is_empty() {
        return 0;
    }
    let length = HEADER + fds.len() * 4;
    control[..SIZE].copy_from_slice(&length.to_ne_bytes());
    control[SIZE..SIZE + 4].copy_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
    control[SIZE + 4..HEADER].copy_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
    for (place, fd) in control[HEADER..length].chunks_exact_mut(4).zip(fds) {
        place.copy_from_slice(&fd.as_raw_fd().to_ne_bytes());
    }
    length
}

fn credentials(data: &[u8]) -> Cmsg<'_> {
    match (int_at(data, 0), int_at(data, 4), int_at(data, 8)) {
        (Some(pid), Some(uid), Some(gid)) => {
            Cmsg::Credentials(from_ucred(pid, uid as u32, gid as u32))
        }
        _ => Cmsg::Other,
    }
}

fn from_ucred(pid: libc::pid_t, uid: u32, gid: u32) -> Credentials {
    // A socket without a peer has pid 0 and the ids -1.
    Credentials {
        pid: u32::try_from(pid).unwrap_or(0),
        uid,
        gid,
    }
}

fn int_at(bytes: &[u8], at: usize) -> Option<libc::c_int> {
    Some(libc::c_int::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Owns a descriptor that the kernel has just made for us; a negative one is an error number.
fn own(number: libc::c_int) -> rustix::io::Result<OwnedFd> {
    if number < 0 {
        return Err(Errno::from_raw_os_error(-number));
    }
    // SAFETY: the kernel installed `number` in this very call for us alone (SCM_RIGHTS, SCM_PIDFD
    // and SO_PEERPIDFD make new descriptors); each is passed here once, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn empty_header() -> libc::msghdr {
    let header = MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: `msghdr` has pointers and integers only, for which zero bytes are valid.
    unsafe { header.assume_init() }
}

/// The result of a call, or its error number.
fn check<T: TryInto<usize>>(outcome: T) -> rustix::io::Result<usize> {
    outcome
        .try_into()
        .map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
