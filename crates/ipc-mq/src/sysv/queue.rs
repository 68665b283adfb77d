//! The System V queue: what each verb does.

use super::messages::{Received, Select, no_kind};
use super::options::check_capacity;
use crate::limits::setting;
use crate::sys;
use ipc_core::{Error, ErrorKind, Mode, Result, Until};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

const WAIT: i32 = 0;

/// A queue of messages in the kernel, each with a type, a positive number.
///
/// What was sent stays until it is received or the queue is removed, also when all processes have
/// ended. A queue that is removed ends every wait with [`NotFound`](ErrorKind::NotFound).
#[derive(Debug)]
pub struct Queue {
    id: i32,
    /// The longest message that it took when it was last asked: saves to ask for each message.
    largest_bytes: AtomicUsize,
}

/// What the kernel knows of a queue at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How many messages wait in it.
    pub messages: usize,
    /// Their bytes together.
    pub bytes: usize,
    /// How many bytes it holds at most.
    pub capacity_bytes: usize,
    /// Who sent last, as a process id, which may be another's by now; 0 is nobody.
    pub last_sender: u32,
    /// Who received last, likewise.
    pub last_receiver: u32,
    /// When somebody last sent.
    pub sent: Option<SystemTime>,
    /// When somebody last received.
    pub received: Option<SystemTime>,
    /// Who owns it.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
}

impl Queue {
    /// The queue `id`, which another process has passed on.
    ///
    /// An id is a number that anybody may guess: the queue's mode alone says who may use it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`].
    pub fn from_id(id: i32) -> Result<Self> {
        let queue = Self {
            id,
            largest_bytes: AtomicUsize::new(0),
        };
        queue.ask_largest().map_err(|e| no_longer("open", e))?;
        Ok(queue)
    }

    /// Sends `message` with type `kind`, which is positive. Waits while the queue is full. The
    /// kernel has no timed form.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a type that is not positive; [`ErrorKind::TooLarge`] names
    /// the limit of the host (kernel.msgmax) or of the queue: such a message would be refused, or
    /// wait for ever; [`ErrorKind::NotFound`] where the queue is removed, also while one waits.
    #[inline]
    #[doc(alias = "msgsnd")]
    pub fn send(&self, message: &[u8], kind: i64) -> Result<()> {
        self.send_until(message, kind, Until::Forever)
    }

    /// [`send`](Queue::send) without waiting.
    ///
    /// # Errors
    /// As [`send`](Queue::send), and [`WouldBlock`](ErrorKind::WouldBlock) where it would have to
    /// wait.
    #[inline]
    pub fn try_send(&self, message: &[u8], kind: i64) -> Result<()> {
        self.send_until(message, kind, Until::Now)
    }

    /// Receives the message that `select` chooses into `buffer`. Waits for one. The kernel has no
    /// timed form.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] where the message is longer than the buffer: it stays in the queue;
    /// [`ErrorKind::NotFound`] where the queue is removed, also while one waits;
    /// [`ErrorKind::InvalidInput`] for a type that is not positive.
    #[inline]
    #[doc(alias = "msgrcv")]
    pub fn recv(&self, buffer: &mut [u8], select: Select) -> Result<Received> {
        self.recv_until(buffer, select, WAIT, Until::Forever)
    }

    /// [`recv`](Queue::recv) without waiting.
    ///
    /// # Errors
    /// As [`recv`](Queue::recv), and [`WouldBlock`](ErrorKind::WouldBlock) where no message
    /// matches.
    #[inline]
    pub fn try_recv(&self, buffer: &mut [u8], select: Select) -> Result<Received> {
        self.recv_until(buffer, select, WAIT, Until::Now)
    }

    /// [`recv`](Queue::recv), but of a message that is longer than the buffer the beginning is
    /// received and the rest is lost; [`Received::truncated`] says so.
    ///
    /// # Errors
    /// As [`recv`](Queue::recv), but for `TooLarge`.
    #[doc(alias = "MSG_NOERROR")]
    pub fn recv_truncated(&self, buffer: &mut [u8], select: Select) -> Result<Received> {
        self.recv_until(buffer, select, libc::MSG_NOERROR, Until::Forever)
    }

