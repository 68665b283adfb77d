//! A queue as its maker has it: who may come, and what each is told of the others.

use super::join::{self, Welcome};
use super::layout::{
    self, AT_ASLEEP, AT_CHANGES, AT_SEATS, LAYOUT, MAX_MEMBER, MAX_MEMBERS, NEXT_ROLE, Role,
    SEAT_MEMBER, Shape, seat,
};
use super::member::{ARMED, ASLEEP, Member, Seated};
use super::peers::Note;
use super::slots::Slots;
use super::{Consumer, Producer};
use crate::bell::{Rope, bell};
use crate::layout::LINE;
use crate::mailbox::Mailbox;
use crate::{Listener, Options};
use ipc_core::{Error, ErrorKind, Held, Result, Turn, Until, four_forms};
use ipc_shm::Region;
use ipc_uds::SeqPacket;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::{Release, SeqCst};

/// A queue of messages that many processes send and many receive: each message comes to one of
/// the receivers. This is its maker's end, which takes members in; those who are there go on
/// without it.
///
/// ```
/// let queue = ipc_ring::Options::new().queue()?;
/// let (producer, consumer) = (queue.producer()?, queue.consumer()?);
/// producer.send(b"to one of many")?;
/// let mut buffer = [0; 16];
/// assert_eq!(consumer.recv(&mut buffer)?, 14);
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Debug)]
pub struct Queue {
    memory: Region,
    slots: Slots,
    options: Options,
    guests: Turn<Guests>,
}

/// The members.
#[derive(Debug)]
struct Guests {
    by_seat: Vec<Option<Guest>>,
    /// A bit for each seat in which the last to sit has died.
    deaths: u64,
    /// How many have come.
    number: u32,
    came: [bool; 2],
}

#[derive(Debug)]
struct Guest {
    note: Note,
    rope: Rope,
    /// What we put in, and where it takes it from.
    mailbox: (SeqPacket, SeqPacket),
}

