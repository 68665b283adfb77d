//! How two processes come to a channel: over a Unix socket, by which each passes what it writes.
//!
//! Each side makes the memory that it alone writes, closes it to every later writer, and sends
//! it with the ropes of its bells. What comes from the other side is checked before it is used:
//! memory that could be cut short, is not wholly reserved, or could be written through what we
//! hold is refused, and a rope is a pipe.

use crate::bell::{Bell, Rope, bell};
use crate::both_ends::spins_at_both_ends;
use crate::layout::{self, AT_BYTE_COUNT, AT_SLOT_COUNT, FORMAT_VERSION, Shape, Side};
use crate::link::Link;
use crate::options::named;
use crate::{Options, Receiver, Sender};
use ipc_core::{Credentials, Error, ErrorKind, Interest, Pollable, Result, TryAccept, Turn, Until};
use ipc_shm::{Protection, Region};
use ipc_sys::{DescriptorKind, crash_point, descriptor_kind};
use ipc_uds::{Ancillary, SeqPacket, SeqPacketListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

const MAGIC: [u8; 8] = *b"ipc-ring";
/// Memory to send, memory to take, the rope of the receiver's bell, that of the sender's.
const FDS: usize = 4;

/// Both directions between two processes.
#[derive(Debug)]
pub struct Channel {
    sender: Sender,
    receiver: Receiver,
    socket: SeqPacket,
}

spins_at_both_ends!(Channel);

impl Channel {
    /// The end that sends to the peer.
    #[inline]
    #[must_use]
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The end that receives from it.
    #[inline]
    #[must_use]
    pub const fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// Both ends, to be used by two threads.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Who the peer is, as the kernel has it.
    ///
    /// # Errors
    /// As [`SeqPacket::credentials`].
    pub fn credentials(&self) -> Result<Credentials> {
        self.socket.credentials()
    }
}

/// Where processes come to make channels.
#[derive(Debug)]
pub struct Listener {
    socket: SeqPacketListener,
    options: Options,
}

impl Listener {
    pub(crate) const fn new(socket: SeqPacketListener, options: Options) -> Self {
        Self { socket, options }
    }

    ipc_core::four_forms! {
        /// Makes a channel with the next process that comes. One that comes and does not do its
        /// part within [`Options::meet_timeout`] is left out, with the error that says so.
        ///
        /// # Errors
        /// As [`Options::connect`].
        accept / try_accept / accept_timeout / accept_deadline = accept_until() -> Channel
    }

    fn accept_until(&self, until: Until) -> Result<Channel> {
        let socket = self.socket_until(until);
        let met = socket.and_then(|socket| meet(socket, &self.options, until));
        met.map_err(|error| named(error, self.socket.address()))
    }

    /// The socket of the next process that comes.
    pub(crate) fn socket_until(&self, until: Until) -> Result<SeqPacket> {
        match until {
            Until::Now => self.socket.try_accept(),
            Until::Forever => self.socket.accept(),
            Until::At(deadline) => self.socket.accept_deadline(deadline),
        }
    }
}

impl Pollable for Listener {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.socket.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket.wait_ready(interests, until)
    }
}

impl TryAccept for Listener {
    type Connection = Channel;
    fn try_accept(&self) -> Result<Channel> {
        self.accept_until(Until::Now)
    }
}

/// What this side has made: its two regions, and what will wake it.
#[derive(Debug)]
struct Ours {
    shape: Shape,
    sends: Region,
    takes: Region,
    sender_bell: Bell,
    receiver_bell: Bell,
}

/// What the other side has sent.
#[derive(Debug)]
struct Theirs {
    sends: Region,
    takes: Region,
    wake_receiver: Rope,
    wake_sender: Rope,
    shape: Shape,
}

/// A channel that is being made: this side has done its part, the other has
/// [`Options::meet_timeout`] for its own. For those who wait for many at once, and hold up none
/// for one that is slow.
///
/// ```
/// let (left, right) = ipc_uds::pair_seqpacket()?;
/// let left = ipc_ring::Options::new().begin(left)?;
/// assert_eq!(left.try_finish().unwrap_err().kind(), ipc_ring::ErrorKind::WouldBlock);
/// let right = ipc_ring::Options::new().begin(right)?;
/// left.finish()?;
/// right.finish()?;
/// let (left, right) = (left.channel()?, right.channel()?);
/// left.sender().send(b"ping")?;
/// assert_eq!(right.receiver().recv(&mut [0; 16])?, 4);
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Debug)]
pub struct Meeting {
    socket: SeqPacket,
    halves: Turn<Halves>,
    options: Options,
    late: Until,
}

/// What each side has made of the channel.
#[derive(Debug)]
struct Halves {
    ours: Option<Ours>,
    theirs: Option<Theirs>,
}

impl Meeting {
    /// Does this side's part.
    pub(crate) fn begin(socket: SeqPacket, options: &Options, until: Until) -> Result<Self> {
        let late = options.meet_until(until);
        let (ours, ropes) = make(options)?;
        crash_point!("ring.meet.made");
        send(&socket, &ours, &ropes, late)?;
        crash_point!("ring.meet.said");
        let (ours, theirs) = (Some(ours), None);
        Ok(Self {
            socket,
            halves: Turn::new(Halves { ours, theirs }),
            options: options.clone(),
            late,
        })
    }