    /// [`recv_truncated`](Queue::recv_truncated) without waiting.
    ///
    /// # Errors
    /// As [`recv_truncated`](Queue::recv_truncated), and
    /// [`WouldBlock`](ErrorKind::WouldBlock) where no message matches.
    pub fn try_recv_truncated(&self, buffer: &mut [u8], select: Select) -> Result<Received> {
        self.recv_until(buffer, select, libc::MSG_NOERROR, Until::Now)
    }

    /// Copies message number `index`, from 0 for the oldest, and leaves it in the queue. It never
    /// waits.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] where the queue has no such message now;
    /// [`ErrorKind::TooLarge`] where it is longer than the buffer; [`ErrorKind::Unsupported`] by
    /// a kernel that cannot (CONFIG_CHECKPOINT_RESTORE); [`ErrorKind::NotFound`].
    #[doc(alias = "MSG_COPY")]
    pub fn peek(&self, buffer: &mut [u8], index: usize) -> Result<Received> {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let flags = libc::MSG_COPY | libc::IPC_NOWAIT;
        match sys::receive(self.id, buffer, index, flags) {
            Ok((kind, length)) => Ok(Received {
                length,
                kind,
                truncated: false,
            }),
            Err(Errno::NOSYS) => Err(Error::new("peek", ErrorKind::Unsupported)
                .caused_by(Errno::NOSYS.into())
                .hint("this kernel cannot copy a message (CONFIG_CHECKPOINT_RESTORE)")),
            Err(errno) => Err(not_received("peek", errno, buffer.len(), Until::Now)),
        }
    }

    /// What the kernel knows of the queue.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    #[doc(alias = "IPC_STAT")]
    pub fn status(&self) -> Result<Status> {
        let status = sys::stat(self.id).map_err(|errno| no_longer("status", errno))?;
        let time = |seconds: i64| {
            let since = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
            since.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        };
        Ok(Status {
            messages: in_memory(status.msg_qnum),
            bytes: in_memory(status.__msg_cbytes),
            capacity_bytes: in_memory(status.msg_qbytes),
            last_sender: status.msg_lspid.unsigned_abs(),
            last_receiver: status.msg_lrpid.unsigned_abs(),
            sent: time(status.msg_stime),
            received: time(status.msg_rtime),
            uid: status.msg_perm.uid,
            gid: status.msg_perm.gid,
            mode: u32::from(status.msg_perm.mode) & 0o777,
        })
    }

    /// Changes its permissions.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for another user's; [`ErrorKind::InvalidInput`].
    #[doc(alias = "IPC_SET")]
    pub fn set_mode(&self, bits: u32) -> Result<()> {
        let mode = Mode::new(bits)?;
        let mut status = sys::stat(self.id).map_err(|errno| no_longer("set mode", errno))?;
        status.msg_perm.mode = mode.bits() as _;
        sys::change(self.id, status).map_err(|errno| no_longer("set mode", errno))
    }

    /// Changes how many bytes it holds.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] above kernel.msgmnb; [`ErrorKind::Denied`] for another user's.
    pub fn set_capacity_bytes(&self, bytes: usize) -> Result<()> {
        check_capacity("set capacity", bytes)?;
        let fail = |errno| no_longer("set capacity", errno);
        let mut status = sys::stat(self.id).map_err(fail)?;
        status.msg_qbytes = bytes as _;
        sys::change(self.id, status).map_err(fail)?;
        self.ask_largest().map(drop).map_err(fail)
    }

    /// Removes the queue at once, with all that is in it; those who wait at it are told
    /// `NotFound`. The file of a named queue is [unlinked](super::Options::unlink) instead.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`].
    #[doc(alias = "IPC_RMID")]
    pub fn remove(&self) -> Result<()> {
        sys::remove(self.id).map_err(|errno| no_longer("remove", errno))
    }

