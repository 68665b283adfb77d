//! Where connections come in, each looked at before user code sees it.

use crate::address::{Address, local_address};
use crate::bound_path::BoundPath;
use crate::fd_quota::FdQuota;
use crate::options::Options;
use crate::peer::Peer;
use crate::policy::Policy;
use crate::seqpacket::SeqPacket;
use crate::socket::Socket;
use crate::stream::Stream;
use ipc_core::{Interest, Pollable, Result, TryAccept, Until, four_forms};
use ipc_sys::{PollFd, PollFlags, above_stdio, os_error, wait_any, wait_ready};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Refused peers after which a try form gives up: whoever floods a listener with refused
/// connections does not hold a caller who does not want to wait.
const REFUSALS_OF_A_TRY: u32 = 64;

/// What both kinds of listeners have.
#[derive(Debug)]
struct Acceptor {
    /// First, so that the path is gone before the socket is.
    bound: Option<BoundPath>,
    fd: OwnedFd,
    /// The description blocks, as one from elsewhere may: then a look comes before a try.
    blocks: bool,
    options: Options,
    policy: Policy,
    refused: AtomicU64,
    /// A try form gave up while more were waiting, which no new readiness will tell.
    more: AtomicBool,
    quota: FdQuota,
}

impl Acceptor {
    fn new(fd: OwnedFd, bound: Option<BoundPath>, options: Options, blocks: bool) -> Self {
        let policy = options.policy.clone().unwrap_or_default();
        let quota = FdQuota::new(options.fds_per_user());
        Self {
            bound,
            fd,
            blocks,
            options,
            policy,
            refused: AtomicU64::new(0),
            more: AtomicBool::new(false),
            quota,
        }
    }

    fn adopt(fd: OwnedFd) -> Self {
        let flags = rustix::fs::fcntl_getfl(&fd).unwrap_or(OFlags::empty());
        Self::new(fd, None, Options::new(), !flags.contains(OFlags::NONBLOCK))
    }

    /// Gives the descriptor away, blocking as others expect it. The path stays with it.
    fn into_fd(self) -> OwnedFd {
        if let Some(bound) = self.bound {
            bound.keep();
        }
        if !self.blocks {
            let _ = rustix::fs::fcntl_setfl(&self.fd, OFlags::empty());
        }
        self.fd
    }

    fn accept(&self, until: Until) -> Result<Socket> {
        let mut refused = 0;
        self.more.store(false, Ordering::Relaxed);
        loop {
            let fd = self.accept_any(until)?;
            if let Some(socket) = self.admit(fd)? {
                return Ok(socket);
            }
            refused += 1;
            // A flood of strangers does not hold the caller beyond its time.
            let over = match until {
                Until::Now => refused >= REFUSALS_OF_A_TRY,
                Until::At(_) => until.is_over(),
                Until::Forever => false,
            };
            if over {
                self.more.store(true, Ordering::Relaxed);
                return Err(until.over("accept"));
            }
        }
    }

    fn accept_any(&self, until: Until) -> Result<OwnedFd> {
        if self.blocks && until != Until::Forever {
            self.wait(until)?;
        }
        loop {
            match rustix::net::accept_with(&self.fd, SocketFlags::CLOEXEC) {
                Ok(fd) => return above_stdio(fd),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(until)?,
                Err(errno) => return Err(os_error("accept", errno)),
            }
        }
    }

    /// The connection, unless the policy refuses its peer, which is then closed.
    fn admit(&self, fd: OwnedFd) -> Result<Option<Socket>> {
        let uid = match Peer::of_connection(fd.as_fd()) {
            Ok(peer) if self.policy.lets_anyone_in() || self.policy.admits(&peer) => {
                Some(peer.credentials().uid)
            }
            Ok(peer) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(credentials = ?peer.credentials(), "peer refused");
                return Ok(None);
            }
            Err(_) if self.policy.lets_anyone_in() => None,
            Err(unknown) => return Err(unknown),
        };
        self.options.size_buffers("accept", &fd)?;
        let share = self.quota.share(uid);
        let socket = Socket::connected(fd, &self.options)?;
        Ok(Some(socket.within(share)))
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
}

/// Defines a listener for one kind of connection; the kinds differ in nothing else.
macro_rules! listener {
    ($(#[$doc:meta])* $name:ident, $connection:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Acceptor);

        impl $name {
            pub(crate) fn new(fd: OwnedFd, bound: Option<BoundPath>, options: Options) -> Self {
                Self(Acceptor::new(fd, bound, options, false))
            }

            four_forms! {
                /// Accepts a connection whose peer the [`Policy`] lets in. A refused peer is
                /// closed and counted, and the next one is waited for, within the same time; a
                /// try form gives up after 64 of them.
                ///
                /// # Errors
                /// [`LimitReached`](crate::ErrorKind::LimitReached) without descriptors. The
                /// listener stays usable after any error.
                accept / try_accept / accept_timeout / accept_deadline
                    = accept_until() -> $connection
            }

            /// How many peers the policy has refused.
            #[must_use]
            pub fn refused(&self) -> u64 {
                self.0.refused.load(Ordering::Relaxed)
            }

            /// The address it listens at.
            ///
            /// # Errors
            /// As getsockname(2).
            pub fn address(&self) -> Result<Address> {
                local_address(self.0.fd.as_fd())
            }

            fn accept_until(&self, until: Until) -> Result<$connection> {
                self.0.accept(until).map($connection::new)
            }
        }

        impl Pollable for $name {
            fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
                self.0.fd.as_fd()
            }
            fn is_plain(&self) -> bool {
                true
            }
            fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
                wait_ready(self, interests, until)
            }
            fn arm(&self, _interest: Interest) -> Result<bool> {
                Ok(self.0.more.load(Ordering::Relaxed))
            }
        }

        impl TryAccept for $name {
            type Connection = $connection;
            fn try_accept(&self) -> Result<$connection> {
                self.accept_until(Until::Now)
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.fd.as_fd()
            }
        }

        impl From<OwnedFd> for $name {
            /// Takes a listening socket from elsewhere, with the defaults; its path, if any,
            /// stays who bound it. Where its description blocks and other processes accept from
            /// it too, a try or timed form may find that another was faster, and wait.
            fn from(fd: OwnedFd) -> Self {
                Self(Acceptor::adopt(fd))
            }
        }

        impl From<$name> for OwnedFd {
            /// Gives the descriptor away, blocking; a path stays when it is closed.
            fn from(listener: $name) -> Self {
                listener.0.into_fd()
            }
        }
    };
}

listener! {
    /// Where byte streams come in.
    ///
    /// Dropped, it removes its path, but only in the process that bound it.
    ///
    /// ```
    /// let listener = ipc_uds::bind(ipc_uds::Address::abstract_name("doc-listener")?)?;
    /// let client = ipc_uds::connect(listener.address()?)?;
    /// let server = listener.accept()?;
    /// client.send(b"hello")?;
    /// assert_eq!(server.recv(&mut [0; 16])?, 5);
    /// # Ok::<(), ipc_uds::Error>(())
    /// ```
    Listener, Stream
}

listener! {
    /// Where connections that keep messages apart come in; else as [`Listener`].
    SeqPacketListener, SeqPacket
}
