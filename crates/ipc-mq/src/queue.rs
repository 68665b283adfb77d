//! The POSIX queue: what each verb does.

use crate::MAX_PRIORITY;
use crate::notification::Notification;
use crate::sys::Engine;
use ipc_core::{
    Error, ErrorKind, Flush, Interest, Pollable, Result, Spin, SpinBudget, TryRecv, TrySend, Until,
    four_forms,
};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A queue of messages in the kernel: the one with the highest priority first, among those of one
/// priority the oldest.
///
/// Any number of processes send and receive. What was sent stays until it is received, also when
/// all processes have ended, until the queue is unlinked and closed, or the host starts again.
///
/// ```
/// let queue = ipc_mq::Options::new().max_messages(4).message_size_bytes(64).create_unnamed()?;
/// queue.send(b"sweep", 0)?;
/// queue.send(b"fire", 9)?;
/// let mut message = [0; 64];
/// assert_eq!(queue.recv(&mut message)?, 4);
/// assert_eq!(&message[..4], b"fire");
/// # Ok::<(), ipc_mq::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "mqd_t")]
pub struct Queue {
    engine: Engine,
    // Both stay as they were made, as long as the queue lives.
    max_messages: usize,
    message_size_bytes: usize,
    budget: Option<Arc<SpinBudget>>,
}

/// What the kernel knows of a queue at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How many messages wait in it.
    pub messages: usize,
    /// Who owns it.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
    /// Its name is removed: a queue that is found under the name now is another one.
    pub unlinked: bool,
}

impl Queue {
    pub(crate) fn new(fd: OwnedFd) -> Result<Self> {
        let engine = Engine::new(fd);
        match engine.attributes() {
            Ok((max_messages, message_size_bytes, _)) => Ok(Self {
                engine,
                max_messages,
                message_size_bytes,
                budget: None,
            }),
            Err(Errno::BADF) => Err(Error::new("adopt queue", ErrorKind::WrongType)
                .hint("the descriptor is not a POSIX queue's")),
            Err(errno) => Err(os_error("adopt queue", errno)),
        }
    }

