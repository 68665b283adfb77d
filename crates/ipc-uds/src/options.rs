//! How a socket is made.

use crate::ancillary::MAX_FDS;
use crate::fd_quota::DEFAULT_MAX_FDS_PER_USER;
use crate::policy::Policy;
use crate::socket::DEFAULT_MAX_FDS;
use ipc_core::{Mode, Name, Result, Spin};
use ipc_sys::{Place, RuntimeDirectory};
use std::path::{Path, PathBuf};

/// The longest queue of connections that the kernel gives by default (net.core.somaxconn).
const DEFAULT_BACKLOG: u32 = 4096;

/// How a socket is made.
///
/// ```
/// use ipc_uds::{Options, Policy};
/// let mut options = Options::new();
/// options.replace_stale(true).policy(Policy::users([0, 1000])).max_fds(4);
/// # let (left, right) = options.pair()?;
/// # drop((left, right));
/// # Ok::<(), ipc_uds::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) replace_stale: bool,
    pub(crate) policy: Option<Policy>,
    pub(crate) watch_peer: bool,
    pub(crate) max_fds: usize,
    max_fds_per_user: usize,
    mode: Option<u32>,
    directory: Option<PathBuf>,
    pub(crate) backlog: u32,
    pub(crate) credentials: bool,
    pub(crate) pidfd: bool,
    pub(crate) send_buffer_bytes: Option<usize>,
    pub(crate) receive_buffer_bytes: Option<usize>,
    pub(crate) spin: Option<Spin>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replace_stale: false,
            policy: None,
            watch_peer: false,
            max_fds: DEFAULT_MAX_FDS,
            max_fds_per_user: DEFAULT_MAX_FDS_PER_USER,
            mode: None,
            directory: None,
            backlog: DEFAULT_BACKLOG,
            credentials: false,
            pidfd: false,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            spin: None,
        }
    }
}