    /// Its id, to be passed to another process.
    #[must_use]
    pub const fn id(&self) -> i32 {
        self.id
    }

    #[inline(always)]
    fn send_until(&self, message: &[u8], kind: i64, until: Until) -> Result<()> {
        if kind <= 0 {
            return Err(no_kind("send", kind));
        }
        if message.len() > self.largest_bytes.load(Ordering::Relaxed) {
            self.check_length(message.len())?;
        }
        let flags = if until == Until::Now {
            libc::IPC_NOWAIT
        } else {
            WAIT
        };
        match sys::send(self.id, kind, message, flags) {
            Ok(()) => Ok(()),
            Err(Errno::AGAIN) => Err(until.over("send")),
            // The queue was there before: what is wrong now is the length or the queue.
            Err(errno) => Err(self
                .check_length(message.len())
                .err()
                .unwrap_or_else(|| no_longer("send", errno))),
        }
    }

    #[inline(always)]
    fn recv_until(
        &self,
        buffer: &mut [u8],
        select: Select,
        flags: i32,
        until: Until,
    ) -> Result<Received> {
        let (selector, except) = select.kernel_form()?;
        let nowait = if until == Until::Now {
            libc::IPC_NOWAIT
        } else {
            WAIT
        };
        match sys::receive(self.id, buffer, selector, flags | except | nowait) {
            Ok((kind, length)) => Ok(Received {
                length: length.min(buffer.len()),
                kind,
                truncated: length > buffer.len(),
            }),
            Err(errno) => Err(not_received("recv", errno, buffer.len(), until)),
        }
    }

    /// Refuses a message that the host or the queue does not take, after asking both anew.
    #[cold]
    fn check_length(&self, length: usize) -> Result<()> {
        let (of_host, of_queue) = self.ask_largest().map_err(|e| no_longer("send", e))?;
        let refuse = |what: String| Err(Error::new("send", ErrorKind::TooLarge).hint(what));
        if length > of_host {
            return refuse(format!(
                "a message of {length} bytes is above this host's limit {of_host} \
                 (kernel.msgmax); raise it as root with `sysctl kernel.msgmax={length}`"
            ));
        }
        if length > of_queue {
            return refuse(format!(
                "a message of {length} bytes never fits the queue, which holds {of_queue} \
                 (Queue::set_capacity_bytes, kernel.msgmnb)"
            ));
        }
        Ok(())
    }

    /// The longest message of the host, and that of the queue, in bytes.
    fn ask_largest(&self) -> std::result::Result<(usize, usize), Errno> {
        let of_queue = in_memory(sys::stat(self.id)?.msg_qbytes);
        // Where it cannot be read, the kernel says it.
        let of_host = setting("kernel/msgmax").unwrap_or(usize::MAX);
        let largest = of_queue.min(of_host);
        self.largest_bytes.store(largest, Ordering::Relaxed);
        Ok((of_host, of_queue))
    }
}

/// A number of the kernel about what is in memory.
fn in_memory(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cold]
fn not_received(operation: &'static str, errno: Errno, length: usize, until: Until) -> Error {
    match errno {
        Errno::NOMSG | Errno::AGAIN => until.over(operation),
        Errno::TOOBIG => Error::new(operation, ErrorKind::TooLarge)
            .caused_by(errno.into())
            .hint(format!(
                "the message is longer than the buffer's {length} bytes, and stays in the queue; \
                 recv_truncated takes its beginning"
            )),
        errno => no_longer(operation, errno),
    }
}

/// The error of a queue that may have been removed, before or while somebody waited.
#[cold]
pub(super) fn no_longer(operation: &'static str, errno: Errno) -> Error {
    match errno {
        Errno::IDRM | Errno::INVAL => Error::new(operation, ErrorKind::NotFound)
            .caused_by(errno.into())
            .hint("the queue was removed, or never was"),
        errno => os_error(operation, errno),
    }
}
