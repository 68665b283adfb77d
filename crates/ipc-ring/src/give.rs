//! How an end goes to another process: over a Unix socket, with all that it knows.
//!
//! The message has the memory that the end writes, to be written on, the other side's to be read,
//! the rope and the bell, and the end's own counters. The giver's part is over when the message
//! is out: from then on the end lives as long as the message, and then as its taker.
//!
//! What the other side of the channel could lie about is checked here as where two meet. The
//! counters are the giver's word, whom the taker trusts as much as itself; false ones make a
//! channel [`Corrupt`](ErrorKind::Corrupt) or its messages wrong, and memory stays what it is.

use crate::bell::Bell;
use crate::layout::{self, NUMBERS, Shape, Side};
use crate::link::Link;
use crate::{Options, Receiver, Sender, meet};
use ipc_core::{Error, ErrorKind, Result, Until, four_forms};
use ipc_shm::{Protection, Region};
use ipc_sys::{DescriptorKind, crash_point, descriptor_kind};
use ipc_uds::SeqPacket;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

const A_SENDER: [u8; 8] = *b"ipc-send";
const A_RECEIVER: [u8; 8] = *b"ipc-recv";
/// Memory of its own, the other side's, the rope, the bell.
const FDS: usize = 4;

/// An end that could not be given away, and why. It is as it was.
#[derive(Debug)]
pub struct NotGiven<E> {
    /// Why.
    pub error: Error,
    /// The end.
    pub end: Box<E>,
}

impl<E> fmt::Display for NotGiven<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: fmt::Debug> std::error::Error for NotGiven<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl<E> From<NotGiven<E>> for Error {
    /// The end is dropped, and so closed.
    fn from(not: NotGiven<E>) -> Self {
        not.error
    }
}

/// The four forms of giving, which take the end and give it back where it stays.
macro_rules! gives {
    ($End:ident, $take:literal) => {
        impl $End {
            /// Gives this end to who [takes](
            #[doc = concat!("Options::", $take)]
            /// ) it at the other end of `socket`; here it is gone, and the channel goes on with
            /// the taker. Until it is taken it is the socket's: who waits for it waits, and is
            /// told [`PeerDied`](ErrorKind::PeerDied) where the message is lost with its reader.
            ///
            /// # Errors
            /// [`Unsupported`](ErrorKind::Unsupported) for a channel of two processes that met
            /// without [`Options::movable`], whose memory nobody else can come to write;
            /// [`Closed`](ErrorKind::Closed) where nobody is at the other end of `socket`.
            pub fn give(self, socket: &SeqPacket) -> std::result::Result<(), NotGiven<Self>> {
                self.give_until(socket, Until::Forever)
            }

            /// [`give`](Self::give) without waiting.
            ///
            /// # Errors
            /// As [`give`](Self::give), and [`WouldBlock`](ErrorKind::WouldBlock).
            pub fn try_give(self, socket: &SeqPacket) -> std::result::Result<(), NotGiven<Self>> {
                self.give_until(socket, Until::Now)
            }

            /// [`give`](Self::give) for at most `timeout`.
            ///
            /// # Errors
            /// As [`give`](Self::give), and [`TimedOut`](ErrorKind::TimedOut).
            pub fn give_timeout(
                self,
                socket: &SeqPacket,
                timeout: Duration,
            ) -> std::result::Result<(), NotGiven<Self>> {
                self.give_until(socket, Until::after(timeout))
            }

            /// [`give`](Self::give) until `deadline` at the latest.
            ///
            /// # Errors
            /// As [`give`](Self::give), and [`TimedOut`](ErrorKind::TimedOut).
            pub fn give_deadline(
                self,
                socket: &SeqPacket,
                deadline: Instant,
            ) -> std::result::Result<(), NotGiven<Self>> {
                self.give_until(socket, Until::At(deadline))
            }

            fn give_until(
                mut self,
                socket: &SeqPacket,
                until: Until,
            ) -> std::result::Result<(), NotGiven<Self>> {
                match self.hand_over(socket, until) {
                    Ok(()) => {
                        self.link.forget();
                        Ok(())
                    }
                    Err(error) => Err(NotGiven {
                        error,
                        end: Box::new(self),
                    }),
                }
            }
        }
    };
}

gives!(Sender, "take_sender");
gives!(Receiver, "take_receiver");

impl Sender {
    fn hand_over(&self, socket: &SeqPacket, until: Until) -> Result<()> {
        let [sent, taken, freed, end] = self.counters();
        let words = [sent, taken, freed, end, self.dropped()];
        give(&self.link, A_SENDER, &words, socket, until)
    }
}

impl Receiver {
    fn hand_over(&self, socket: &SeqPacket, until: Until) -> Result<()> {
        let [taken, end] = self.counters();
        give(&self.link, A_RECEIVER, &[taken, end], socket, until)
    }
}