    /// Who the other side is, as the kernel has it.
    ///
    /// # Errors
    /// As [`SeqPacket::credentials`].
    pub fn credentials(&self) -> Result<Credentials> {
        self.socket.credentials()
    }

    ipc_core::four_forms! {
        /// Waits until the other side has done its part.
        ///
        /// # Errors
        /// As [`Options::over`].
        finish / try_finish / finish_timeout / finish_deadline = finish_until() -> ()
    }

    fn finish_until(&self, until: Until) -> Result<()> {
        let in_time = not_later(until, self.late);
        let taken = self.halves.take(in_time);
        let mut halves = taken.ok_or_else(|| until.over("meet"))?;
        if halves.theirs.is_some() {
            return Ok(());
        }
        halves.theirs = match receive(&self.socket, &self.options, in_time) {
            Ok(theirs) => Some(theirs),
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.is_late() => {
                return Err(self.late.over("meet"));
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// The channel that was made; there is one.
    ///
    /// # Errors
    /// [`WouldBlock`](ErrorKind::WouldBlock) before it is [finished](Meeting::finish),
    /// [`Closed`](ErrorKind::Closed) once it was taken.
    pub fn channel(&self) -> Result<Channel> {
        let taken = self.halves.take(Until::Now);
        let mut halves = taken.ok_or_else(|| Until::Now.over("meet"))?;
        let (ours, theirs) = match (halves.ours.take(), halves.theirs.take()) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (None, _) => return Err(Error::new("meet", ErrorKind::Closed)),
            (ours, _) => {
                halves.ours = ours;
                return Err(Until::Now.over("meet"));
            }
        };
        let (spin, wake) = (self.options.spin, theirs.wake_receiver);
        let sender = Link::new(&ours.sends, &theirs.takes, wake, ours.sender_bell, spin)?;
        let wake = theirs.wake_sender;
        let receiver = Link::new(&ours.takes, &theirs.sends, wake, ours.receiver_bell, spin)?;
        Ok(Channel {
            sender: Sender::new(sender, ours.shape, self.options.when_full)?,
            receiver: Receiver::new(receiver, theirs.shape)?,
            socket: self.socket.try_clone()?,
        })
    }

    fn is_late(&self) -> bool {
        self.late.is_over()
    }
}

impl Pollable for Meeting {
    fn descriptor(&self, interest: Interest) -> BorrowedFd<'_> {
        self.socket.descriptor(interest)
    }
    fn wait_ready(&self, interests: &[Interest], until: Until) -> Result<()> {
        self.socket
            .wait_ready(interests, not_later(until, self.late))
    }
}

/// `until`, but not beyond the time that the other side has.
pub(crate) fn not_later(until: Until, late: Until) -> Until {
    match (until, late) {
        (Until::At(wanted), Until::At(late)) => Until::At(wanted.min(late)),
        (Until::Forever, late) => late,
        (until, _) => until,
    }
}

/// Makes a channel over a connected socket.
pub(crate) fn meet(socket: SeqPacket, options: &Options, until: Until) -> Result<Channel> {
    let meeting = Meeting::begin(socket, options, until)?;
    meeting.finish()?;
    meeting.channel()
}

fn make(options: &Options) -> Result<(Ours, [Rope; 2])> {
    let shape = options.shape_for_one()?;
    let mut sends = region(Side::Sender, shape.region_bytes())?;
    let mut takes = region(Side::Receiver, layout::AT_SLOTS)?;
    write_shape(&sends, shape)?;
    if !options.movable {
        // Mapped here, and writable nowhere else from now on.
        sends.protect(Protection::ReadOnly)?;
        takes.protect(Protection::ReadOnly)?;
    }
    let ((receiver_rope, receiver_bell), (sender_rope, sender_bell)) = (bell()?, bell()?);
    let ours = Ours {
        shape,
        sends,
        takes,
        sender_bell,
        receiver_bell,
    };
    Ok((ours, [receiver_rope, sender_rope]))
}

/// A region of a side that is to be given away.
pub(crate) fn region(side: Side, bytes: usize) -> Result<Region> {
    ipc_shm::Options::new()
        .size_bytes(bytes)
        .layout(layout::layout(side))
        .any_word(true)
        .narrowable(true)
        .prefault(true)
        .anonymous()
}

pub(crate) fn write_shape(sends: &Region, shape: Shape) -> Result<()> {
    let slots = u32::try_from(shape.slots).unwrap_or(u32::MAX);
    sends.atomic_u32(AT_SLOT_COUNT)?.store(slots, Relaxed);
    sends.atomic_u64(AT_BYTE_COUNT)?.store(shape.bytes, Relaxed);
    Ok(())
}

fn send(socket: &SeqPacket, ours: &Ours, ropes: &[Rope; 2], until: Until) -> Result<()> {
    let memory = [ours.sends.to_read_only_fd()?, ours.takes.to_read_only_fd()?];
    let fds = [
        memory[0].as_fd(),
        memory[1].as_fd(),
        ropes[0].as_fd(),
        ropes[1].as_fd(),
    ];
    say(socket, MAGIC, &[], &fds, until)
}

/// Says what begins a meeting, and `more`.
pub(crate) fn say(
    socket: &SeqPacket,
    magic: [u8; 8],
    more: &[u8],
    fds: &[BorrowedFd<'_>],
    until: Until,
) -> Result<()> {
    let hello = [&magic, &FORMAT_VERSION.to_le_bytes()[..], more].concat();
    match until {
        Until::At(deadline) => socket.send_with_fds_deadline(&hello, fds, deadline),
        _ => socket.send_with_fds(&hello, fds),
    }
}

/// Hears what begins a meeting; returns what more was said, and what came with it.
pub(crate) fn hear<const N: usize>(
    socket: &SeqPacket,
    magic: [u8; 8],
    until: Until,
) -> Result<(Vec<u8>, [OwnedFd; N])> {
    let (mut hello, mut ancillary) = ([0; 64], Ancillary::new());
    let len = match until {
        Until::At(deadline) => socket.recv_with_fds_deadline(&mut hello, &mut ancillary, deadline),
        Until::Now => socket.try_recv_with_fds(&mut hello, &mut ancillary),
        Until::Forever => socket.recv_with_fds(&mut hello, &mut ancillary),
    }?;
    if len < 12 || hello[..8] != magic {
        return Err(corrupt("the other side speaks another protocol"));
    }
    let version = u32::from_le_bytes([hello[8], hello[9], hello[10], hello[11]]);
    if version != FORMAT_VERSION {
        return Err(Error::new("meet", ErrorKind::Unsupported).hint(format!(
            "the other side has version {version} of the layout, this one {FORMAT_VERSION}"
        )));
    }
    let fds: Vec<OwnedFd> = ancillary.take_fds().collect();
    let fds = <[OwnedFd; N]>::try_from(fds)
        .map_err(|_| corrupt("more or fewer descriptors came than belong to it"))?;
    Ok((hello.get(12..len).unwrap_or_default().to_vec(), fds))
}

fn receive(socket: &SeqPacket, options: &Options, until: Until) -> Result<Theirs> {
    let (_, fds) = hear::<FDS>(socket, MAGIC, until)?;
    crash_point!("ring.meet.heard");
    let [sends, takes, wake_receiver, wake_sender] = fds;
    let sends = attach(sends, Side::Sender)?;
    let takes = attach(takes, Side::Receiver)?;
    let shape = read_shape(&sends, options)?;
    crash_point!("ring.meet.attached");
    Ok(Theirs {
        sends,
        takes,
        wake_receiver: rope(wake_receiver)?,
        wake_sender: rope(wake_sender)?,
        shape,
    })
}

pub(crate) fn attach(fd: OwnedFd, side: Side) -> Result<Region> {
    let mut options = ipc_shm::Options::new();
    options.read_only(true).any_word(true).prefault(true);
    whole(options.layout(layout::layout(side)).attach(fd)?, side)
}

/// Refuses memory without the lines that a side's begins with. A receiver's is nothing else; how
/// large a sender's is it says itself.
pub(crate) fn whole(region: Region, side: Side) -> Result<Region> {
    let size = region.len_bytes();
    let is_whole = match side {
        Side::Receiver => size == layout::AT_SLOTS,
        _ => size >= layout::AT_SLOTS,
    };
    match is_whole {
        true => Ok(region),
        false => Err(corrupt("the memory of an end is of another size")),
    }
}

/// The shape that the sender says, read once and checked against what it has given.
pub(crate) fn shape_of(sends: &Region) -> Result<Shape> {
    let slots = u64::from(sends.load_u32(AT_SLOT_COUNT, Relaxed)?);
    let bytes = sends.load_u64(AT_BYTE_COUNT, Relaxed)?;
    let checked = || Shape::new(usize::try_from(slots).ok()?, usize::try_from(bytes).ok()?).ok();
    let wrong = || corrupt("the sender's slots and bytes are not those of its memory");
    let shape = checked().ok_or_else(wrong)?;
    match (shape.slots, shape.bytes) == (slots, bytes) && shape.region_bytes() == sends.len_bytes()
    {
        true => Ok(shape),
        false => Err(wrong()),
    }
}

/// The same, where messages are to be received from it.
pub(crate) fn read_shape(sends: &Region, options: &Options) -> Result<Shape> {
    let shape = shape_of(sends)?;
    if shape.max_message_bytes() > options.max_receive_bytes {
        return Err(Error::new("meet", ErrorKind::TooLarge)
            .hint("the sender may send more at once than Options::max_receive_bytes accepts"));
    }
    Ok(shape)
}

pub(crate) fn rope(fd: OwnedFd) -> Result<Rope> {
    match descriptor_kind(&fd)? {
        DescriptorKind::Pipe => Ok(Rope::given(fd)),
        _ => Err(corrupt("what wakes the other side is a pipe")),
    }
}

pub(crate) fn corrupt(why: &'static str) -> Error {
    Error::new("meet", ErrorKind::Corrupt).hint(why)
}