impl Queue {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let shape = Shape::of(options)?;
        let bytes = shape.region_bytes();
        let bytes = bytes.ok_or_else(|| Error::new("create", ErrorKind::InvalidInput))?;
        let memory = ipc_shm::Options::new()
            .size_bytes(bytes)
            .layout(LAYOUT)
            .any_word(true)
            .prefault(true)
            .anonymous()?;
        layout::begin(&memory.writable_window(0, bytes)?, shape);
        let slots = join::slots(&memory)?;
        join::fits(&slots, options)?;
        Ok(Self {
            slots,
            memory,
            options: options.clone(),
            guests: Turn::new(Guests {
                by_seat: (0..MAX_MEMBERS).map(|_| None).collect(),
                deaths: 0,
                number: 0,
                came: [false; 2],
            }),
        })
    }

    /// A member of this process, that sends.
    ///
    /// # Errors
    /// [`LimitReached`](ErrorKind::LimitReached) where the queue has
    /// [`MAX_MEMBERS`](crate::MAX_MEMBERS), or without descriptors.
    pub fn producer(&self) -> Result<Producer> {
        let member = self.member(Role::Producer)?;
        Ok(Producer::new(member, self.options.when_full))
    }

    /// A member of this process, that receives.
    ///
    /// # Errors
    /// As [`producer`](Queue::producer).
    pub fn consumer(&self) -> Result<Consumer> {
        self.member(Role::Consumer).map(Consumer::new)
    }

    four_forms! {
        /// Takes in the next process that comes to `listener` as a member.
        ///
        /// # Errors
        /// As [`add`](Queue::add) and [`Listener::accept`].
        accept / try_accept / accept_timeout / accept_deadline
            = accept_until(listener: &Listener) -> ()
    }

    fn accept_until(&self, listener: &Listener, until: Until) -> Result<()> {
        self.add_until(listener.socket_until(until)?, until)
    }

    /// Takes in the process at the other end of `socket` as a member, which
    /// [produces](Options::produce_over) or [consumes](Options::consume_over).
    ///
    /// # Errors
    /// As [`Options::over`] and [`producer`](Queue::producer).
    pub fn add(&self, socket: SeqPacket) -> Result<()> {
        self.add_until(socket, Until::Forever)
    }

    fn add_until(&self, socket: SeqPacket, until: Until) -> Result<()> {
        let until = self.options.meet_until(until);
        let (role, rope) = join::receive(&socket, until)?;
        let welcome = self.admit(role, rope)?;
        let answered = join::answer(&socket, &welcome, until);
        if answered.is_err() {
            self.send_away(&welcome.seated);
        }
        answered
    }

    /// It never was there: it wakes nobody, and the others see that its bell has no reader.
    fn send_away(&self, seated: &Seated) {
        let mut guests = self.guests();
        seated.leave(&self.slots);
        guests.by_seat[seated.seat].take_if(|guest| guest.note.member == seated.number);
    }

    /// How many members there are, producers and consumers, now that the dead ones are left out.
    ///
    /// # Errors
    /// As the system says.
    pub fn members(&self) -> Result<(usize, usize)> {
        let mut guests = self.guests();
        guests.sweep(&self.slots);
        let here = |guest: &&Guest| !guest.has_left(&self.slots);
        let count = |role| {
            let here = guests.by_seat.iter().flatten().filter(here);
            here.filter(|guest| guest.note.role == role).count()
        };
        Ok((count(Role::Producer), count(Role::Consumer)))
    }

    /// How large a message may be.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        self.slots.shape.max_message_bytes()
    }

    fn member(&self, role: Role) -> Result<Member> {
        let (rope, bell) = bell()?;
        let slots = join::slots(&self.memory)?;
        let welcome = self.admit(role, rope)?;
        let mailbox = Mailbox::new(welcome.mailbox);
        Member::new(slots, welcome.seated, mailbox, bell, self.options.spin)
    }

    /// Gives a newcomer a seat, and tells it of the others and them of it.
    fn admit(&self, role: Role, rope: Rope) -> Result<Welcome> {
        let mut guests = self.guests();
        guests.sweep(&self.slots);
        let full = |hint: &'static str| Error::new("join", ErrorKind::LimitReached).hint(hint);
        let free = guests.by_seat.iter().position(Option::is_none);
        let seat_at = free.ok_or_else(|| full("the queue has as many members as it can have"))?;
        if guests.number == MAX_MEMBER {
            return Err(full("more members have come than are counted"));
        }
        let note = Note {
            member: guests.number + 1,
            role,
            seat: seat_at,
            after_a_death: guests.deaths & 1 << seat_at != 0,
        };
        let newcomer = Guest {
            note,
            rope,
            mailbox: ipc_uds::pair_seqpacket()?,
        };
        for guest in guests.by_seat.iter().flatten() {
            newcomer.tell_of(guest)?;
        }
        let seated = Seated {
            number: note.member,
            role,
            seat: seat_at,
            came: guests.came,
        };
        let mailbox = newcomer.mailbox.1.try_clone()?;
        // One that died asleep is not woken any more, nor is who sits there now in its place.
        for role in [AT_ASLEEP, AT_ASLEEP + NEXT_ROLE] {
            for at in [role + ASLEEP, role + ARMED] {
                let bits = self.slots.memory.u64(at);
                bits.fetch_and(!(1 << seat_at), SeqCst);
            }
        }
        let word = self
            .slots
            .memory
            .u64(AT_SEATS + seat_at * LINE + SEAT_MEMBER);
        word.store(seat(note.member, true), Release);
        guests.number += 1;
        guests.came[role as usize] = true;
        let all = |guests: &Guests, to: &Guest| {
            let others = guests.by_seat.iter().flatten();
            let others = others.filter(|guest| guest.note.seat != to.note.seat);
            others
                .chain([&newcomer])
                .try_for_each(|guest| to.tell_of(guest))
        };
        for guest in guests.by_seat.iter().flatten() {
            let mut told = guest.tell_of(&newcomer);
            if told
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
            {
                // It has not looked for long: what it is told anew is shorter than all it was.
                guest.empty_its_mailbox();
                told = all(&guests, guest);
            }
            // One that is gone needs to know nobody.
            if let Err(error) = told
                && error.kind() != ErrorKind::Closed
            {
                seated.leave(&self.slots);
                return Err(error);
            }
        }
        self.slots.memory.u64(AT_CHANGES).fetch_add(1, SeqCst);
        guests.by_seat[seat_at] = Some(newcomer);
        Ok(Welcome {
            seated,
            mailbox,
            memory: self.memory.clone(),
        })
    }

    fn guests(&self) -> Held<'_, Guests> {
        let held = self.guests.take(Until::Forever);
        held.unwrap_or_else(|| unreachable!("it waits for ever"))
    }
}

impl Guests {
    /// Leaves out who is gone, with what the dead were writing.
    fn sweep(&mut self, slots: &Slots) {
        for held in &mut self.by_seat {
            let Some(guest) = held else { continue };
            // Who says that it leaves may still be about to wake others, and die at that: until
            // its bell is gone it keeps its seat, is told of who comes, and they of it.
            if guest.rope.is_heard() {
                continue;
            }
            let bit = 1 << guest.note.seat;
            self.deaths &= !bit;
            if !guest.has_left(slots) {
                slots.recover(guest.note.member);
                self.deaths |= bit;
            }
            *held = None;
        }
    }
}

impl Guest {
    /// Whether it says that it leaves.
    fn has_left(&self, slots: &Slots) -> bool {
        slots.seat(self.note.seat) == seat(self.note.member, false)
    }

    /// Puts the rope of another into our mailbox.
    fn tell_of(&self, other: &Self) -> Result<()> {
        let rope = [other.rope.as_fd()];
        self.mailbox
            .0
            .try_send_with_fds(&other.note.to_bytes(), &rope)
    }

    fn empty_its_mailbox(&self) {
        let mut ancillary = ipc_uds::Ancillary::new();
        while self
            .mailbox
            .1
            .try_recv_with_fds(&mut [0; 64], &mut ancillary)
            .is_ok()
        {}
    }
}
