//! How sessions are made and forgotten.

use super::{SWEEP, ServerSide};
use crate::packet::{Hello, Open, Opened, Packet, Refused, Welcome};
use crate::session::Session;
use rpc_core::Code;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl ServerSide {
    pub(super) fn hello(&mut self, from: SocketAddr, hello: &Hello, length: usize, now: Instant) {
        let age = now.duration_since(self.began);
        let token = self.tokens.make(from, hello.nonce, self.incarnation, age);
        let welcome = Welcome {
            nonce: hello.nonce,
            incarnation: self.incarnation,
            token,
        };
        self.answer_unproven(from, length, &Packet::Welcome(welcome));
    }

    pub(super) fn open(&mut self, from: SocketAddr, open: &Open, length: usize, now: Instant) {
        let age = now.duration_since(self.began);
        let ours = open.incarnation == self.incarnation
            && self
                .tokens
                .is_good(&open.token, from, open.nonce, open.incarnation, age);
        if !ours {
            // Its client says hello again.
            self.counts.unproven += 1;
            return;
        }
        let made = self.opened.get(&(from, open.nonce)).copied();
        let session = match made {
            Some(session) => session,
            None => match self.make(from, open.nonce, now) {
                Ok(session) => session,
                Err(refused) => {
                    self.counts.refused += 1;
                    return self.answer_unproven(from, length, &Packet::Refused(refused));
                }
            },
        };
        let opened = Opened {
            nonce: open.nonce,
            incarnation: self.incarnation,
            session,
            max_calls: self.limits.max_calls,
            idle_ms: u32::try_from(self.limits.idle.as_millis()).unwrap_or(u32::MAX),
        };
        self.answer_unproven(from, length, &Packet::Opened(opened));
    }

    fn make(&mut self, from: SocketAddr, nonce: u64, now: Instant) -> Result<u64, Refused> {
        let refuse = |code: Code, message: &str| Refused {
            nonce,
            code: code as u32,
            message: message.to_owned(),
        };
        let network = network(from.ip());
        let own = self.per_address.get(&network).copied().unwrap_or(0);
        if self.draining {
            return Err(refuse(Code::Unavailable, "the server is ending"));
        }
        if self.sessions.len() >= self.limits.max_sessions {
            return Err(refuse(Code::ResourceExhausted, "too many sessions"));
        }
        if own >= self.limits.max_sessions_per_address {
            return Err(refuse(Code::ResourceExhausted, "too many of one address"));
        }
        self.made += 1;
        let session = self.tokens.number(self.made);
        self.sessions
            .insert(session, Session::new(from, nonce, now));
        self.opened.insert((from, nonce), session);
        *self.per_address.entry(network).or_default() += 1;
        self.counts.sessions += 1;
        Ok(session)
    }

    /// Forgets sessions whose clients are silent.
    pub(crate) fn tick(&mut self, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        let idle = self.limits.idle;
        let silent = |session: &Session| now.duration_since(session.heard) >= idle;
        let all = self.sessions.iter();
        let gone: Vec<_> = all
            .filter(|(_, session)| silent(session))
            .map(|(id, _)| *id)
            .collect();
        for session in gone {
            self.forget(session);
        }
    }

    /// When [`tick`](ServerSide::tick) has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        (!self.sessions.is_empty()).then_some(self.next_sweep)
    }

    pub(super) fn forget(&mut self, id: u64) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        self.opened.remove(&(session.address, session.nonce));
        let network = network(session.address.ip());
        if let Some(own) = self.per_address.get_mut(&network) {
            *own -= 1;
            if *own == 0 {
                self.per_address.remove(&network);
            }
        }
        self.let_go(id, session.entries);
    }

    /// The session of that number and address, which has been heard now.
    pub(super) fn session(
        &mut self,
        from: SocketAddr,
        id: u64,
        incarnation: u64,
        now: Instant,
    ) -> Option<&mut Session> {
        if incarnation != self.incarnation {
            return None;
        }
        let session = self.sessions.get_mut(&id)?;
        if session.address != from {
            return None;
        }
        session.heard = now;
        Some(session)
    }

    /// Answers an address that has not shown that it reads: never with more than came.
    pub(super) fn answer_unproven(&mut self, to: SocketAddr, length: usize, packet: &Packet) {
        let bytes = packet.encode();
        if bytes.len() <= length {
            self.output.push_back((to, bytes));
        } else {
            self.counts.malformed += 1;
        }
    }
}

/// What counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let network = v6.to_bits() >> 64 << 64;
            IpAddr::V6(network.into())
        }
    }
}
