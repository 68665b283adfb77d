//! Being told that an empty queue has got a message: a descriptor, no thread, no signal.

use crate::queue::Queue;
use crate::sys::{self, COOKIE_BYTES};
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, TryWait, Until, four_forms};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// The last byte of what the kernel sends: a message came.
const CAME: u8 = 1;
/// The registration was removed.
const REMOVED: u8 = 2;

/// The registration of this process for one notification of a queue.
///
/// The kernel notifies when a message comes to the *empty* queue while nobody waits to receive
/// it, and once: whoever wants the next one [renews](Notification::renew) it, and then empties
/// the queue by try forms before it waits, since what came in between is not notified.
///
/// The registration belongs to the process, and the kernel takes it back when the process closes
/// *any* descriptor of this queue (mq_close(3)); a wait then says
/// [`Closed`](ErrorKind::Closed). It ends when this is dropped.
///
/// To wait for messages alone needs none of this: the queue itself is [`Pollable`]. A notification
/// is for one process that looks after a queue which others normally empty.
///
/// ```
/// let queue = ipc_mq::Options::new().message_size_bytes(64).create_unnamed()?;
/// let notification = queue.notify()?;
/// assert!(notification.try_wait().is_err());
/// queue.send(b"work", 0)?;
/// notification.wait()?;
/// # Ok::<(), ipc_mq::Error>(())
/// ```
#[derive(Debug)]
pub struct Notification<Q: Deref<Target = Queue>> {
    queue: Q,
    socket: OwnedFd,
    /// Which registration is waited for; 0 where none is.
    current: AtomicU64,
    process: u32,
}

impl<Q: Deref<Target = Queue>> Notification<Q> {
    /// As [`Queue::notify`], by a reference or by what owns the queue: an `Arc`, where the
    /// notification is to be awaited.
    ///
    /// # Errors
    /// As [`Queue::notify`].
    pub fn new(queue: Q) -> Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        );
        let socket = socket.map_err(|errno| match errno {
            Errno::AFNOSUPPORT | Errno::PERM | Errno::ACCESS | Errno::NOSYS => {
                Error::new("notify", ErrorKind::Unsupported)
                    .caused_by(errno.into())
                    .hint("the kernel notifies by a netlink socket, which this host forbids")
            }
            errno => os_error("notify", errno),
        })?;
        let notification = Self {
            queue,
            socket: above_stdio(socket)?,
            current: AtomicU64::new(0),
            process: std::process::id(),
        };
        notification.register()?;
        Ok(notification)
    }

    four_forms! {
        /// Waits until a message has come to the empty queue. This uses the registration up.
        ///
        /// # Errors
        /// [`Closed`](ErrorKind::Closed) where the kernel has taken it back;
        /// [`InvalidInput`](ErrorKind::InvalidInput) where it is used up.
        wait / try_wait / wait_timeout / wait_deadline = wait_until() -> ()
    }

    /// Registers again after it was used up or taken back; nothing where it is registered still.
    ///
    /// # Errors
    /// As [`Queue::notify`].
    pub fn renew(&self) -> Result<()> {
        if self.current.load(Ordering::Acquire) == 0 {
            self.register()?;
        }
        Ok(())
    }

    fn register(&self) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut cookie = [0; COOKIE_BYTES];
        cookie[..8].copy_from_slice(&number.to_ne_bytes());
        match sys::register((*self.queue).as_fd(), self.socket.as_fd(), &cookie) {
            Ok(()) => {
                self.current.store(number, Ordering::Release);
                Ok(())
            }
            Err(Errno::BUSY) => Err(Error::new("notify", ErrorKind::AlreadyExists)
                .caused_by(Errno::BUSY.into())
                .hint(taken(&self.queue))),
            Err(Errno::NOSYS) => Err(crate::limits::unsupported()),
            Err(errno) => Err(os_error("notify", errno)),
        }
    }

    fn wait_until(&self, until: Until) -> Result<()> {
        loop {
            let current = self.current.load(Ordering::Acquire);
            if current == 0 {
                return Err(Error::new("wait", ErrorKind::InvalidInput)
                    .hint("the notification is used up: renew it first"));
            }
            match self.take() {
                Ok(Some((number, why))) if number == current => {
                    self.current.store(0, Ordering::Release);
                    return match why {
                        CAME => Ok(()),
                        _ => Err(Error::new("wait", ErrorKind::Closed).hint(
                            "the kernel took the registration back: this process has closed a \
                             descriptor of the queue",
                        )),
                    };
                }
                // Of an earlier registration.
                Ok(Some(_)) => {}
                Ok(None) if until == Until::Now => return Err(until.over("wait")),
                Ok(None) => {
                    match wait_any(&mut [PollFd::new(&self.socket, PollFlags::IN)], until) {
                        Ok(true) => {}
                        Ok(false) => return Err(until.over("wait")),
                        Err(errno) => return Err(os_error("wait", errno)),
                    }
                }
                Err(errno) => return Err(os_error("wait", errno)),
            }
        }
    }

    /// The next thing that the kernel has sent: for which registration, and why.
    fn take(&self) -> std::result::Result<Option<(u64, u8)>, Errno> {
        let mut cookie = [0; COOKIE_BYTES];
        loop {
            match rustix::net::recv(&self.socket, &mut cookie, RecvFlags::DONTWAIT) {
                Ok((COOKIE_BYTES, _)) => {
                    let (number, why) = (cookie.first_chunk::<8>(), cookie[COOKIE_BYTES - 1]);
                    if let (Some(number), CAME | REMOVED) = (number, why) {
                        return Ok(Some((u64::from_ne_bytes(*number), why)));
                    }
                }
                // Nobody but the kernel can send to this socket, and it sends nothing else.
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Who is registered, as the queue's own file says where it may be read.
#[cold]
fn taken(queue: &Queue) -> String {
    let mut text = [0; 128];
    let length = rustix::io::pread(queue, &mut text, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(&text[..length]);
    let process = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("NOTIFY_PID:"))
        .filter(|process| *process != "0");
    process.map_or_else(
        || "another process is registered for this queue's notification".to_owned(),
        |process| format!("process {process} is registered for this queue's notification"),
    )
}

impl<Q: Deref<Target = Queue>> Drop for Notification<Q> {
    fn drop(&mut self) {
        // A forked copy has no registration of its own; and one that was used up may have been
        // followed by another's of this process.
        let current = self.current.load(Ordering::Acquire);
        if current == 0 || self.process != std::process::id() {
            return;
        }
        while let Ok(Some((number, _))) = self.take() {
            if number == current {
                return;
            }
        }
        sys::unregister((*self.queue).as_fd());
    }
}

impl<Q: Deref<Target = Queue>> Pollable for Notification<Q> {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        ipc_sys::wait_ready(self, interests, until)
    }
}

impl<Q: Deref<Target = Queue>> TryWait for Notification<Q> {
    type Happened = ();
    fn try_wait(&self) -> Result<()> {
        self.wait_until(Until::Now)
    }
}

impl<Q: Deref<Target = Queue>> AsFd for Notification<Q> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
