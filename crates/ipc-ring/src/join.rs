//! How a reader comes to a broadcaster: over a Unix socket, by which each passes what it writes.
//!
//! The reader begins: it sends its memory and the rope of its bell. The writer answers with its
//! own memory, the rope of the bell that it hears this reader by, and the number of the first
//! message that the reader will receive.

use crate::bell::{Bell, Rope, bell};
use crate::ground::{Region, Window};
use crate::layout::{AT_SLOTS, NUMBERS, Side};
use crate::link::Link;
use crate::{Broadcaster, Options, Subscriber, meet};
use ipc_core::{Result, Until};
use ipc_shm::Protection;
use ipc_uds::SeqPacket;
use std::os::fd::AsFd;

const MAGIC: [u8; 8] = *b"ipc-cast";

/// A reader that has come.
pub(crate) struct Guest {
    pub(crate) takes: Window,
    pub(crate) rope: Rope,
    pub(crate) bell: Bell,
    /// To be given to it.
    pub(crate) bell_rope: Rope,
}

/// Makes the memory of a writer.
pub(crate) fn broadcast(options: &Options) -> Result<Broadcaster> {
    let shape = options.shape()?;
    let mut sends = meet::region(Side::Broadcaster, shape.region_bytes())?;
    meet::write_shape(&sends, shape)?;
    sends.protect(Protection::ReadOnly)?;
    Broadcaster::new(sends, shape, options)
}

/// The writer's part: what a reader begins with.
pub(crate) fn receive(socket: &SeqPacket, until: Until) -> Result<Guest> {
    let (_, [takes, rope]) = meet::hear::<2>(socket, MAGIC, until)?;
    let takes = meet::attach(takes, Side::Receiver)?;
    let (bell_rope, bell) = bell()?;
    Ok(Guest {
        takes: takes.window(0, AT_SLOTS)?,
        rope: meet::rope(rope)?,
        bell,
        bell_rope,
    })
}

/// And what it is answered.
pub(crate) fn answer(
    socket: &SeqPacket,
    sends: &Region,
    rope: &Rope,
    start: u64,
    until: Until,
) -> Result<()> {
    let memory = sends.to_read_only_fd()?;
    let fds = [memory.as_fd(), rope.as_fd()];
    meet::say(socket, MAGIC, &start.to_le_bytes(), &fds, until)
}

/// The reader's part.
pub(crate) fn subscribe(socket: SeqPacket, options: &Options, until: Until) -> Result<Subscriber> {
    let until = options.meet_until(until);
    let mut takes = meet::region(Side::Receiver, AT_SLOTS)?;
    takes.protect(Protection::ReadOnly)?;
    let (rope, bell) = bell()?;
    let memory = takes.to_read_only_fd()?;
    let fds = [memory.as_fd(), rope.as_fd()];
    meet::say(&socket, MAGIC, &[], &fds, until)?;
    drop(rope);
    let (start, [sends, rope]) = meet::hear::<2>(&socket, MAGIC, until)?;
    let start = start.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let start = start
        .filter(|&number| number < NUMBERS)
        .ok_or_else(|| meet::corrupt("no message begins what a reader receives"))?;
    let sends = meet::attach(sends, Side::Broadcaster)?;
    let shape = meet::read_shape(&sends, options)?;
    let link = Link::new(&takes, &sends, meet::rope(rope)?, bell, options.spin)?;
    Ok(Subscriber::new(link, shape, start, socket))
}