impl Options {
    four_forms! {
        /// Takes the sender that who is at the other end of `socket` [gives](Sender::give), and
        /// all that it knows: it must be trusted as this process itself. Of these options the
        /// waiting and what is done without room are the taker's.
        ///
        /// # Errors
        /// [`Corrupt`](ErrorKind::Corrupt) where what comes is no sender, or its memory does not
        /// say what its giver says; [`Closed`](ErrorKind::Closed) where nobody gives one.
        take_sender / try_take_sender / take_sender_timeout / take_sender_deadline
            = take_sender_until(socket: &SeqPacket) -> Sender
    }

    four_forms! {
        /// Takes the receiver that who is at the other end of `socket` [gives](Receiver::give),
        /// as [`take_sender`](Options::take_sender) does.
        ///
        /// # Errors
        /// As [`take_sender`](Options::take_sender); and [`TooLarge`](ErrorKind::TooLarge) above
        /// [`max_receive_bytes`](Options::max_receive_bytes).
        take_receiver / try_take_receiver / take_receiver_timeout / take_receiver_deadline
            = take_receiver_until(socket: &SeqPacket) -> Receiver
    }

    fn take_sender_until(&self, socket: &SeqPacket, until: Until) -> Result<Sender> {
        // What it may not do here it could not do where it comes from.
        self.shape_for_one()?;
        let (words, taken) = take::<6>(socket, A_SENDER, Side::Sender, Side::Receiver, until)?;
        let shape = meet::shape_of(&taken.own)?;
        let [sent, removed, freed, end, dropped, parked] = words;
        let link = taken.link(parked, self)?;
        let sender = Sender::new(link, shape, self.when_full)?;
        sender.resume([sent, removed, freed, end], dropped)?;
        crash_point!("ring.give.taken");
        Ok(sender)
    }

    fn take_receiver_until(&self, socket: &SeqPacket, until: Until) -> Result<Receiver> {
        let (words, taken) = take::<3>(socket, A_RECEIVER, Side::Receiver, Side::Sender, until)?;
        let shape: Shape = meet::read_shape(&taken.theirs, self)?;
        let [count, end, parked] = words;
        let receiver = Receiver::new(taken.link(parked, self)?, shape)?;
        receiver.resume(count, end)?;
        Ok(receiver)
    }
}

/// The words, and behind them the number of the end's last sleep.
fn give(
    link: &Link,
    magic: [u8; 8],
    words: &[u64],
    socket: &SeqPacket,
    until: Until,
) -> Result<()> {
    let (own, theirs) = link.regions();
    if own.protection()? != Protection::ReadWrite {
        return Err(Error::new("give", ErrorKind::Unsupported).hint(
            "nobody else can come to write its memory: ends that are to be given away are made \
             with Options::movable on both sides",
        ));
    }
    let parked = link.settle();
    let words = words.iter().copied().chain([parked]);
    let more: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    let theirs = match theirs.is_read_only() {
        true => theirs.to_fd()?,
        false => theirs.to_read_only_fd()?,
    };
    let own = own.to_fd()?;
    let (rope, bell) = link.pipes();
    crash_point!("ring.give.ready");
    meet::say(
        socket,
        magic,
        &more,
        &[own.as_fd(), theirs.as_fd(), rope, bell],
        until,
    )?;
    crash_point!("ring.give.given");
    Ok(())
}

/// What came, checked as far as two who meet check it.
struct Taken {
    own: Region,
    theirs: Region,
    rope: OwnedFd,
    bell: OwnedFd,
}

fn take<const WORDS: usize>(
    socket: &SeqPacket,
    magic: [u8; 8],
    side: Side,
    other: Side,
    until: Until,
) -> Result<([u64; WORDS], Taken)> {
    let (more, fds) = meet::hear::<FDS>(socket, magic, until)?;
    crash_point!("ring.give.heard");
    let [own, theirs, rope, bell] = fds;
    let (words, rest) = more.as_chunks::<8>();
    let words = <[[u8; 8]; WORDS]>::try_from(words).ok();
    let words = words.map(|words| words.map(u64::from_le_bytes));
    let words = words
        .filter(|words| rest.is_empty() && words.iter().all(|&word| word < NUMBERS))
        .ok_or_else(|| meet::corrupt("an end's counters are others"))?;
    let own = (ipc_shm::Options::new().any_word(true).prefault(true))
        .layout(layout::layout(side))
        .attach(own)?;
    let own = meet::whole(own, side)?;
    if own.is_read_only() {
        return Err(meet::corrupt("an end's own memory cannot be written"));
    }
    let theirs = meet::attach(theirs, other)?;
    if descriptor_kind(&bell)? != DescriptorKind::Pipe {
        return Err(meet::corrupt("what wakes an end is a pipe"));
    }
    Ok((
        words,
        Taken {
            own,
            theirs,
            rope,
            bell,
        },
    ))
}

impl Taken {
    fn link(self, parked: u64, options: &Options) -> Result<Link> {
        let (rope, bell) = (meet::rope(self.rope)?, Bell::given(self.bell));
        let link = Link::new(&self.own, &self.theirs, rope, bell, options.spin)?;
        link.resume(parked)?;
        Ok(link)
    }
}
