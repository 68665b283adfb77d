//! How a member comes to a queue: over a Unix socket, by which it learns its seat.
//!
//! The newcomer begins: it says what it will do and sends the rope of its bell. The queue's maker
//! answers with the memory and a mailbox, in which the ropes of all others are already.

use super::layout::{
    AT_SLOT_BYTES, AT_SLOT_COUNT, LAYOUT, MAX_MEMBER, MAX_MEMBERS, Role, Shape, corrupt,
};
use super::member::{Member, Seated};
use super::slots::Slots;
use crate::bell::{Rope, bell};
use crate::mailbox::Mailbox;
use crate::{Options, meet};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_shm::Region;
use ipc_sys::crash_point;
use ipc_uds::SeqPacket;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

const MAGIC: [u8; 8] = *b"ipc-many";

/// What a newcomer is given.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) seated: Seated,
    pub(super) mailbox: SeqPacket,
    pub(super) memory: Region,
}

/// The maker's part: who has come.
pub(super) fn receive(socket: &SeqPacket, until: Until) -> Result<(Role, Rope)> {
    let (what, [rope]) = meet::hear::<1>(socket, MAGIC, until)?;
    let role = what.first().and_then(|&role| Role::of(role));
    let role = role.ok_or_else(|| meet::corrupt("who comes sends or receives"))?;
    Ok((role, meet::rope(rope)?))
}

/// And what it is answered.
pub(super) fn answer(socket: &SeqPacket, welcome: &Welcome, until: Until) -> Result<()> {
    let Seated {
        number, seat, came, ..
    } = &welcome.seated;
    let [a, b, c, d] = number.to_le_bytes();
    let what = [
        a,
        b,
        c,
        d,
        *seat as u8,
        u8::from(came[0]),
        u8::from(came[1]),
        0,
    ];
    let fds = [welcome.memory.as_fd()?, welcome.mailbox.as_fd()];
    meet::say(socket, MAGIC, &what, &fds, until)
}

/// The newcomer's part.
pub(super) fn join(
    socket: &SeqPacket,
    role: Role,
    options: &Options,
    until: Until,
) -> Result<Member> {
    let until = options.meet_until(until);
    let (rope, bell) = bell()?;
    meet::say(socket, MAGIC, &[role as u8], &[rope.as_fd()], until)?;
    drop(rope);
    crash_point!("queue.join.asked");
    let (what, [memory, mailbox]) = meet::hear::<2>(socket, MAGIC, until)?;
    let Some(&[a, b, c, d, seat, came0, came1, _]) = what.first_chunk() else {
        return Err(corrupt("join", "the answer is too short"));
    };
    let number = u32::from_le_bytes([a, b, c, d]);
    if usize::from(seat) >= MAX_MEMBERS || number > MAX_MEMBER {
        return Err(corrupt(
            "join",
            "no member has such a number, or such a seat",
        ));
    }
    let seated = Seated {
        number,
        role,
        seat: usize::from(seat),
        came: [came0 != 0, came1 != 0],
    };
    crash_point!("queue.join.answered");
    let slots = slots(&attach(memory)?)?;
    fits(&slots, options).inspect_err(|_| seated.leave(&slots))?;
    let mailbox = Mailbox::new(socket_of(mailbox)?);
    Member::new(slots, seated, mailbox, bell, options.spin)
}

fn attach(memory: OwnedFd) -> Result<Region> {
    ipc_shm::Options::new()
        .any_word(true)
        .prefault(true)
        .layout(LAYOUT)
        .attach(memory)
}

fn socket_of(fd: OwnedFd) -> Result<SeqPacket> {
    match ipc_sys::descriptor_kind(&fd)? {
        ipc_sys::DescriptorKind::Socket => Ok(SeqPacket::from(fd)),
        _ => Err(corrupt("join", "a mailbox is a socket")),
    }
}

/// The slots in a queue's memory, whose shape is read once and checked.
pub(super) fn slots(memory: &Region) -> Result<Slots> {
    let words = (
        memory.load_u32(AT_SLOT_COUNT, Relaxed)?,
        memory.load_u32(AT_SLOT_BYTES, Relaxed)?,
    );
    let shape = Shape::read(words.0, words.1, memory.len_bytes())
        .ok_or_else(|| meet::corrupt("the queue's slots are not those of its memory"))?;
    Ok(Slots {
        memory: memory.writable_window(0, memory.len_bytes())?,
        shape,
    })
}

/// Whether its messages are as large as we accept.
pub(super) fn fits(slots: &Slots, options: &Options) -> Result<()> {
    match slots.shape.max_message_bytes() <= options.max_receive_bytes {
        true => Ok(()),
        false => Err(Error::new("meet", ErrorKind::TooLarge)
            .hint("a message may be larger than Options::max_receive_bytes accepts")),
    }
}
