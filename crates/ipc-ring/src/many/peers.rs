//! The other members of a queue, as one of them knows them: how it wakes each, and who is gone.
//!
//! Each member sleeps at a bell of its own, a pipe that it alone reads. The others have its
//! writing end, which says that the reader is gone: so one descriptor both wakes a member and
//! tells of its death. Of those who come later one learns by a mailbox, a socket into which the
//! queue's maker puts their ropes before they begin.

use super::layout::{
    AT_CHANGES, AT_SEATS, MAX_MEMBERS, Role, SEAT_CPU, SEAT_MEMBER, corrupt, seat,
};
use super::slots::Slots;
use crate::bell::{Bell, Rope};
use crate::bells::{Bells, TOLD};
use crate::layout::LINE;
use crate::mailbox::{Mailbox, NOTE_BYTES};
use ipc_core::{ErrorKind, Result};
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// What the events of our own bell and mailbox are told by; others by their members' numbers.
const BELL: u64 = u64::MAX;
const MAILBOX: u64 = u64::MAX - 1;

/// What a mailbox brings with a rope: whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) member: u32,
    pub(super) role: Role,
    pub(super) seat: usize,
    /// Who sat there before it has died.
    pub(super) after_a_death: bool,
}

impl Note {
    pub(super) fn to_bytes(self) -> [u8; NOTE_BYTES] {
        let [a, b, c, d] = self.member.to_le_bytes();
        let death = u8::from(self.after_a_death);
        [self.role as u8, self.seat as u8, death, 0, a, b, c, d]
    }

    fn from_bytes([role, seat, death, _, member @ ..]: [u8; NOTE_BYTES]) -> Option<Self> {
        let note = Self {
            member: u32::from_le_bytes(member),
            role: Role::of(role)?,
            seat: usize::from(seat),
            after_a_death: death != 0,
        };
        (note.seat < MAX_MEMBERS).then_some(note)
    }
}

/// What has been told of bell, mailbox and ropes.
#[derive(Default)]
pub(super) struct Events {
    names: [u64; TOLD],
    count: usize,
}

impl Events {
    /// Waits until something is told.
    pub(super) fn wait(of: &Bells) -> Result<Self> {
        let mut told = Self::default();
        told.count = of.wait_rung(&mut told.names)?;
        Ok(told)
    }

    /// What is told already.
    fn now(of: &Bells) -> Result<Self> {
        let mut told = Self::default();
        told.count = of.rung(&mut told.names)?;
        Ok(told)
    }
}

#[derive(Debug)]
struct Peer {
    note: Note,
    rope: Rope,
    /// It has said that it leaves. Until its bell is gone it may wake others, and die at that: so
    /// its end is awaited all the same.
    leaves: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Peers {
    /// By their seats.
    peers: Vec<Option<Peer>>,
    /// Those who leave, and in whose seats others sit already.
    leaving: Vec<Peer>,
    /// None where it has been told that nobody will come any more.
    mailbox: Option<Mailbox>,
    /// Nobody will.
    is_complete: bool,
    /// Tells of our bell, our mailbox and the ends of ropes.
    events: Bells,
    /// Of each role: how many there are, whether one has ever come, whether one has died, and
    /// whether the end that this makes has been told.
    here: [usize; 2],
    came: [bool; 2],
    died: [bool; 2],
    told: [bool; 2],
    /// Why we cannot know all others any more, and so not go on.
    broken: Option<ErrorKind>,
    /// The count of changes that we have taken in.
    changes: u64,
    /// Somebody sleeps at our events, or awaits their descriptor.
    awaited: bool,
}

impl Peers {
    pub(super) fn new(
        bell: &Bell,
        mailbox: Mailbox,
        events: Bells,
        came: [bool; 2],
    ) -> Result<Self> {
        events.add(bell, BELL)?;
        events.add_mailbox(&mailbox, MAILBOX)?;
        Ok(Self {
            peers: (0..MAX_MEMBERS).map(|_| None).collect(),
            leaving: Vec::new(),
            mailbox: Some(mailbox),
            is_complete: false,
            events,
            here: [0; 2],
            came,
            died: [false; 2],
            told: [false; 2],
            broken: None,
            changes: 0,
            awaited: false,
        })
    }