impl Options {
    /// Mode 0600, peers of our own user alone, up to 16 descriptors with a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Permission bits of a path that is bound, exactly these whatever the umask, and never for
    /// a moment more; 0600 by default. To connect, or to send a datagram, takes the right to
    /// write.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// Takes over the path of an owner that is dead. The owner's life shows in a lock on a file
    /// beside the path, whose name ends in `.lock`, held as long as the listener: of many that
    /// start at once one wins. Anything but a socket stays untouched. Off by default.
    ///
    /// ```
    /// # let directory = std::env::temp_dir().join(format!("uds-stale-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// # let path = directory.join("jobs");
    /// # drop(std::os::unix::net::UnixListener::bind(&path)?); // its owner is dead
    /// let listener = ipc_uds::Options::new().replace_stale(true).bind(&path)?;
    /// # let client = ipc_uds::connect(&path)?;
    /// # drop((client, listener));
    /// # std::fs::remove_dir(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace_stale(&mut self, replace: bool) -> &mut Self {
        self.replace_stale = replace;
        self
    }

    /// How many connections may wait to be accepted, up to net.core.somaxconn; 4096 by default.
    pub fn backlog(&mut self, connections: u32) -> &mut Self {
        self.backlog = connections;
        self
    }

    /// Who is let in, decided before user code sees a peer; [`Policy::same_user`] by default.
    /// Where it is set, a client holds the server to it too, and a datagram socket the sender of
    /// each message.
    pub fn policy(&mut self, policy: Policy) -> &mut Self {
        self.policy = Some(policy);
        self
    }

    /// Tells a peer's death from an ordinary end, by a pidfd held for each connection: the end of
    /// the stream is [`PeerDied`](crate::ErrorKind::PeerDied) where the process is dead or dies
    /// within 10 ms. That is waited for once, within the caller's time; a try form does not wait,
    /// and is [`WouldBlock`](crate::ErrorKind::WouldBlock) until it is known. A wait also ends
    /// when the peer dies while others keep its end open. Needs Linux 6.5; costs a descriptor,
    /// and a ppoll for each receive that has to wait.
    pub fn watch_peer(&mut self, watch: bool) -> &mut Self {
        self.watch_peer = watch;
        self
    }

    /// Whether a send or a receive that would wait tries again for a while before it sleeps: a
    /// peer that is awake on another processor answers sooner than a sleep and its wake take.
    /// [`Spin::Never`] by default.
    pub fn spin(&mut self, spin: Spin) -> &mut Self {
        self.spin = Some(spin).filter(|spin| *spin != Spin::Never);
        self
    }

    /// Brings the sender's ids with each message, in [`Ancillary`](crate::Ancillary). The kernel
    /// then gives an unnamed socket that connects or sends an abstract name.
    pub fn credentials(&mut self, bring: bool) -> &mut Self {
        self.credentials = bring;
        self
    }

    /// Brings the sending process with each message, in [`Ancillary`](crate::Ancillary); each
    /// costs a descriptor while it is kept. Needs Linux 6.5.
    pub fn pidfd(&mut self, bring: bool) -> &mut Self {
        self.pidfd = bring;
        self
    }

    /// How many descriptors are taken with one message, up to [`MAX_FDS`]; 16 by default. A
    /// connection that brings more is cut, in both directions.
    pub fn max_fds(&mut self, count: usize) -> &mut Self {
        self.max_fds = count.min(MAX_FDS);
        self
    }

    /// How many received descriptors of one user may wait in [`Ancillary`](crate::Ancillary), over
    /// all its connections to one listener, or all its messages to one datagram socket; 64 by
    /// default, and never less than [`max_fds`](Options::max_fds). Beyond it they are closed, the
    /// receive is [`LimitReached`](crate::ErrorKind::LimitReached), and a connection is cut: no
    /// user can use up a server's descriptors by connecting often.
    ///
    /// Senders whom the kernel does not name are one user: on a datagram socket all of them,
    /// unless [`credentials`](Options::credentials) or a [`policy`](Options::policy) is set. A
    /// client and the two ends of a pair chose their one peer, and are held to
    /// [`max_fds`](Options::max_fds) for each [`Ancillary`](crate::Ancillary) alone.
    pub fn max_fds_per_user(&mut self, count: usize) -> &mut Self {
        self.max_fds_per_user = count;
        self
    }

    pub(crate) fn fds_per_user(&self) -> usize {
        self.max_fds_per_user.max(self.max_fds)
    }

    /// Bytes under way that the kernel takes from a sender, and so the largest message (the
    /// kernel doubles the figure for its own use, and cuts it at net.core.wmem_max).
    pub fn send_buffer_bytes(&mut self, bytes: usize) -> &mut Self {
        self.send_buffer_bytes = Some(bytes);
        self
    }

    /// The receive buffer, which Unix sockets hardly use: the sender's counts.
    pub fn receive_buffer_bytes(&mut self, bytes: usize) -> &mut Self {
        self.receive_buffer_bytes = Some(bytes);
        self
    }

    /// Where [`path_of`](Options::path_of) places names, instead of the user's runtime directory.
    /// It must belong to the user alone (0700); it is made if missing.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// The place of `name` in the user's runtime directory, or in
    /// [`directory`](Options::directory), which is made where it is missing: for sockets whose
    /// names are the program's own. It is looked up beneath the directory that was checked here,
    /// whatever happens to the directory's path.
    ///
    /// ```no_run
    /// let options = ipc_uds::Options::new();
    /// let listener = options.bind(options.path_of(&"/jobs".parse()?)?)?;
    /// # Ok::<(), ipc_uds::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) where there is no directory that is the user's alone;
    /// the message names [`directory`](Options::directory).
    pub fn path_of(&self, name: &Name) -> Result<Place> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        Ok(directory.place_of(name))
    }

    pub(crate) fn checked_mode(&self) -> Result<Mode> {
        self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)
    }

    pub(crate) fn lets_anyone_in(&self) -> bool {
        self.policy.as_ref().is_some_and(Policy::lets_anyone_in)
    }
}
