//! What the options make: listeners, connections, pairs and datagram sockets.

use crate::address::{Address, Spot, ToAddress};
use crate::bound_path::{self, BoundPath};
use crate::connect::connect;
use crate::datagram::Datagram;
use crate::listener::{Listener, SeqPacketListener};
use crate::options::Options;
use crate::seqpacket::SeqPacket;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::sys;
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_sys::os_error;
use rustix::io::Errno;
use rustix::net::{SocketFlags, SocketType, sockopt};
use std::os::fd::{AsFd, OwnedFd};

impl Options {
    /// Listens for streams at `address`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where a socket is there, with
    /// [`replace_stale`](Options::replace_stale) only where its owner lives;
    /// [`ErrorKind::WrongType`] where anything else is there, a link included;
    /// [`ErrorKind::InvalidInput`] for an abstract name that lets anyone in.
    pub fn bind(&self, address: impl ToAddress) -> Result<Listener> {
        let (fd, bound) = self.listen(sys::STREAM, &address)?;
        Ok(Listener::new(fd, bound, self.clone()))
    }

    /// Listens for connections that keep messages apart at `address`.
    ///
    /// # Errors
    /// As [`bind`](Options::bind).
    pub fn bind_seqpacket(&self, address: impl ToAddress) -> Result<SeqPacketListener> {
        let (fd, bound) = self.listen(sys::SEQPACKET, &address)?;
        Ok(SeqPacketListener::new(fd, bound, self.clone()))
    }

    /// Receives datagrams at `address`; at an abstract name those that the policy lets in.
    ///
    /// # Errors
    /// As [`bind`](Options::bind).
    pub fn bind_datagram(&self, address: impl ToAddress) -> Result<Datagram> {
        let spot = Spot::of(&address)?;
        self.check_policy(&spot.address)?;
        let guarded = spot.address.has_no_permissions() || self.policy.is_some();
        let fd = self.datagram_socket("bind", guarded);
        let address = &spot.address;
        let fd = fd.map_err(|error| error.on(address))?;
        let bound = bound_path::bind(&fd, &spot, self)?;
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
        let spot = Spot::of(&address)?;
        let datagram = self.datagram();
        let address = &spot.address;
        let datagram = datagram.map_err(|error| error.on(address))?;
        datagram.connect_to(&spot)?;
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
        let end = |socket| Datagram::new(socket, None, None, self);
        Ok((end(left), end(right)))
    }

    fn connect_until(&self, address: impl ToAddress, until: Until) -> Result<Stream> {
        let fd = connect(sys::STREAM, &Spot::of(&address)?, self, until)?;
        Socket::connected(fd, self).map(Stream::new)
    }

    fn connect_seqpacket_until(&self, address: impl ToAddress, until: Until) -> Result<SeqPacket> {
        let fd = connect(sys::SEQPACKET, &Spot::of(&address)?, self, until)?;
        Socket::connected(fd, self).map(SeqPacket::new)
    }

    fn listen(
        &self,
        kind: SocketType,
        address: &impl ToAddress,
    ) -> Result<(OwnedFd, Option<BoundPath>)> {
        let spot = Spot::of(address)?;
        self.check_policy(&spot.address)?;
        if self.watch_peer && !crate::probe().peer_process {
            return Err(no_pidfd("bind"));
        }
        // The description is ours alone: accept has no flag by which one call would not wait.
        let fd = sys::socket("bind", kind, SocketFlags::NONBLOCK);
        let address = &spot.address;
        let fd = fd.map_err(|error| error.on(address))?;
        self.prepare("bind", &fd)?;
        let bound = bound_path::bind(&fd, &spot, self)?;
        let backlog = i32::try_from(self.backlog).unwrap_or(i32::MAX);
        rustix::net::listen(&fd, backlog)
            .map_err(|errno| os_error("bind", errno).on(spot.address))?;
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
        Datagram::new(Socket::new(fd, self), bound, policy, self)
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
}

fn no_pidfd(operation: &'static str) -> Error {
    Error::new(operation, ErrorKind::Unsupported).hint(
        "this kernel gives no pidfd of a peer (Linux 6.5 does); \
         do without Options::watch_peer and Options::pidfd",
    )
}
