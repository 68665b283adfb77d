//! Where connections come in, each looked at before user code sees it.

use crate::policy::Policy;
use crate::stream::Stream;
use crate::sys;
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, TryAccept, Until, four_forms};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any, wait_ready};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{Shutdown, SocketAddrAny, SocketFlags};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long a waiting form rests after the host had no descriptor or memory left for a
/// connection: its caller may well ask again at once, and the kernel would answer at once.
const REST: Duration = Duration::from_millis(100);

/// Where TCP connections come in.
///
/// ```
/// let listener = ipc_net::bind("127.0.0.1:0")?;
/// let client = ipc_net::connect(listener.address()?)?;
/// let server = listener.accept()?;
/// client.send(b"hello")?;
/// assert_eq!(server.recv(&mut [0; 16])?, 5);
/// # Ok::<(), ipc_net::Error>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    /// The description blocks, as one from elsewhere may: then a look comes before a try.
    blocks: bool,
    policy: Policy,
    refused: AtomicU64,
    stopped: AtomicBool,
    /// The last accept found a limit reached.
    exhausted: AtomicBool,
}

impl Listener {
    pub(crate) fn new(fd: OwnedFd, policy: Policy, blocks: bool) -> Self {
        Self {
            fd,
            blocks,
            policy,
            refused: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            exhausted: AtomicBool::new(false),
        }
    }

    four_forms! {
        /// Accepts a connection whose peer the [`Policy`] lets in. A refused peer is closed and
        /// counted, and the next one is waited for, within the same time; one that is gone again
        /// is passed over.
        ///
        /// # Errors
        /// [`LimitReached`](ErrorKind::LimitReached) without descriptors, with the limit's name:
        /// the listener stays usable, the connection waits, and the next waiting form rests for
        /// 100 ms first, so that a loop that only asks again costs nothing.
        /// [`Closed`](ErrorKind::Closed) after [`stop`](Listener::stop).
        accept / try_accept / accept_timeout / accept_deadline = accept_until() -> Stream
    }

    /// Stops listening: whoever waits in an accept gets [`Closed`](ErrorKind::Closed), as does
    /// every accept from now on, and nobody can connect any more. Connections that were not
    /// accepted yet are cut off: take them by [`try_accept`](Listener::try_accept) first.
    /// Accepted ones live on; [`Stream::drain`] ends each in order.
    ///
    /// # Errors
    /// As shutdown(2).
    pub fn stop(&self) -> Result<()> {
        self.stopped.store(true, Ordering::Release);
        match rustix::net::shutdown(&self.fd, Shutdown::Read) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(os_error("stop", errno)),
        }
    }

    /// How many peers the policy has refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The address it listens at, with the port that the kernel chose where 0 was asked for.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn address(&self) -> Result<SocketAddr> {
        sys::local_address(self.fd.as_fd())
    }

    fn accept_until(&self, until: Until) -> Result<Stream> {
        self.rest(until)?;
        loop {
            let (fd, from) = self.accept_any(until)?;
            if self.admits(from) {
                return Ok(Stream::new(fd));
            }
            // A flood of strangers does not hold the caller beyond its deadline.
            if matches!(until, Until::At(_)) && until.is_over() {
                return Err(until.over("accept"));
            }
        }
    }

    fn accept_any(&self, until: Until) -> Result<(OwnedFd, Option<SocketAddrAny>)> {
        if self.blocks && until != Until::Forever {
            self.wait(until)?;
        }
        loop {
            match rustix::net::acceptfrom_with(&self.fd, SocketFlags::CLOEXEC) {
                Ok((fd, from)) => return Ok((above_stdio(fd)?, from)),
                Err(Errno::AGAIN) => self.wait(until)?,
                Err(errno) if is_of_one_connection(errno) => {}
                Err(errno) => return Err(self.failure(errno)),
            }
        }
    }

    fn admits(&self, from: Option<SocketAddrAny>) -> bool {
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        let admitted = from.is_some_and(|from| self.policy.admits(&from));
        if !admitted {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(?from, "peer refused");
        }
        admitted
    }

    fn wait(&self, until: Until) -> Result<()> {
        if until == Until::Now && !self.blocks {
            return Err(until.over("accept"));
        }
        match wait_any(&mut [PollFd::new(&self.fd, PollFlags::IN)], until) {
            Ok(true) => Ok(()),
            Ok(false) => Err(until.over("accept")),
            Err(errno) => Err(os_error("accept", errno)),
        }
    }

    fn rest(&self, until: Until) -> Result<()> {
        if until == Until::Now || !self.exhausted.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let rested = Until::after(REST);
        let end = match (until, rested) {
            (Until::At(deadline), Until::At(end)) => Until::At(deadline.min(end)),
            _ => rested,
        };
        // Only a listener that is stopped meanwhile ends this before its time.
        let mut fds = [PollFd::new(&self.fd, PollFlags::empty())];
        match wait_any(&mut fds, end) {
            Ok(_) => Ok(()),
            Err(errno) => Err(os_error("accept", errno)),
        }
    }

    #[cold]
    fn failure(&self, errno: Errno) -> Error {
        if errno == Errno::INVAL && self.stopped.load(Ordering::Acquire) {
            return Error::new("accept", ErrorKind::Closed).hint("the listener was stopped");
        }
        let error = os_error("accept", errno);
        if error.kind() == ErrorKind::LimitReached {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        error
    }
}

/// Errors that belong to the connection that was about to be accepted, not to the listener: the
/// next one is waiting (accept(2)).
fn is_of_one_connection(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::INTR
            | Errno::CONNABORTED
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::NOPROTOOPT
            | Errno::HOSTDOWN
            | Errno::NONET
            | Errno::HOSTUNREACH
            | Errno::NETUNREACH
    )
}

impl Pollable for Listener {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
    fn is_plain(&self) -> bool {
        true
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        wait_ready(self, interests, until)
    }
}

impl TryAccept for Listener {
    type Connection = Stream;
    fn try_accept(&self) -> Result<Stream> {
        self.accept_until(Until::Now)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for Listener {
    /// Takes a listening socket from elsewhere as it is (whoever made it has seen to where plain
    /// text comes from), letting anyone in. Where its description blocks and other processes
    /// accept from it too, a try or timed form may find that another was faster, and wait.
    fn from(fd: OwnedFd) -> Self {
        let flags = rustix::fs::fcntl_getfl(&fd).unwrap_or(OFlags::empty());
        Self::new(fd, Policy::anyone(), !flags.contains(OFlags::NONBLOCK))
    }
}

impl From<Listener> for OwnedFd {
    /// Gives the descriptor away, blocking as others expect it.
    fn from(listener: Listener) -> Self {
        if !listener.blocks {
            let _ = rustix::fs::fcntl_setfl(&listener.fd, OFlags::empty());
        }
        listener.fd
    }
}
