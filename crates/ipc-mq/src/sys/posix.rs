//! POSIX queues through the engine, the crate `posixmq`, and the one call that it lacks.
//!
//! Of the engine we use what is right: opening, and each call with its retry after a signal. Its
//! timed forms go by the wall clock, so of them only the one with a past time is used, which is
//! how the kernel is asked not to wait; its iterators panic, and are not used.

use super::{errno_of, last_errno};
use ipc_core::{Mode, Name};
use posixmq::{OpenOptions, PosixMq};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::result::Result;
use std::time::SystemTime;

/// A time that has passed on any host: a call with it never waits.
const PAST: SystemTime = SystemTime::UNIX_EPOCH;

/// What a description is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    #[default]
    Both,
    Receive,
    Send,
}

/// What a new queue is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Make {
    pub(crate) mode: Mode,
    pub(crate) max_messages: usize,
    pub(crate) message_size_bytes: usize,
}

/// An open description of a queue.
#[derive(Debug)]
pub(crate) struct Engine(PosixMq);

impl Engine {
    /// Opens the queue `name`, or makes it where it must be new; above the standard streams.
    pub(crate) fn open(name: &Name, access: Access, make: Option<Make>) -> Result<OwnedFd, Errno> {
        let mut options = match access {
            Access::Both => OpenOptions::readwrite(),
            Access::Receive => OpenOptions::readonly(),
            Access::Send => OpenOptions::writeonly(),
        };
        if let Some(make) = make {
            options
                .create_new()
                .mode(make.mode.bits())
                .capacity(make.max_messages)
                .max_msg_len(make.message_size_bytes);
        }
        let opened = options.open(name.as_str()).map_err(|e| errno_of(&e))?;
        // SAFETY: the engine gives up its descriptor, so nobody else owns it; on Linux it is a
        // file descriptor (mq_overview(7)), close-on-exec from the call on.
        Ok(unsafe { OwnedFd::from_raw_fd(opened.into_raw_fd()) })
    }

    /// Takes a descriptor of a queue.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        // SAFETY: on Linux a queue's descriptor is a file descriptor, and `fd` gives up the
        // ownership. One that is no queue's makes every call fail with EBADF (mq_getattr(3)).
        Self(unsafe { PosixMq::from_raw_fd(fd.into_raw_fd()) })
    }

    /// How many messages it takes, of how many bytes, and how many are there.
    pub(crate) fn attributes(&self) -> Result<(usize, usize, usize), Errno> {
        let attributes = self.0.attributes().map_err(|e| errno_of(&e))?;
        Ok((
            attributes.capacity,
            attributes.max_msg_len,
            attributes.current_messages,
        ))
    }

    /// One raw call, which waits for room.
    #[inline]
    pub(crate) fn send(&self, message: &[u8], priority: u32) -> Result<(), Errno> {
        self.0.send(priority, message).map_err(|e| errno_of(&e))
    }

    /// One raw call, which does not wait: `AGAIN`.
    #[inline]
    pub(crate) fn try_send(&self, message: &[u8], priority: u32) -> Result<(), Errno> {
        let sent = self.0.send_deadline(priority, message, PAST);
        sent.map_err(|error| not_now(errno_of(&error)))
    }

    /// One raw call, which waits for a message; its length and priority.
    #[inline]
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> Result<(usize, u32), Errno> {
        let (priority, length) = self.0.recv(buffer).map_err(|e| errno_of(&e))?;
        Ok((length, priority))
    }

    /// One raw call, which does not wait: `AGAIN`.
    #[inline]
    pub(crate) fn try_recv(&self, buffer: &mut [u8]) -> Result<(usize, u32), Errno> {
        let received = self.0.recv_deadline(buffer, PAST);
        let (priority, length) = received.map_err(|error| not_now(errno_of(&error)))?;
        Ok((length, priority))
    }

    /// The descriptor alone.
    pub(crate) fn into_fd(self) -> OwnedFd {
        // SAFETY: as in `open`.
        unsafe { OwnedFd::from_raw_fd(self.0.into_raw_fd()) }
    }
}

impl AsFd for Engine {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the engine owns the descriptor and closes it when it is dropped, which the
        // borrow of `self` forbids.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}

/// A past time is said to be over; a description that does not block says so at once.
fn not_now(errno: Errno) -> Errno {
    match errno {
        Errno::TIMEDOUT => Errno::AGAIN,
        errno => errno,
    }
}

/// Removes a name.
pub(crate) fn unlink(name: &Name) -> Result<(), Errno> {
    posixmq::remove_queue(name.as_str()).map_err(|error| errno_of(&error))
}

/// Bytes of what the kernel sends when a registered queue gets a message (`NOTIFY_COOKIE_LEN`).
pub(crate) const COOKIE_BYTES: usize = 32;

/// Asks the kernel to send `cookie` to a netlink socket of ours when the queue, being empty,
/// gets a message, with its last byte saying why.
///
/// This is how the C library learns of it for its `SIGEV_THREAD`, whose thread we do without: the
/// socket is as good in any event loop. The C library's own function would start the thread.
pub(crate) fn register(
    queue: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    cookie: &[u8; COOKIE_BYTES],
) -> Result<(), Errno> {
    // SAFETY: `sigevent` is plain integers and a pointer, for which zero is a value.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    event.sigev_notify = libc::SIGEV_THREAD;
    event.sigev_signo = socket.as_raw_fd();
    event.sigev_value.sival_ptr = cookie.as_ptr().cast_mut().cast();
    // SAFETY: `event` is a valid `sigevent`, and its pointer leads to the 32 bytes that the
    // kernel copies during the call (mq_notify(2), ipc/mqueue.c); both outlive it.
    let outcome =
        unsafe { libc::syscall(libc::SYS_mq_notify, queue.as_raw_fd(), &raw const event) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

/// Takes back the registration of this process, if it has one.
pub(crate) fn unregister(queue: BorrowedFd<'_>) {
    let none = std::ptr::null::<libc::sigevent>();
    // SAFETY: a null event takes the registration back (mq_notify(2)).
    unsafe { libc::syscall(libc::SYS_mq_notify, queue.as_raw_fd(), none) };
}
