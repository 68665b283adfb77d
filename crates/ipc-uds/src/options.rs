//! How a socket is made.

use crate::address::{Address, ToAddress};
use crate::ancillary::MAX_FDS;
use crate::bound_path::{self, BoundPath};
use crate::connect::connect;
use crate::datagram::Datagram;
use crate::fd_quota::DEFAULT_MAX_FDS_PER_USER;
use crate::listener::{Listener, SeqPacketListener};
use crate::policy::Policy;
use crate::seqpacket::SeqPacket;
use crate::socket::{DEFAULT_MAX_FDS, Socket};
use crate::stream::Stream;
use crate::sys;
use ipc_core::{Error, ErrorKind, Mode, Name, Result, Until, four_forms};
use ipc_sys::{RuntimeDirectory, os_error};
use rustix::io::Errno;
use rustix::net::{SocketFlags, SocketType, sockopt};
use std::os::fd::{AsFd, OwnedFd};
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
    backlog: u32,
    credentials: bool,
    pidfd: bool,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
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
    /// the stream is [`PeerDied`](ErrorKind::PeerDied) where the process is dead or dies within
    /// 10 ms, which is waited for once, in all four forms. A wait also ends when the peer dies
    /// while others keep its end open. Needs Linux 6.5; costs a descriptor, and a ppoll for each
    /// receive that has to wait.
    pub fn watch_peer(&mut self, watch: bool) -> &mut Self {
        self.watch_peer = watch;
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

    /// How many descriptors are taken with one message, up to [`MAX_FDS`]; 16 by default.
    pub fn max_fds(&mut self, count: usize) -> &mut Self {
        self.max_fds = count.min(MAX_FDS);
        self
    }

    /// How many received descriptors of one user may wait in [`Ancillary`](crate::Ancillary), over
    /// all its connections to one listener; 64 by default, and never less than
    /// [`max_fds`](Options::max_fds). Beyond it they are closed, and the receive is
    /// [`LimitReached`](ErrorKind::LimitReached): no user can use up a server's descriptors by
    /// connecting often.
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

    /// Where [`path_of`](Options::path_of) places names, instead of the user's runtime
    /// directory. It must belong to the user alone (0700); it is made if missing.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// The path of `name` in the user's runtime directory, or in
    /// [`directory`](Options::directory), which is made where it is missing: for sockets whose
    /// names are the program's own.
    ///
    /// ```no_run
    /// let options = ipc_uds::Options::new();
    /// let listener = options.bind(options.path_of(&"/jobs".parse()?)?)?;
    /// # Ok::<(), ipc_uds::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where there is no directory that is the user's alone; the message
    /// names [`directory`](Options::directory).
    pub fn path_of(&self, name: &Name) -> Result<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        Ok(directory.path_of(name))
    }

    /// Listens for streams at `address`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where a socket is there, with
    /// [`replace_stale`](Options::replace_stale) only where its owner lives;
    /// [`ErrorKind::WrongType`] where anything else is there, a link included;
    /// [`ErrorKind::InvalidInput`] for an abstract name that lets anyone in.
    pub fn bind(&self, address: impl ToAddress) -> Result<Listener> {
        let (fd, bound) = self.listen(sys::STREAM, &address.to_address()?)?;
        Ok(Listener::new(fd, bound, self.clone()))
    }

    /// Listens for connections that keep messages apart at `address`.
    ///
    /// # Errors
    /// As [`bind`](Options::bind).
    pub fn bind_seqpacket(&self, address: impl ToAddress) -> Result<SeqPacketListener> {
        let (fd, bound) = self.listen(sys::SEQPACKET, &address.to_address()?)?;
        Ok(SeqPacketListener::new(fd, bound, self.clone()))
    }

    /// Receives datagrams at `address`; at an abstract name those that the policy lets in.
    ///
    /// # Errors
    /// As [`bind`](Options::bind).
    pub fn bind_datagram(&self, address: impl ToAddress) -> Result<Datagram> {
        let address = address.to_address()?;
        self.check_policy(&address)?;
        let guarded = address.has_no_permissions() || self.policy.is_some();
        let fd = self.datagram_socket("bind", guarded)?;
        let bound = bound_path::bind(&fd, &address, self)?;
        Ok(self.finish_datagram(fd, bound, guarded))
    }

    four_forms! {
        /// Connects to the stream listener at `address`; waits while its backlog is full. The
        /// last component of a path is never followed through a link.
        ///
        /// # Errors
        /// [`NotFound`](ErrorKind::NotFound), [`Refused`](ErrorKind::Refused) where nobody
        /// listens; [`WrongType`](ErrorKind::WrongType) where it is no such socket;
        /// [`Denied`](ErrorKind::Denied) by permissions, or where the server is not of our user
        /// (for abstract names, and wherever a [`policy`](Options::policy) is set).
        connect / try_connect / connect_timeout / connect_deadline
            = connect_until(address: impl ToAddress) -> Stream
    }

    four_forms! {
        /// Connects to the seqpacket listener at `address`; waits while its backlog is full.
        ///
        /// # Errors
        /// As [`connect`](Options::connect).
        connect_seqpacket / try_connect_seqpacket
            / connect_seqpacket_timeout / connect_seqpacket_deadline
            = connect_seqpacket_until(address: impl ToAddress) -> SeqPacket
    }

    /// Sends datagrams to `address`; the socket has no name of its own.
    ///
    /// # Errors
    /// As [`Datagram::connect`].
    pub fn connect_datagram(&self, address: impl ToAddress) -> Result<Datagram> {
        let datagram = self.datagram()?;
        datagram.connect(&address.to_address()?)?;
        Ok(datagram)
    }

    /// A datagram socket without a name, to send to many addresses. Bound to
    /// [`Address::UNNAMED`] one gets a name, and can be answered.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors.
    pub fn datagram(&self) -> Result<Datagram> {
        // Asked for ids, the kernel names the socket, and anyone could send to it.
        let guarded = self.credentials || self.policy.is_some();
        let fd = self.datagram_socket("create", guarded)?;
        Ok(self.finish_datagram(fd, None, guarded))
    }

    /// Two streams that are connected, to be given to two processes.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors; [`ErrorKind::InvalidInput`] with
    /// [`watch_peer`](Options::watch_peer): the kernel knows who made a pair, not who has it.
    pub fn pair(&self) -> Result<(Stream, Stream)> {
        let (left, right) = self.make_pair(sys::STREAM)?;
        Ok((Stream::new(left), Stream::new(right)))
    }

    /// Two ends of a connection that keeps messages apart.
    ///
    /// # Errors
    /// As [`pair`](Options::pair).
    pub fn pair_seqpacket(&self) -> Result<(SeqPacket, SeqPacket)> {
        let (left, right) = self.make_pair(sys::SEQPACKET)?;
        Ok((SeqPacket::new(left), SeqPacket::new(right)))
    }

    /// Two datagram sockets that are connected.
    ///
    /// # Errors
    /// As [`pair`](Options::pair).
    pub fn pair_datagram(&self) -> Result<(Datagram, Datagram)> {
        let (left, right) = self.make_pair(sys::DATAGRAM)?;
        let end = |socket| Datagram::new(socket, None, None, self.lets_anyone_in());
        Ok((end(left), end(right)))
    }

    fn connect_until(&self, address: impl ToAddress, until: Until) -> Result<Stream> {
        let fd = connect(sys::STREAM, &address.to_address()?, self, until)?;
        Socket::connected(fd, self).map(Stream::new)
    }

    fn connect_seqpacket_until(&self, address: impl ToAddress, until: Until) -> Result<SeqPacket> {
        let fd = connect(sys::SEQPACKET, &address.to_address()?, self, until)?;
        Socket::connected(fd, self).map(SeqPacket::new)
    }

    fn listen(&self, kind: SocketType, address: &Address) -> Result<(OwnedFd, Option<BoundPath>)> {
        self.check_policy(address)?;
        if self.watch_peer && !crate::probe().peer_process {
            return Err(no_pidfd("bind"));
        }
        // The description is ours alone: accept has no flag by which one call would not wait.
        let fd = sys::socket("bind", kind, SocketFlags::NONBLOCK)?;
        self.prepare("bind", &fd)?;
        let bound = bound_path::bind(&fd, address, self)?;
        let backlog = i32::try_from(self.backlog).unwrap_or(i32::MAX);
        rustix::net::listen(&fd, backlog).map_err(|errno| os_error("bind", errno).on(address))?;
        Ok((fd, bound))
    }

    fn datagram_socket(&self, operation: &'static str, guarded: bool) -> Result<OwnedFd> {
        self.refuse_watch(operation)?;
        let fd = sys::socket(operation, sys::DATAGRAM, SocketFlags::empty())?;
        self.prepare(operation, &fd)?;
        if guarded {
            sockopt::set_socket_passcred(&fd, true).map_err(|errno| os_error(operation, errno))?;
        }
        Ok(fd)
    }

    fn finish_datagram(&self, fd: OwnedFd, bound: Option<BoundPath>, guarded: bool) -> Datagram {
        let policy =
            (guarded && !self.lets_anyone_in()).then(|| self.policy.clone().unwrap_or_default());
        Datagram::new(Socket::new(fd, self), bound, policy, self.lets_anyone_in())
    }

    fn make_pair(&self, kind: SocketType) -> Result<(Socket, Socket)> {
        self.refuse_watch("create pair")?;
        let (left, right) = sys::pair(kind)?;
        self.prepare("create pair", &left)?;
        self.prepare("create pair", &right)?;
        Ok((Socket::new(left, self), Socket::new(right, self)))
    }

    /// Sets what must be set before anything can arrive.
    pub(crate) fn prepare(&self, operation: &'static str, fd: &OwnedFd) -> Result<()> {
        self.size_buffers(operation, fd)?;
        if self.credentials {
            sockopt::set_socket_passcred(fd, true).map_err(|errno| os_error(operation, errno))?;
        }
        if self.pidfd {
            sys::set_pass_pidfd(fd.as_fd()).map_err(|errno| match errno {
                Errno::INVAL | Errno::NOSYS | Errno::NOPROTOOPT | Errno::OPNOTSUPP => {
                    no_pidfd(operation).caused_by(errno.into())
                }
                errno => os_error(operation, errno),
            })?;
        }
        Ok(())
    }

    /// Sets the sizes, which an accepted socket does not have from its listener.
    pub(crate) fn size_buffers(&self, operation: &'static str, fd: &OwnedFd) -> Result<()> {
        let fail = |errno| os_error(operation, errno);
        if let Some(bytes) = self.send_buffer_bytes {
            sockopt::set_socket_send_buffer_size(fd, bytes.min(i32::MAX as usize)).map_err(fail)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            sockopt::set_socket_recv_buffer_size(fd, bytes.min(i32::MAX as usize)).map_err(fail)?;
        }
        Ok(())
    }

    pub(crate) fn checked_mode(&self) -> Result<Mode> {
        self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)
    }

    fn check_policy(&self, address: &Address) -> Result<()> {
        if address.has_no_permissions() && self.lets_anyone_in() {
            return Err(Error::new("bind", ErrorKind::InvalidInput)
                .on(address)
                .hint(
                    "an abstract name has no permissions, so its policy must look at credentials",
                ));
        }
        Ok(())
    }

    fn refuse_watch(&self, operation: &'static str) -> Result<()> {
        if self.watch_peer {
            return Err(Error::new(operation, ErrorKind::InvalidInput).hint(
                "only a connection by address has a peer to watch; \
                 hold the child's pidfd instead (ipc_sys::Process)",
            ));
        }
        Ok(())
    }

    fn lets_anyone_in(&self) -> bool {
        self.policy.as_ref().is_some_and(Policy::lets_anyone_in)
    }
}

fn no_pidfd(operation: &'static str) -> Error {
    Error::new(operation, ErrorKind::Unsupported).hint(
        "this kernel gives no pidfd of a peer (Linux 6.5 does); \
         do without Options::watch_peer and Options::pidfd",
    )
}
