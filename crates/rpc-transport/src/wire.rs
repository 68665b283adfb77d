//! A connected byte stream of any transport, and what it proves of the peer.

use crate::endpoint::Endpoint;
use crate::meeting::Meeting;
use ipc_core::{ByteSink, ByteSource, Debt, Duplex, Interest, Pollable, Rest, Result, Until};
use rpc_core::Peer;
use std::fmt;
use std::os::fd::BorrowedFd;

/// A connected byte stream, whichever transport made it.
///
/// ```
/// let (left, right) = rpc_transport::Wire::pair()?;
/// use ipc_core::{ByteSink, ByteSource, Until};
/// left.write_until(&[], b"ping", Until::Forever)?;
/// assert_eq!(right.read_until(&mut [0; 16], Until::Forever)?, 4);
/// # Ok::<(), rpc_transport::Error>(())
/// ```
pub struct Wire {
    carrier: Carrier,
    peer: Peer,
    plain: bool,
    endpoint: Option<Box<Endpoint>>,
}

/// What carries the bytes.
enum Carrier {
    Any(Box<dyn Duplex + Send + Sync>),
    /// It has no socket that could be shut down.
    Ring(Box<ipc_ring::Stream>),
    /// It is a ring after the handshake.
    Meeting(Box<Meeting>),
    /// Its peer is known after the handshake.
    #[cfg(feature = "tls")]
    Tls(Box<dyn crate::secured::Secured>),
}

impl Wire {
    /// Any stream, and what is proven of who is at its other end: TLS, say, after its handshake,
    /// and the names in the peer's certificate.
    pub fn new(stream: impl Duplex + Send + Sync + 'static, peer: Peer) -> Self {
        Self {
            carrier: Carrier::Any(Box::new(stream)),
            peer,
            plain: false,
            endpoint: None,
        }
    }

    /// A stream of the kernel's own, without anything between.
    fn plain(stream: impl Duplex + Send + Sync + 'static, peer: Peer) -> Self {
        Self {
            plain: true,
            ..Self::new(stream, peer)
        }
    }

    /// Two ends that are connected, over a Unix socket without a name.
    ///
    /// # Errors
    /// As [`ipc_uds::pair`].
    pub fn pair() -> Result<(Self, Self)> {
        let (left, right) = ipc_uds::pair()?;
        Ok((Self::unix(left)?, Self::unix(right)?))
    }

    /// Two ends that are connected, over two pipes, whose peer nobody proves.
    ///
    /// # Errors
    /// As [`ipc_pipe::duplex`].
    pub fn pipe_pair() -> Result<(Self, Self)> {
        let (left, right) = ipc_pipe::duplex()?;
        Ok((Self::pipe(left), Self::pipe(right)))
    }

    /// Two pipes, such as standard input and output, whose peer nobody proves.
    #[must_use]
    pub fn pipe(stream: ipc_pipe::Stream) -> Self {
        Self::plain(stream, Peer::Unknown)
    }

    /// A Unix stream, with the peer that the kernel names.
    ///
    /// # Errors
    /// Where the kernel does not say who it is: nobody is let in unnamed.
    pub fn unix(stream: ipc_uds::Stream) -> Result<Self> {
        let peer = Peer::Unix(stream.credentials()?);
        Ok(Self::plain(stream, peer))
    }

    /// A TCP stream, whose peer's address proves nobody.
    ///
    /// # Errors
    /// As [`peer_address`](ipc_net::Stream::peer_address).
    pub fn tcp(stream: ipc_net::Stream) -> Result<Self> {
        let peer = Peer::Tcp(stream.peer_address()?);
        Ok(Self::plain(stream, peer))
    }

    /// A TLS stream over TCP, whose peer is an address until its
    /// [handshake](Wire::handshake) is made.
    ///
    /// # Errors
    /// As [`peer_address`](ipc_net::Stream::peer_address).
    #[cfg(feature = "tls")]
    pub fn tls(stream: ipc_net::tls::Stream) -> Result<Self> {
        let peer = Peer::Tcp(stream.inner().peer_address()?);
        Ok(Self {
            carrier: Carrier::Tls(Box::new(stream)),
            peer,
            plain: false,
            endpoint: None,
        })
    }

