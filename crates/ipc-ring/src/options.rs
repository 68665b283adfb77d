//! How a channel is made.

use crate::bell::bell;
use crate::layout::{AT_SLOTS, Shape, Side};
use crate::link::Link;
use crate::meet::{self, Channel, Listener, Meeting};
use crate::{Broadcaster, Receiver, Sender, Spin, Subscriber, WhenFull, join};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_uds::{Address, SeqPacket, ToAddress};
use std::time::Duration;

/// How a channel is made.
///
/// ```
/// let (sender, receiver) = ipc_ring::Options::new().capacity_messages(8).pair()?;
/// sender.send(b"ping")?;
/// let mut buffer = [0; 16];
/// assert_eq!(receiver.recv(&mut buffer)?, 4);
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    messages: usize,
    bytes: usize,
    pub(crate) spin: Spin,
    pub(crate) when_full: WhenFull,
    pub(crate) movable: bool,
    pub(crate) max_receive_bytes: usize,
    pub(crate) meet_timeout: Duration,
    socket: ipc_uds::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            messages: 1024,
            bytes: 1 << 20,
            spin: Spin::default(),
            when_full: WhenFull::default(),
            movable: false,
            max_receive_bytes: 1 << 26,
            meet_timeout: Duration::from_secs(5),
            socket: ipc_uds::Options::new(),
        }
    }
}

impl Options {
    /// 1,024 messages, and 1 MiB for those that no slot can hold.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages may be under way: a power of two, or the next.
    pub fn capacity_messages(&mut self, messages: usize) -> &mut Self {
        self.messages = messages;
        self
    }

    /// How many bytes of messages larger than [`INLINE_BYTES`](crate::INLINE_BYTES) may be under
    /// way, and so how large one message may be.
    pub fn capacity_bytes(&mut self, bytes: usize) -> &mut Self {
        self.bytes = bytes;
        self
    }

    /// How long the ends look at memory before they sleep.
    pub fn spin(&mut self, spin: Spin) -> &mut Self {
        self.spin = spin;
        self
    }

    /// What a send does where there is no room; it waits by default.
    pub fn when_full(&mut self, when_full: WhenFull) -> &mut Self {
        self.when_full = when_full;
        self
    }

    /// The ends of a channel that two processes make can be [given](Sender::give) to a third. A
    /// peer of our own user can then come to write what we write, though never what it could not
    /// say anyway as our peer: what we read there of our own is checked too. Those of a
    /// [`pair`](Options::pair) can in any case. Off by default.
    pub fn movable(&mut self, movable: bool) -> &mut Self {
        self.movable = movable;
        self
    }

    /// How large a message a peer may be able to send; 64 MiB by default.
    pub fn max_receive_bytes(&mut self, bytes: usize) -> &mut Self {
        self.max_receive_bytes = bytes;
        self
    }

