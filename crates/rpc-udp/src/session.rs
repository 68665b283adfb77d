//! What a server holds of one session: its floor, and each call in the window above it.

use crate::limits::Limits;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// How a method's calls are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Nobody waits for it: it runs once or not at all.
    Oneway,
    /// It may run again, so its answer is not kept.
    Idempotent,
    /// It runs once; its answer is kept until the client has it.
    Once,
}

/// What is known of a call.
#[derive(Debug)]
pub(crate) enum Entry {
    Running(Class, Instant),
    /// The whole packet.
    Kept(Bytes),
}

/// A session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) address: SocketAddr,
    pub(crate) nonce: u64,
    /// When its client was last heard.
    pub(crate) heard: Instant,
    /// What is below is over, and never runs.
    pub(crate) floor: u64,
    pub(crate) entries: BTreeMap<u64, Entry>,
    /// How many of the entries run.
    pub(crate) running: u32,
    /// What is over and has no answer to be given again.
    pub(crate) over: Marks,
    /// What may run again, and has run.
    pub(crate) ran: Marks,
    /// What was refused, and told that it did not run: it never may.
    pub(crate) refused: Marks,
}

/// One bit for each call in the window.
#[derive(Debug, Default)]
pub(crate) struct Marks([u64; Limits::WINDOW as usize / 64]);

impl Session {
    pub(crate) fn new(address: SocketAddr, nonce: u64, now: Instant) -> Self {
        Self {
            address,
            nonce,
            heard: now,
            floor: 1,
            entries: BTreeMap::new(),
            running: 0,
            over: Marks::default(),
            ran: Marks::default(),
            refused: Marks::default(),
        }
    }

    /// Whether the call is above the floor, and not too far.
    pub(crate) fn holds(&self, sequence: u64) -> bool {
        sequence >= self.floor && sequence - self.floor < Limits::WINDOW
    }

    /// Moves the floor up; gives back what was held below it.
    pub(crate) fn advance(&mut self, floor: u64) -> BTreeMap<u64, Entry> {
        if floor <= self.floor {
            return BTreeMap::new();
        }
        for passed in self.floor..floor.min(self.floor.saturating_add(Limits::WINDOW)) {
            self.over.clear(passed);
            self.ran.clear(passed);
            self.refused.clear(passed);
        }
        self.floor = floor;
        let above = self.entries.split_off(&floor);
        std::mem::replace(&mut self.entries, above)
    }
}

impl Marks {
    pub(crate) fn set(&mut self, sequence: u64) {
        let (word, bit) = Self::place(sequence);
        self.0[word] |= bit;
    }

    pub(crate) fn has(&self, sequence: u64) -> bool {
        let (word, bit) = Self::place(sequence);
        self.0[word] & bit != 0
    }

    fn clear(&mut self, sequence: u64) {
        let (word, bit) = Self::place(sequence);
        self.0[word] &= !bit;
    }

    fn place(sequence: u64) -> (usize, u64) {
        let place = sequence % Limits::WINDOW;
        ((place / 64) as usize, 1 << (place % 64))
    }
}