    /// The queue behind a descriptor that this process was given.
    ///
    /// Its description stays as it is: one that does not block is as good as one that does.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where it is no queue's.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self> {
        Self::new(above_stdio(fd)?)
    }

    pub(crate) fn spinning(mut self, spin: Option<Spin>) -> Self {
        self.budget = spin.map(|spin| Arc::new(SpinBudget::of_calls(spin)));
        self
    }

    four_forms! {
        /// Sends `message` with `priority`, 0 to [`MAX_PRIORITY`]. It waits while the queue is
        /// full.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) above the queue's message size;
        /// [`InvalidInput`](ErrorKind::InvalidInput) above the highest priority;
        /// [`Denied`](ErrorKind::Denied) where it is open to receive alone.
        send / try_send / send_timeout / send_deadline
            = send_until(message: &[u8], priority: u32) -> ()
    }

    four_forms! {
        /// Receives the first message into `buffer`, which must be as long as the queue's
        /// messages may be, and returns its length.
        ///
        /// # Errors
        /// [`TooLarge`](ErrorKind::TooLarge) for a shorter buffer, whatever is in the queue: no
        /// message is taken; [`Denied`](ErrorKind::Denied) where it is open to send alone.
        recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
    }

    four_forms! {
        /// Receives the first message into `buffer` and returns its length and its priority.
        ///
        /// # Errors
        /// As [`recv`](Queue::recv).
        recv_with_priority / try_recv_with_priority / recv_with_priority_timeout
            / recv_with_priority_deadline
            = recv_with_priority_until(buffer: &mut [u8]) -> (usize, u32)
    }

    /// Registers this process to be told when a message comes to the empty queue, while nobody
    /// waits to receive it. One process can be registered for a queue at a time.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where a process is registered, with its number where the
    /// kernel says it; [`ErrorKind::Unsupported`] without netlink sockets.
    #[doc(alias = "mq_notify")]
    pub fn notify(&self) -> Result<Notification<&Queue>> {
        Notification::new(self)
    }

    /// A second descriptor of the same description.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors.
    pub fn try_clone(&self) -> Result<Self> {
        let fd = rustix::io::fcntl_dupfd_cloexec(self, 3);
        Ok(Self {
            engine: Engine::new(fd.map_err(|errno| os_error("clone queue", errno))?),
            budget: self.budget.clone(),
            ..*self
        })
    }

    /// What the kernel knows of the queue now.
    ///
    /// # Errors
    /// As fstat(2).
    #[doc(alias = "mq_getattr")]
    pub fn status(&self) -> Result<Status> {
        let fail = |errno| os_error("status", errno);
        let (_, _, messages) = self.engine.attributes().map_err(fail)?;
        let stat = rustix::fs::fstat(self).map_err(fail)?;
        Ok(Status {
            messages,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o777,
            unlinked: stat.st_nlink == 0,
        })
    }

    /// How many messages it holds.
    #[must_use]
    pub const fn max_messages(&self) -> usize {
        self.max_messages
    }

    /// How long a message may be, and a receiver's buffer must be.
    #[must_use]
    pub const fn message_size_bytes(&self) -> usize {
        self.message_size_bytes
    }

    #[inline(always)]
    fn send_until(&self, message: &[u8], priority: u32, until: Until) -> Result<()> {
        if message.len() > self.message_size_bytes || priority > MAX_PRIORITY {
            return Err(self.refuse_to_send(message, priority));
        }
        if let Some(budget) = &self.budget
            && let Some(Ok(())) = budget.spin(until, || {
                unless_again(self.engine.try_send(message, priority))
            })
        {
            return Ok(());
        }
        if until == Until::Forever && self.engine.send(message, priority).is_ok() {
            return Ok(());
        }
        self.again("send", PollFlags::OUT, until, || {
            self.engine.try_send(message, priority)
        })
    }

    #[inline(always)]
    fn recv_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        let (length, _) = self.recv_with_priority_until(buffer, until)?;
        Ok(length)
    }

    #[inline(always)]
    fn recv_with_priority_until(&self, buffer: &mut [u8], until: Until) -> Result<(usize, u32)> {
        if buffer.len() < self.message_size_bytes {
            return Err(self.refuse_to_receive(buffer));
        }
        if let Some(budget) = &self.budget
            && let Some(Ok(received)) =
                budget.spin(until, || unless_again(self.engine.try_recv(buffer)))
        {
            return Ok(received);
        }
        if until == Until::Forever
            && let Ok(received) = self.engine.recv(buffer)
        {
            return Ok(received);
        }
        self.again("recv", PollFlags::IN, until, || {
            self.engine.try_recv(buffer)
        })
    }

    /// Tries, and waits where there is time: a call that has to wait makes two more than a raw
    /// one, the wait and the second try. A blocking call comes here after its error alone: it
    /// was a description that somebody has set not to block.
    #[inline(never)]
    fn again<R>(
        &self,
        operation: &'static str,
        flags: PollFlags,
        until: Until,
        mut attempt: impl FnMut() -> std::result::Result<R, Errno>,
    ) -> Result<R> {
        loop {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(Errno::AGAIN) if until == Until::Now => return Err(until.over(operation)),
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(failure(operation, errno)),
            }
            match wait_any(&mut [PollFd::new(self, flags)], until) {
                Ok(true) => {}
                Ok(false) => return Err(until.over(operation)),
                Err(errno) => return Err(os_error(operation, errno)),
            }
        }
    }

    #[cold]
    fn refuse_to_send(&self, message: &[u8], priority: u32) -> Error {
        let (length, limit) = (message.len(), self.message_size_bytes);
        if length > limit {
            return Error::new("send", ErrorKind::TooLarge).hint(format!(
                "a message of {length} bytes is above the queue's {limit} \
                 (Options::message_size_bytes, when it is made)"
            ));
        }
        Error::new("send", ErrorKind::InvalidInput).hint(format!(
            "priority {priority} is above the highest, {MAX_PRIORITY}"
        ))
    }

    #[cold]
    fn refuse_to_receive(&self, buffer: &[u8]) -> Error {
        Error::new("recv", ErrorKind::TooLarge).hint(format!(
            "a buffer of {} bytes does not take every message of a queue whose messages have up \
             to {} (Queue::message_size_bytes)",
            buffer.len(),
            self.message_size_bytes
        ))
    }
}

/// What a try has come to, if to anything.
fn unless_again<T>(tried: std::result::Result<T, Errno>) -> Option<std::result::Result<T, Errno>> {
    match tried {
        Err(Errno::AGAIN | Errno::INTR) => None,
        other => Some(other),
    }
}

#[cold]
fn failure(operation: &'static str, errno: Errno) -> Error {
    match errno {
        Errno::BADF => Error::new(operation, ErrorKind::Denied)
            .caused_by(errno.into())
            .hint("the queue is open for the other direction alone"),
        errno => os_error(operation, errno),
    }
}

impl Pollable for Queue {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        ipc_sys::wait_ready(self, interests, until)
    }
}

impl TrySend for Queue {
    /// With priority 0.
    fn try_send(&self, message: &[u8]) -> Result<()> {
        self.send_until(message, 0, Until::Now)
    }
}

impl TryRecv for Queue {
    fn try_recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.recv_until(buffer, Until::Now)
    }
}

impl Flush for Queue {
    /// A queue owes nothing: it takes a message whole or not at all.
    fn try_flush(&self) -> Result<()> {
        Ok(())
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.engine.as_fd()
    }
}

impl From<Queue> for OwnedFd {
    fn from(queue: Queue) -> Self {
        queue.engine.into_fd()
    }
}