    /// How many members of `role` there are. Where another thread sleeps at our events, or a task
    /// awaits them, whatever would wake it is left as it is.
    pub(super) fn count(&mut self, slots: &Slots, bell: &Bell, role: Role) -> Result<usize> {
        match self.awaited {
            true => self.refresh(slots)?,
            false => self.attend(slots, bell)?,
        }
        let here = |peer: &&Peer| peer.note.role == role && !peer.leaves && peer.rope.is_heard();
        Ok(self.peers.iter().flatten().filter(here).count())
    }

    /// From now on somebody awaits our events, until they are taken in.
    pub(super) const fn will_be_awaited(&mut self) {
        self.awaited = true;
    }

    /// What a wait for `role` ends with, where nobody of it is there.
    pub(super) fn end(&self, role: Role) -> Option<ErrorKind> {
        if self.broken.is_some() {
            return self.broken;
        }
        let nobody = self.here[role as usize] == 0;
        let ever = self.came[role as usize] || self.is_complete;
        (nobody && ever).then_some(match self.died[role as usize] {
            true => ErrorKind::PeerDied,
            false => ErrorKind::Closed,
        })
    }

    /// The end of `role` is told: what comes then begins anew.
    pub(super) fn tell_end(&mut self, role: Role) -> ErrorKind {
        self.told[role as usize] = true;
        self.end(role).unwrap_or(ErrorKind::Closed)
    }

    /// Rings for who sits in `seat`; false where nobody hears it.
    pub(super) fn ring(&mut self, slots: &Slots, seat: usize) -> Result<bool> {
        // Who came in the meantime: its rope was there before it could sleep. Where that cannot be
        // had, those whom we know are woken all the same.
        let refreshed = self.refresh(slots);
        let rung = self.peers[seat].as_ref().map(|peer| peer.rope.ring());
        if rung == Some(false) {
            self.gone(slots, seat);
        }
        refreshed.map(|()| rung == Some(true))
    }

    /// Takes in what has happened: who came, who left, who died. What a dead one was writing is
    /// given back.
    pub(super) fn attend(&mut self, slots: &Slots, bell: &Bell) -> Result<()> {
        self.awaited = false;
        self.take_all(slots, bell)?;
        self.refresh(slots)?;
        let leave = |peer: &Peer| peer.leaves;
        let one_leaves = self.peers.iter().flatten().any(leave) || !self.leaving.is_empty();
        match one_leaves {
            // It may be gone by now, and its rope is a descriptor of ours.
            true => self.take_all(slots, bell),
            false => Ok(()),
        }
    }

    fn take_all(&mut self, slots: &Slots, bell: &Bell) -> Result<()> {
        loop {
            let events = Events::now(&self.events)?;
            self.take_in(slots, bell, &events)?;
            if events.count < TOLD {
                return Ok(());
            }
        }
    }