    /// TLS over a stream of another transport, such as a Unix socket or shared memory between
    /// two that trust certificates more than users. Until its [handshake](Wire::handshake) is
    /// made, nothing is proven of the peer but what the stream below proves.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_over(stream: ipc_net::tls::Stream<Self>) -> Self {
        let peer = stream.inner().peer().clone();
        Self {
            carrier: Carrier::Tls(Box::new(stream)),
            peer,
            plain: false,
            endpoint: None,
        }
    }

    /// A channel in shared memory, with the peer that the kernel names.
    ///
    /// # Errors
    /// As [`unix`](Wire::unix).
    pub fn shm(channel: ipc_ring::Channel) -> Result<Self> {
        let peer = Peer::Unix(channel.credentials()?);
        let carrier = Carrier::Ring(Box::new(channel.stream()));
        Ok(Self {
            carrier,
            peer,
            plain: false,
            endpoint: None,
        })
    }

    /// A channel in shared memory that is being made: it is there after the
    /// [handshake](Wire::handshake).
    ///
    /// # Errors
    /// As [`unix`](Wire::unix).
    pub fn shm_meeting(meeting: ipc_ring::Meeting) -> Result<Self> {
        let peer = Peer::Unix(meeting.credentials()?);
        let carrier = Carrier::Meeting(Box::new(Meeting::new(meeting)));
        Ok(Self {
            carrier,
            peer,
            plain: false,
            endpoint: None,
        })
    }

    /// Lets the peer do its part, where the transport has a handshake, waiting until `until`: in
    /// TLS it proves who it is, and then [`peer`](Wire::peer) has the names in its certificate;
    /// for shared memory it hands over its half. Others are ready when they are connected.
    ///
    /// # Errors
    /// [`Denied`](ipc_core::ErrorKind::Denied) where one side refuses the other, and as the
    /// transport says.
    pub fn handshake(&mut self, until: Until) -> Result<()> {
        self.shake_hands(until)?;
        if let Carrier::Meeting(meeting) = &self.carrier {
            self.carrier = Carrier::Ring(Box::new(meeting.channel()?.stream()));
        }
        #[cfg(feature = "tls")]
        if let Carrier::Tls(stream) = &self.carrier
            && let Some(identity) = stream.identity()
        {
            let names = [identity.dns_names(), identity.uris()].concat();
            self.peer = Peer::Tls(names.into());
        }
        Ok(())
    }

    /// The part of [`handshake`](Wire::handshake) that waits, for event loops: once it is done,
    /// [`handshake`](Wire::handshake) is done at once.
    ///
    /// # Errors
    /// [`WouldBlock`](ipc_core::ErrorKind::WouldBlock) while the peer has its turn, and as
    /// [`handshake`](Wire::handshake).
    pub fn try_handshake(&self) -> Result<()> {
        self.shake_hands(Until::Now)
    }

    /// Whether [`handshake`](Wire::handshake) has anything to do.
    #[must_use]
    pub const fn has_handshake(&self) -> bool {
        !matches!(self.carrier, Carrier::Any(_) | Carrier::Ring(_))
    }

    fn shake_hands(&self, until: Until) -> Result<()> {
        match &self.carrier {
            Carrier::Any(_) | Carrier::Ring(_) => Ok(()),
            Carrier::Meeting(meeting) => meeting.finish(until),
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => stream.shake_hands(until),
        }
    }

    #[inline]
    fn stream(&self) -> &(dyn Duplex + Send + Sync) {
        match &self.carrier {
            Carrier::Any(stream) => &**stream,
            Carrier::Ring(stream) => &**stream,
            Carrier::Meeting(meeting) => &**meeting,
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => &**stream,
        }
    }

    /// Whether a read that leaves room in its buffer has emptied the kernel's: an event loop then
    /// need not try again. A stream that reads for itself, as TLS does, may leave some there.
    #[must_use]
    pub const fn short_reads_empty_it(&self) -> bool {
        self.plain
    }

    /// Whether what is written is copied into memory that the peer reads, and nowhere else on its
    /// way: then a large message is best written from where it stands.
    #[must_use]
    pub const fn writes_to_memory(&self) -> bool {
        matches!(self.carrier, Carrier::Ring(_))
    }

    /// Ends both directions of a socket, also for whoever waits on it now. Pipes have no such
    /// thing: they end when they are dropped.
    pub fn shut_down(&self) {
        match &self.carrier {
            Carrier::Ring(stream) => return stream.shut_down(),
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => return stream.shut_down(),
            _ => {}
        }
        let socket = self.descriptor(Interest::Write);
        // A pipe says that it is no socket, and one that has ended says so: both are no news.
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
    }

    /// What both sides have agreed to speak, where the transport's handshake has words for that
    /// (TLS, by ALPN); `None` where nothing was agreed.
    #[must_use]
    pub fn protocol(&self) -> Option<Vec<u8>> {
        match &self.carrier {
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => stream.protocol(),
            _ => None,
        }
    }

    /// It leads there.
    pub(crate) fn of(mut self, endpoint: &Endpoint) -> Self {
        self.endpoint = Some(Box::new(endpoint.clone()));
        self
    }

    /// Where it leads, if it was connected by a string binding: the transport that was taken.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_deref()
    }

    /// What the transport proves of the peer.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl Pollable for Wire {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.stream().descriptor(interest)
    }
    fn shown_by(&self, interest: Interest) -> Interest {
        self.stream().shown_by(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.stream().wait_ready(interests, until)
    }
    fn arm(&self, interest: Interest) -> Result<bool> {
        self.stream().arm(interest)
    }
    fn is_undisturbed(&self, interest: Interest) -> bool {
        self.stream().is_undisturbed(interest)
    }
    fn has_buffered(&self) -> bool {
        self.stream().has_buffered()
    }
    fn looks(&self) -> u64 {
        self.stream().looks()
    }
    fn looked(&self, looks: u64, found: bool) {
        self.stream().looked(looks, found);
    }
    fn arms_anew(&self) -> bool {
        self.stream().arms_anew()
    }
    fn is_plain(&self) -> bool {
        self.stream().is_plain()
    }
    fn shows_truly(&self) -> bool {
        self.stream().shows_truly()
    }
    fn is_armed(&self, interest: Interest) -> bool {
        self.stream().is_armed(interest)
    }
    fn rest(&self, interest: Interest) -> Option<&Rest> {
        self.stream().rest(interest)
    }
    fn owes(&self) -> bool {
        self.stream().owes()
    }
    fn pay(&self) -> Result<()> {
        self.stream().pay()
    }
}

impl ByteSource for Wire {
    #[inline]
    fn read_until(&self, buffer: &mut [u8], until: Until) -> Result<usize> {
        self.stream().read_until(buffer, until)
    }
}

impl ByteSink for Wire {
    #[inline]
    fn write_until(&self, head: &[u8], body: &[u8], until: Until) -> Result<usize> {
        self.stream().write_until(head, body, until)
    }
    fn debt(&self) -> &Debt {
        self.stream().debt()
    }
    fn pay_until(&self, until: Until) -> Result<()> {
        self.stream().pay_until(until)
    }
    fn end_until(&self, until: Until) -> Result<()> {
        self.stream().end_until(until)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
