//! Several messages with one system call.

#![allow(unsafe_code)]

use super::{Cmsg, check, control_bytes, each_cmsg, empty_header};
use ipc_core::Credentials;
use rustix::io::Errno;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Most messages of one system call: 64. The kernel takes 1,024; the gain is had long before, and
/// what describes them stays on the stack.
pub const MAX_BATCH: usize = 64;

/// Room for the sender's ids; where descriptors came they may take it, and are closed.
const IDS: usize = control_bytes(0);

/// One received message, but for its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// The message's true length, which may be above the room for it.
    pub(crate) length: usize,
    pub(crate) credentials: Option<Credentials>,
}

impl Slot {
    pub(crate) const EMPTY: Self = Self {
        length: 0,
        credentials: None,
    };
}

fn no_message() -> libc::mmsghdr {
    libc::mmsghdr {
        msg_hdr: empty_header(),
        msg_len: 0,
    }
}

/// sendmmsg(2) of up to [`MAX_BATCH`] messages, without waiting; returns how many went out, at
/// least one of some.
pub(crate) fn send_batch(fd: BorrowedFd<'_>, messages: &[&[u8]]) -> rustix::io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); MAX_BATCH];
    let mut headers = [no_message(); MAX_BATCH];
    let count = messages.len().min(MAX_BATCH);
    for (slice, message) in slices.iter_mut().zip(messages) {
        *slice = IoSlice::new(message);
    }
    for (header, slice) in headers.iter_mut().zip(&slices[..count]) {
        // `IoSlice` has the layout of `iovec` on Unix, as std promises.
        header.msg_hdr.msg_iov = ptr::from_ref(slice).cast_mut().cast();
        header.msg_hdr.msg_iovlen = 1;
    }
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: `count` headers are valid for reads and writes (the kernel sets `msg_len`); what
    // they point to outlives the call and is only read, everything else in them is null with
    // length 0 (sendmmsg(2)).
    check(unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count as _, flags as _) })
}

/// recvmmsg(2) into pieces of `each` bytes of `room`, as many as are there, up to [`MAX_BATCH`];
/// waits for the first alone, or for none. Descriptors are closed.
pub(crate) fn recv_batch(
    fd: BorrowedFd<'_>,
    room: &mut [u8],
    each: usize,
    identified: bool,
    slots: &mut [Slot; MAX_BATCH],
    dont_wait: bool,
) -> rustix::io::Result<usize> {
    let mut control = [[0_u8; IDS]; MAX_BATCH];
    let mut slices = [libc::iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    }; MAX_BATCH];
    let mut headers = [no_message(); MAX_BATCH];
    let pieces = room.chunks_exact_mut(each).take(MAX_BATCH);
    let mut count = 0;
    for (piece, slice) in pieces.zip(&mut slices) {
        slice.iov_base = piece.as_mut_ptr().cast();
        slice.iov_len = piece.len();
        count += 1;
    }
    for ((header, slice), control) in headers.iter_mut().zip(&mut slices).zip(&mut control) {
        header.msg_hdr.msg_iov = slice;
        header.msg_hdr.msg_iovlen = 1;
        if identified {
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = IDS as _;
        }
    }
    let wait = if dont_wait {
        libc::MSG_DONTWAIT
    } else {
        libc::MSG_WAITFORONE
    };
    let flags = wait | libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: `count` headers are valid for writes; what they point to outlives the call, is
    // valid for writes over the lengths given beside it, and no two of them overlap. Without a
    // time-out, which may be null, nothing else is read (recvmmsg(2)).
    let came = check(unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            count,
            flags as _,
            ptr::null_mut(),
        )
    })?;
    let came = came.min(MAX_BATCH);
    for ((slot, header), control) in slots.iter_mut().zip(&headers[..came]).zip(&control) {
        *slot = Slot {
            length: header.msg_len as usize,
            credentials: None,
        };
        if identified {
            let filled: usize = header.msg_hdr.msg_controllen as _;
            // What else is there, descriptors, is closed as it is dropped.
            each_cmsg(&control[..filled.min(IDS)], &mut |message: Cmsg<'_>| {
                if let Cmsg::Credentials(ids) = message {
                    slot.credentials = Some(ids);
                }
            });
        }
    }
    Ok(came)
}

/// `SO_DOMAIN` and `SO_TYPE` say that `fd` is a Unix socket that keeps messages apart.
pub(crate) fn is_seqpacket(fd: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    use rustix::net::{AddressFamily, SocketType, sockopt};
    match sockopt::socket_domain(fd) {
        Err(Errno::NOTSOCK) => Ok(false),
        Err(errno) => Err(errno),
        Ok(domain) => {
            let kind = sockopt::socket_type(fd)?;
            Ok(domain == AddressFamily::UNIX && kind == SocketType::SEQPACKET)
        }
    }
}