    /// Takes in what has been told.
    pub(super) fn take_in(&mut self, slots: &Slots, bell: &Bell, events: &Events) -> Result<()> {
        self.awaited = false;
        for name in events.names.iter().take(events.count) {
            match *name {
                BELL => self.hear(bell)?,
                MAILBOX => {
                    self.open_mailbox()?;
                    if let Some(mailbox) = self.mailbox.take_if(|_| self.is_complete) {
                        self.events.forget_mailbox(&mailbox);
                    }
                }
                member => {
                    let its = |peer: &Peer| u64::from(peer.note.member) == member;
                    let its = |peer: &Option<Peer>| peer.as_ref().is_some_and(its);
                    if let Some(seat) = self.peers.iter().position(its) {
                        self.gone(slots, seat);
                    } else {
                        self.left(member);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in who came and who says that it has left, if the memory says that somebody has.
    pub(super) fn refresh(&mut self, slots: &Slots) -> Result<()> {
        let changes = slots.memory.load_u64(AT_CHANGES, Acquire);
        if changes == self.changes {
            return Ok(());
        }
        self.changes = changes;
        self.open_mailbox()?;
        for at in 0..self.peers.len() {
            if let Some(peer) = &mut self.peers[at]
                && !peer.leaves
                && slots.seat(at) == seat(peer.note.member, false)
            {
                peer.leaves = true;
                self.here[peer.note.role as usize] -= 1;
            }
        }
        Ok(())
    }

    /// Whether one of `role` says that it waits where we run.
    pub(super) fn share_a_processor(&self, slots: &Slots, role: Role, cpu: u32) -> bool {
        self.peers.iter().flatten().any(|peer| {
            let its = AT_SEATS + peer.note.seat * LINE + SEAT_CPU;
            peer.note.role == role && !peer.leaves && slots.memory.load_u32(its, Relaxed) == cpu
        })
    }

    fn hear(&self, bell: &Bell) -> Result<()> {
        if bell.hear()? == crate::bell::Woken::Alone {
            // Nobody is left who could ring, and its end would be told for ever.
            self.events.forget(bell);
        }
        Ok(())
    }

    /// Takes in who came. Where that fails, somebody is there whom we cannot wake.
    fn open_mailbox(&mut self) -> Result<()> {
        let opened = self.take_from_mailbox();
        if let Err(error) = &opened {
            self.broken = Some(error.kind());
        }
        opened
    }

    fn take_from_mailbox(&mut self) -> Result<()> {
        // A maker that keeps the rules never puts in more at once.
        for _ in 0..4 * MAX_MEMBERS {
            let Some(mailbox) = &mut self.mailbox else {
                break;
            };
            let (bytes, rope) = match mailbox.take() {
                Ok(Some(mail)) => mail,
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Closed => {
                    self.is_complete = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let Some(note) = Note::from_bytes(bytes) else {
                return Err(corrupt("join", "the queue's maker sends what is no member"));
            };
            self.enter(note, rope)?;
        }
        Ok(())
    }

    fn enter(&mut self, note: Note, rope: Rope) -> Result<()> {
        let held = self.peers[note.seat].take();
        if let Some(before) = held {
            if before.note.member == note.member {
                self.peers[note.seat] = Some(before);
                return Ok(());
            }
            // Whoever gave the seat away has seen to what it left.
            self.died[before.note.role as usize] |= note.after_a_death;
            self.replaced(before, note.after_a_death);
        }
        self.events.add_rope(&rope, u64::from(note.member))?;
        let role = note.role as usize;
        if std::mem::take(&mut self.told[role]) {
            self.died[role] = false;
        }
        self.here[role] += 1;
        self.came[role] = true;
        self.peers[note.seat] = Some(Peer {
            note,
            rope,
            leaves: false,
        });
        Ok(())
    }

    /// Another sits where `before` sat.
    fn replaced(&mut self, mut before: Peer, after_a_death: bool) {
        let left = before.leaves || !after_a_death;
        if !std::mem::replace(&mut before.leaves, true) {
            self.here[before.note.role as usize] -= 1;
        }
        if !left {
            self.events.forget_rope(&before.rope);
            return;
        }
        if self.leaving.len() == MAX_MEMBERS {
            let oldest = self.leaving.remove(0);
            self.events.forget_rope(&oldest.rope);
        }
        self.leaving.push(before);
    }

    /// One of those who leave is gone.
    fn left(&mut self, member: u64) {
        let its = |peer: &Peer| u64::from(peer.note.member) == member;
        if let Some(at) = self.leaving.iter().position(its) {
            let peer = self.leaving.remove(at);
            self.events.forget_rope(&peer.rope);
        }
    }

    /// Who sat in `at` is gone.
    fn gone(&mut self, slots: &Slots, at: usize) {
        let Some(peer) = self.peers[at].take() else {
            return;
        };
        self.events.forget_rope(&peer.rope);
        if peer.leaves {
            return;
        }
        self.here[peer.note.role as usize] -= 1;
        if slots.seat(at) == seat(peer.note.member, true) {
            self.died[peer.note.role as usize] = true;
            slots.recover(peer.note.member);
        }
    }
}

impl Slots {
    /// The word of a seat.
    pub(super) fn seat(&self, seat: usize) -> u64 {
        let at = AT_SEATS + seat * LINE + SEAT_MEMBER;
        self.memory.load_u64(at, Acquire)
    }
}
