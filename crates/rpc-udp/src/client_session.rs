//! What a client knows of one of its sessions, and of the greeting that leads to the next.

use crate::limits::Limits;
use crate::packet::{Hello, Open, Opened, Packet};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a call that nobody awaits holds the floor, so that it may still arrive out of order.
const LATE: Duration = Duration::from_secs(1);
/// After so many silent questions for a session its proof is taken for too old.
const OPENINGS: u32 = 4;

/// A session.
#[derive(Debug)]
pub(crate) struct ClientSession {
    pub(crate) id: u64,
    pub(crate) incarnation: u64,
    next: u64,
    pub(crate) open: BTreeMap<u64, Holds>,
    pub(crate) awaited: usize,
    max_calls: usize,
    used: Instant,
    idle: Duration,
}

/// Why a number holds the floor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds {
    /// This call waits for its answer.
    Awaited(u64),
    /// It was sent, and may be on its way until then.
    Sent(Instant),
}

impl ClientSession {
    pub(crate) fn new(opened: &Opened, now: Instant) -> Self {
        let idle = Duration::from_millis(u64::from(opened.idle_ms));
        Self {
            id: opened.session,
            incarnation: opened.incarnation,
            next: 1,
            open: BTreeMap::new(),
            awaited: 0,
            max_calls: opened.max_calls.clamp(1, Limits::MAX_CALLS) as usize,
            used: now,
            // The server forgets it later than we do.
            idle: (idle / 2).clamp(Duration::from_secs(1), Duration::from_secs(30)),
        }
    }

    /// The lowest number that is still of interest.
    pub(crate) fn floor(&self) -> u64 {
        self.open.keys().next().copied().unwrap_or(self.next)
    }

    /// A number for a call; `None` where the window is full.
    pub(crate) fn number(&mut self, call: Option<u64>, now: Instant) -> Option<u64> {
        self.release(now);
        while self.next - self.floor() >= Limits::WINDOW {
            // A late one must not hold up what is awaited.
            let (sequence, holds) = self.open.first_key_value()?;
            let (sequence, Holds::Sent(_)) = (*sequence, holds) else {
                return None;
            };
            self.open.remove(&sequence);
        }
        let sequence = self.next;
        self.next += 1;
        let holds = call.map_or(Holds::Sent(now + LATE), Holds::Awaited);
        self.awaited += usize::from(call.is_some());
        self.open.insert(sequence, holds);
        Some(sequence)
    }

    /// The call that waited for this number, which it does no more.
    pub(crate) fn take(&mut self, sequence: u64) -> Option<u64> {
        match self.open.get(&sequence) {
            Some(Holds::Awaited(call)) => {
                let call = *call;
                self.open.remove(&sequence);
                self.awaited -= 1;
                Some(call)
            }
            _ => None,
        }
    }

    /// Whether the server takes one more.
    pub(crate) fn has_room(&self) -> bool {
        self.awaited < self.max_calls
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.used = now;
    }

    /// Whether the server may soon forget it.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= self.idle
    }

    fn release(&mut self, now: Instant) {
        while let Some((sequence, Holds::Sent(until))) = self.open.first_key_value()
            && *until <= now
        {
            let sequence = *sequence;
            self.open.remove(&sequence);
        }
    }
}

/// A greeting under way.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) nonce: u64,
    /// The incarnation and the proof, once the server has sent them.
    proof: Option<(u64, Bytes)>,
    /// How often the present question was asked.
    pub(crate) asked: u32,
    pub(crate) asked_at: Instant,
    pub(crate) interval: Duration,
    pub(crate) next_at: Instant,
}

impl Greeting {
    pub(crate) fn new(nonce: u64, interval: Duration, now: Instant) -> Self {
        Self {
            nonce,
            proof: None,
            asked: 0,
            asked_at: now,
            interval,
            next_at: now,
        }
    }

    /// The server has answered the first question, and is asked the second.
    pub(crate) fn welcomed(&mut self, incarnation: u64, token: Bytes, interval: Duration) -> bool {
        if self.proof.is_some() {
            return false;
        }
        self.proof = Some((incarnation, token));
        self.asked = 0;
        self.interval = interval;
        true
    }

    /// The question, once more.
    pub(crate) fn ask(&mut self, fresh: u64, now: Instant) -> Packet {
        if self.proof.is_some() && self.asked >= OPENINGS {
            self.proof = None;
            self.nonce = fresh;
            self.asked = 0;
        }
        if self.asked == 0 {
            self.asked_at = now;
        } else {
            self.interval = (self.interval * 2).min(Duration::from_secs(1));
        }
        self.asked += 1;
        self.next_at = now + self.interval;
        match &self.proof {
            None => Packet::Hello(Hello::padded(self.nonce)),
            Some((incarnation, token)) => Packet::Open(Open {
                nonce: self.nonce,
                incarnation: *incarnation,
                token: token.clone(),
            }),
        }
    }
}