    /// How long a peer may take to do its part of making a channel; 5 seconds by default, and no
    /// longer than the caller's own deadline. A try form waits so long for who is there already.
    pub fn meet_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.meet_timeout = timeout;
        self
    }

    /// Takes over the path of a socket whose listener is gone.
    pub fn replace_stale(&mut self, replace: bool) -> &mut Self {
        self.socket.replace_stale(replace);
        self
    }

    /// How the socket is made: its mode, who may connect, the directory of names.
    pub fn socket(&mut self, options: ipc_uds::Options) -> &mut Self {
        self.socket = options;
        self
    }

    /// Makes a channel, both of whose ends are in this process.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a capacity out of range, and for
    /// [`WhenFull::DropOldest`], since only the receiver may take what it was sent;
    /// [`NoSpace`](crate::ErrorKind::NoSpace) and [`LimitReached`](crate::ErrorKind::LimitReached)
    /// without memory or descriptors.
    pub fn pair(&self) -> Result<(Sender, Receiver)> {
        let shape = self.shape_for_one()?;
        let sends = meet::region(Side::Sender, shape.region_bytes())?;
        let takes = meet::region(Side::Receiver, AT_SLOTS)?;
        meet::write_shape(&sends, shape)?;
        let ((wake_receiver, receiver_bell), (wake_sender, sender_bell)) = (bell()?, bell()?);
        let sender = Link::new(&sends, &takes, wake_receiver, sender_bell, self.spin)?;
        let receiver = Link::new(&takes, &sends, wake_sender, receiver_bell, self.spin)?;
        let sender = Sender::new(sender, shape, self.when_full)?;
        Ok((sender, Receiver::new(receiver, shape)?))
    }

    /// Listens at a path or an abstract name for processes that [`connect`](Options::connect).
    ///
    /// # Errors
    /// As [`ipc_uds::Options::bind_seqpacket`].
    pub fn bind(&self, address: impl ToAddress) -> Result<Listener> {
        let socket = self.socket.bind_seqpacket(address)?;
        Ok(Listener::new(socket, self.clone()))
    }

    four_forms! {
        /// Connects to the process that listens at `address`, and makes a channel with it.
        ///
        /// # Errors
        /// As [`ipc_uds::Options::connect_seqpacket`], [`pair`](Options::pair) and
        /// [`over`](Options::over).
        connect / try_connect / connect_timeout / connect_deadline
            = connect_until(address: impl ToAddress) -> Channel
    }

    fn connect_until(&self, address: impl ToAddress, until: Until) -> Result<Channel> {
        let shown = address.to_address();
        let met = meet::meet(self.socket_until(address, until)?, self, until);
        met.map_err(|error| named(error, shown))
    }

    /// When it is too late for a peer's part: its own time is over, or the caller's. A try form
    /// gives who is there already all of its time.
    pub(crate) fn meet_until(&self, until: Until) -> Until {
        let late = Until::after(self.meet_timeout);
        match until {
            Until::Now => late,
            until => meet::not_later(until, late),
        }
    }

    pub(crate) fn socket_until(&self, address: impl ToAddress, until: Until) -> Result<SeqPacket> {
        match until {
            Until::Now => self.socket.try_connect_seqpacket(address),
            Until::Forever => self.socket.connect_seqpacket(address),
            Until::At(deadline) => self.socket.connect_seqpacket_deadline(address, deadline),
        }
    }

    /// Makes a channel with the process at the other end of `socket`, which does the same.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt), [`Denied`](crate::ErrorKind::Denied) and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where it sends what is no channel, or one
    /// that it could change under us; [`TooLarge`](crate::ErrorKind::TooLarge) above
    /// [`max_receive_bytes`](Options::max_receive_bytes);
    /// [`TimedOut`](crate::ErrorKind::TimedOut) where it does not do its part in time.
    pub fn over(&self, socket: SeqPacket) -> Result<Channel> {
        meet::meet(socket, self, Until::Forever)
    }

    /// Begins to make a channel with the process at the other end of `socket`, and waits for
    /// nothing.
    ///
    /// # Errors
    /// As [`pair`](Options::pair).
    pub fn begin(&self, socket: SeqPacket) -> Result<Meeting> {
        Meeting::begin(socket, self, Until::Forever)
    }

    /// Makes the memory from which many read what one writes. Readers come by
    /// [`Broadcaster::accept`] and [`Broadcaster::add`].
    ///
    /// # Errors
    /// As [`pair`](Options::pair).
    pub fn broadcast(&self) -> Result<Broadcaster> {
        join::broadcast(self)
    }

    four_forms! {
        /// Connects to the process that listens at `address` as a reader of its
        /// [`Broadcaster`].
        ///
        /// # Errors
        /// As [`connect`](Options::connect).
        subscribe / try_subscribe / subscribe_timeout / subscribe_deadline
            = subscribe_until(address: impl ToAddress) -> Subscriber
    }

    fn subscribe_until(&self, address: impl ToAddress, until: Until) -> Result<Subscriber> {
        let shown = address.to_address();
        let joined = join::subscribe(self.socket_until(address, until)?, self, until);
        joined.map_err(|error| named(error, shown))
    }

    /// Becomes a reader of the [`Broadcaster`] at the other end of `socket`, which
    /// [adds](Broadcaster::add) it.
    ///
    /// # Errors
    /// As [`over`](Options::over).
    pub fn subscribe_over(&self, socket: SeqPacket) -> Result<Subscriber> {
        join::subscribe(socket, self, Until::Forever)
    }

    pub(crate) fn shape_for_one(&self) -> Result<Shape> {
        if self.when_full == WhenFull::DropOldest {
            return Err(Error::new("create", ErrorKind::InvalidInput)
                .hint("only a broadcaster and a queue can drop the oldest messages"));
        }
        self.shape()
    }

    pub(crate) fn shape(&self) -> Result<Shape> {
        Shape::new(self.messages, self.bytes)
    }
}

/// The error with the address at which it happened, where it names nothing else. What polling
/// loops build stays as it is, and takes no memory.
pub(crate) fn named(error: Error, address: Result<Address>) -> Error {
    let polled = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    match address {
        Ok(address) if !polled && error.object().is_none() => error.on(address),
        _ => error,
    }
}
