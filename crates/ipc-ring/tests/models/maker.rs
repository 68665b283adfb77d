//! The queue as its maker has it, who takes members in, gives seats anew and never dies.

use super::consumer::Consumer;
use super::layout::{
    self, AT_ASLEEP, AT_CHANGES, AT_SEATS, NEXT_ROLE, Role, SEAT_MEMBER, Shape, seat,
};
use super::member::{ARMED, ASLEEP, Member, Seated};
use super::peers::Note;
use super::producer::Producer;
use super::slots::Slots;
use crate::bell::{Bell, Rope, bell};
use crate::ground::{Region, WritableWindow};
use crate::layout::LINE;
use crate::mailbox::{Mailbox, Postman, mailbox};
use crate::{Spin, WhenFull};
use std::sync::atomic::Ordering::{Release, SeqCst};

pub(super) struct Maker {
    memory: WritableWindow,
    shape: Shape,
    by_seat: Vec<Option<Guest>>,
    /// A bit for each seat in which the last to sit has died.
    deaths: u64,
    number: u32,
    came: [bool; 2],
}

struct Guest {
    note: Note,
    rope: Rope,
    postman: Postman,
}

impl Maker {
    pub(super) fn new(slots: u64) -> Self {
        let slot_bytes = 64;
        let shape = Shape { slots, slot_bytes };
        let len = shape.region_bytes().expect("small");
        let memory = Region::new(len).writable_window(0, len).expect("inside");
        layout::begin(&memory, shape);
        Self {
            memory,
            shape,
            by_seat: Vec::new(),
            deaths: 0,
            number: 0,
            came: [false; 2],
        }
    }

    pub(super) fn producer(&mut self) -> Producer {
        Producer::new(self.member(Role::Producer), WhenFull::Block)
    }

    pub(super) fn consumer(&mut self) -> Consumer {
        Consumer::new(self.member(Role::Consumer))
    }

    fn member(&mut self, role: Role) -> Member {
        let (seated, mailbox, bell) = self.admit(role);
        Member::new(self.slots(), seated, mailbox, bell, Spin::Never).expect("memory")
    }

    /// As `Queue::admit` does: the newcomer is told of all, then its seat, then all are told of it.
    fn admit(&mut self, role: Role) -> (Seated, Mailbox, Bell) {
        self.sweep();
        let (rope, bell) = bell();
        let free = self.by_seat.iter().position(Option::is_none);
        let at = free.unwrap_or(self.by_seat.len());
        let note = Note {
            member: self.number + 1,
            role,
            seat: at,
            after_a_death: self.deaths & 1 << at != 0,
        };
        let (postman, mailbox) = mailbox();
        for other in self.by_seat.iter().flatten() {
            postman.put(other.note.to_bytes(), other.rope.clone());
        }
        let seated = Seated {
            number: note.member,
            role,
            seat: at,
            came: self.came,
        };
        for role in [AT_ASLEEP, AT_ASLEEP + NEXT_ROLE] {
            for bits in [role + ASLEEP, role + ARMED] {
                self.memory.u64(bits).fetch_and(!(1 << at), SeqCst);
            }
        }
        let word = self.memory.u64(AT_SEATS + at * LINE + SEAT_MEMBER);
        word.store(seat(note.member, true), Release);
        self.number += 1;
        self.came[role as usize] = true;
        for other in self.by_seat.iter().flatten() {
            other.postman.put(note.to_bytes(), rope.clone());
        }
        self.memory.u64(AT_CHANGES).fetch_add(1, SeqCst);
        let newcomer = Guest {
            note,
            rope,
            postman,
        };
        match free {
            Some(at) => self.by_seat[at] = Some(newcomer),
            None => self.by_seat.push(Some(newcomer)),
        }
        (seated, mailbox, bell)
    }

    /// As `Guests::sweep` does: who says that it leaves keeps its seat until its bell is gone.
    fn sweep(&mut self) {
        let slots = self.slots();
        for held in &mut self.by_seat {
            let Some(guest) = held else { continue };
            if guest.rope.is_heard() {
                continue;
            }
            let bit = 1 << guest.note.seat;
            self.deaths &= !bit;
            if slots.seat(guest.note.seat) != seat(guest.note.member, false) {
                slots.recover(guest.note.member);
                self.deaths |= bit;
            }
            *held = None;
        }
    }

    fn slots(&self) -> Slots {
        let (memory, shape) = (self.memory.clone(), self.shape);
        Slots { memory, shape }
    }
}
