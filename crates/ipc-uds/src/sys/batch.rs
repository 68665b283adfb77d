//! Several messages with one system call.

#![allow(unsafe_code)]

use super::{Cmsg, check, control_bytes, each_cmsg, empty_header};
use ipc_core::Credentials;
use rustix::io::Errno;
use std::mem::MaybeUninit;
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

/// What the calls are given, of which only as many are made as there are messages: to make all
/// would cost more than a small message does.
struct Table {
    headers: [MaybeUninit<libc::mmsghdr>; MAX_BATCH],
    slices: [MaybeUninit<libc::iovec>; MAX_BATCH],
    made: usize,
}

impl Table {
    const fn new() -> Self {
        Self {
            headers: [const { MaybeUninit::uninit() }; MAX_BATCH],
            slices: [const { MaybeUninit::uninit() }; MAX_BATCH],
            made: 0,
        }
    }

    /// One message more, with its bytes at `at`; there must be fewer than [`MAX_BATCH`]. The
    /// table must not move between this and the call.
    fn add(&mut self, at: *mut u8, length: usize) -> &mut libc::msghdr {
        let slice = self.slices[self.made].write(libc::iovec {
            iov_base: at.cast(),
            iov_len: length,
        });
        let header = self.headers[self.made].write(libc::mmsghdr {
            msg_hdr: empty_header(),
            msg_len: 0,
        });
        header.msg_hdr.msg_iov = slice;
        header.msg_hdr.msg_iovlen = 1;
        self.made += 1;
        &mut header.msg_hdr
    }

    fn as_mut_ptr(&mut self) -> *mut libc::mmsghdr {
        self.headers.as_mut_ptr().cast()
    }

    /// The first `count`, at most as many as were made.
    fn filled(&self, count: usize) -> impl Iterator<Item = &libc::mmsghdr> {
        let made = &self.headers[..count.min(self.made)];
        // SAFETY: the first `made` headers were written by `add`.
        made.iter()
            .map(|header| unsafe { header.assume_init_ref() })
    }
}

/// sendmmsg(2) of up to [`MAX_BATCH`] messages, without waiting; returns how many went out, at
/// least one of some.
pub(crate) fn send_batch(fd: BorrowedFd<'_>, messages: &[&[u8]]) -> rustix::io::Result<usize> {
    let mut table = Table::new();
    for message in messages.iter().take(MAX_BATCH) {
        table.add(message.as_ptr().cast_mut(), message.len());
    }
    let (flags, count) = (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT, table.made as _);
    // SAFETY: `count` headers are valid for reads and writes (the kernel sets `msg_len`); what
    // they point to outlives the call and is only read, everything else in them is null with
    // length 0 (sendmmsg(2)).
    check(unsafe { libc::sendmmsg(fd.as_raw_fd(), table.as_mut_ptr(), count, flags as _) })
}

/// recvmmsg(2) into pieces of `each` bytes of `room`, as many as are there, up to [`MAX_BATCH`];
/// waits for the first alone, or for none. Descriptors are never installed.
pub(crate) fn recv_batch(
    fd: BorrowedFd<'_>,
    room: &mut [u8],
    each: usize,
    dont_wait: bool,
    mut take: impl FnMut(Slot),
) -> rustix::io::Result<()> {
    let mut table = Table::new();
    for piece in room.chunks_exact_mut(each).take(MAX_BATCH) {
        table.add(piece.as_mut_ptr(), piece.len());
    }
    let came = receive(fd, &mut table, dont_wait)?;
    for header in table.filled(came) {
        take(Slot {
            length: header.msg_len as usize,
            credentials: None,
        });
    }
    Ok(())
}

/// [`recv_batch`] with the senders' ids; descriptors are closed.
#[inline(never)]
pub(crate) fn recv_identified_batch(
    fd: BorrowedFd<'_>,
    room: &mut [u8],
    each: usize,
    dont_wait: bool,
    mut take: impl FnMut(Slot),
) -> rustix::io::Result<()> {
    let mut control = [[0_u8; IDS]; MAX_BATCH];
    let mut table = Table::new();
    for (piece, control) in room.chunks_exact_mut(each).zip(&mut control) {
        let header = table.add(piece.as_mut_ptr(), piece.len());
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = IDS as _;
    }
    let came = receive(fd, &mut table, dont_wait)?;
    for (header, control) in table.filled(came).zip(&control) {
        let mut slot = Slot {
            length: header.msg_len as usize,
            credentials: None,
        };
        let filled: usize = header.msg_hdr.msg_controllen as _;
        // What else is there, descriptors, is closed as it is dropped.
        each_cmsg(&control[..filled.min(IDS)], &mut |message: Cmsg<'_>| {
            if let Cmsg::Credentials(ids) = message {
                slot.credentials = Some(ids);
            }
        });
        take(slot);
    }
    Ok(())
}

/// recvmmsg(2). What `table` points to must be valid for writes.
fn receive(fd: BorrowedFd<'_>, table: &mut Table, dont_wait: bool) -> rustix::io::Result<usize> {
    let wait = if dont_wait {
        libc::MSG_DONTWAIT
    } else {
        libc::MSG_WAITFORONE
    };
    let flags = wait | libc::MSG_TRUNC | libc::MSG_CMSG_CLOEXEC;
    let (count, no_time_out) = (table.made as _, ptr::null_mut());
    // SAFETY: `count` headers are valid for writes; what they point to was made from `&mut` slices
    // that outlive the call, of the lengths given beside them, and no two of them overlap. The
    // time-out may be null (recvmmsg(2)).
    check(unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            table.as_mut_ptr(),
            count,
            flags as _,
            no_time_out,
        )
    })
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
