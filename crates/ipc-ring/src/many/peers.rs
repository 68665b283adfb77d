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
use crate::layout::LINE;
use crate::meet;
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::os_error;
use ipc_uds::{Ancillary, SeqPacket};
use rustix::event::epoll;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// What the events of our own bell and mailbox are told by; others by their members' numbers.
const BELL: u64 = u64::MAX;
const MAILBOX: u64 = u64::MAX - 1;
/// Events that are taken at a time.
const EVENTS: usize = 16;
/// Bytes of what a mailbox brings with each rope.
pub(super) const NOTE_BYTES: usize = 8;

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
pub(super) struct Events {
    events: [epoll::Event; EVENTS],
    count: usize,
}

impl Events {
    /// Waits for so long, or for ever.
    pub(super) fn wait(of: &OwnedFd, time: Option<rustix::time::Timespec>) -> Result<Self> {
        let nought = epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        };
        let mut events = [nought; EVENTS];
        let wait = || epoll::wait(of, &mut events, time.as_ref());
        let count = ipc_sys::retry(wait).map_err(|errno| os_error("wait", errno))?;
        Ok(Self { events, count })
    }
}

#[derive(Debug)]
struct Peer {
    note: Note,
    rope: Rope,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Peers {
    /// By their seats.
    peers: Vec<Option<Peer>>,
    /// None where nobody will come any more.
    mailbox: Option<SeqPacket>,
    ancillary: Ancillary,
    /// Tells of our bell, our mailbox and the ends of ropes.
    events: OwnedFd,
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
}

impl Peers {
    pub(super) fn new(
        bell: &Bell,
        mailbox: SeqPacket,
        events: OwnedFd,
        came: [bool; 2],
    ) -> Result<Self> {
        let failed = |errno| os_error("join", errno);
        let input = epoll::EventFlags::IN;
        let data = epoll::EventData::new_u64;
        epoll::add(&events, bell, data(BELL), input).map_err(failed)?;
        let socket = ipc_core::Pollable::descriptor(&mailbox, ipc_core::Interest::Read);
        epoll::add(&events, socket, data(MAILBOX), input).map_err(failed)?;
        Ok(Self {
            peers: (0..MAX_MEMBERS).map(|_| None).collect(),
            mailbox: Some(mailbox),
            ancillary: Ancillary::new(),
            events,
            here: [0; 2],
            came,
            died: [false; 2],
            told: [false; 2],
            broken: None,
            changes: 0,
        })
    }

    /// How many members of `role` there are, as far as we know.
    pub(super) const fn count(&self, role: Role) -> usize {
        self.here[role as usize]
    }

    /// What a wait for `role` ends with, where nobody of it is there.
    pub(super) fn end(&self, role: Role) -> Option<ErrorKind> {
        if self.broken.is_some() {
            return self.broken;
        }
        let nobody = self.here[role as usize] == 0;
        let ever = self.came[role as usize] || self.mailbox.is_none();
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
        // Who came in the meantime: its rope was there before it could sleep.
        self.refresh(slots)?;
        let Some(peer) = &self.peers[seat] else {
            return Ok(false);
        };
        if peer.rope.ring() {
            return Ok(true);
        }
        self.gone(slots, seat);
        Ok(false)
    }

    /// Takes in what has happened: who came, who left, who died. What a dead one was writing is
    /// given back.
    pub(super) fn attend(&mut self, slots: &Slots, bell: &Bell) -> Result<()> {
        let no_time = rustix::time::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        loop {
            let events = Events::wait(&self.events, Some(no_time))?;
            self.take_in(slots, bell, &events)?;
            if events.count < EVENTS {
                return self.refresh(slots);
            }
        }
    }

    /// Takes in what has been told.
    pub(super) fn take_in(&mut self, slots: &Slots, bell: &Bell, events: &Events) -> Result<()> {
        for event in events.events.iter().take(events.count) {
            match event.data.u64() {
                BELL => self.hear(bell)?,
                MAILBOX => self.open_mailbox()?,
                member => {
                    let its = |peer: &Peer| u64::from(peer.note.member) == member;
                    let its = |peer: &Option<Peer>| peer.as_ref().is_some_and(its);
                    if let Some(seat) = self.peers.iter().position(its) {
                        self.gone(slots, seat);
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
            if let Some(peer) = &self.peers[at]
                && slots.seat(at) == seat(peer.note.member, false)
            {
                self.gone(slots, at);
            }
        }
        Ok(())
    }

    /// Whether one of `role` says that it waits where we run.
    pub(super) fn share_a_processor(&self, slots: &Slots, role: Role, cpu: u32) -> bool {
        self.peers.iter().flatten().any(|peer| {
            let its = AT_SEATS + peer.note.seat * LINE + SEAT_CPU;
            peer.note.role == role && slots.memory.load_u32(its, Relaxed) == cpu
        })
    }

    fn hear(&self, bell: &Bell) -> Result<()> {
        if bell.hear()? == crate::bell::Woken::Alone {
            // Nobody is left who could ring, and its end would be told for ever.
            let _ = epoll::delete(&self.events, bell);
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
            let Some(mailbox) = &self.mailbox else { break };
            let mut bytes = [0; NOTE_BYTES];
            match mailbox.try_recv_with_fds(&mut bytes, &mut self.ancillary) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Closed => {
                    let socket = ipc_core::Pollable::descriptor(mailbox, ipc_core::Interest::Read);
                    let _ = epoll::delete(&self.events, socket);
                    self.mailbox = None;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            let fds: Vec<OwnedFd> = self.ancillary.take_fds().collect();
            let note = Note::from_bytes(bytes);
            let ([rope], Some(note)) = (<[OwnedFd; 1]>::try_from(fds).map_err(wrong)?, note) else {
                return Err(corrupt("join", "the queue's maker sends what is no member"));
            };
            self.enter(note, meet::rope(rope)?)?;
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
            self.forget(&before);
            self.died[before.note.role as usize] |= note.after_a_death;
        }
        let data = epoll::EventData::new_u64(u64::from(note.member));
        // Its end is told without being asked for.
        epoll::add(&self.events, &rope, data, epoll::EventFlags::empty())
            .map_err(|errno| os_error("join", errno))?;
        let role = note.role as usize;
        if std::mem::take(&mut self.told[role]) {
            self.died[role] = false;
        }
        self.here[role] += 1;
        self.came[role] = true;
        self.peers[note.seat] = Some(Peer { note, rope });
        Ok(())
    }

    /// Who sat in `at` is gone.
    fn gone(&mut self, slots: &Slots, at: usize) {
        let Some(peer) = self.peers[at].take() else {
            return;
        };
        self.forget(&peer);
        if slots.seat(at) == seat(peer.note.member, true) {
            self.died[peer.note.role as usize] = true;
            slots.recover(peer.note.member);
        }
    }

    fn forget(&mut self, peer: &Peer) {
        let _ = epoll::delete(&self.events, &peer.rope);
        self.here[peer.note.role as usize] -= 1;
    }
}

impl Slots {
    /// The word of a seat.
    pub(super) fn seat(&self, seat: usize) -> u64 {
        let at = AT_SEATS + seat * LINE + SEAT_MEMBER;
        self.memory.load_u64(at, Acquire)
    }
}

fn wrong(_: Vec<OwnedFd>) -> Error {
    corrupt("join", "a rope comes alone")
}
