//! What a client makes of what it hears: answers, refusals, words of the host.

use super::{ClientSide, GRACE, SLOWEST_WORKING};
use crate::client_session::{ClientSession, Greeting, Holds};
use crate::packet::{Numbered, OfSession, Packet, Refused, Reply};
use crate::session::Class;
use bytes::Bytes;
use rpc_core::{Code, Status};
use std::time::{Duration, Instant};

impl ClientSide {
    /// Takes a packet in.
    pub(crate) fn receive(&mut self, bytes: Bytes, now: Instant) {
        match Packet::decode(bytes) {
            Some(Packet::Welcome(welcome)) => {
                let interval = self.estimate.overdue();
                let Some(greeting) = self.greeted(welcome.nonce) else {
                    return;
                };
                let (asked, since) = (greeting.asked, greeting.asked_at);
                if !greeting.welcomed(welcome.incarnation, welcome.token, interval) {
                    return;
                }
                if asked == 1 {
                    self.estimate.sample(now.saturating_duration_since(since));
                }
                self.refused = None;
                self.ask(now);
            }
            Some(Packet::Opened(opened)) => {
                if self.greeted(opened.nonce).is_none() {
                    return;
                }
                self.greeting = None;
                (self.wanted, self.refused) = (false, None);
                self.sessions.push(ClientSession::new(&opened, now));
                self.pump(now);
            }
            Some(Packet::Refused(refused)) => self.refused_session(&refused),
            Some(Packet::Reply(reply)) => self.reply(reply, now),
            Some(Packet::Working(working)) => self.works(&working, now),
            Some(Packet::UnknownSession(unknown)) => self.unknown(&unknown, now),
            // What is no packet, or none that a server sends.
            _ => {}
        }
    }

    /// The host has said that nobody listens there.
    pub(crate) fn nobody_there(&mut self, now: Instant) {
        let recent = |last: Instant| now.saturating_duration_since(last) < 4 * GRACE;
        let since = match self.refused {
            Some((since, last)) if recent(last) => since,
            _ => now,
        };
        self.refused = Some((since, now));
        if now.saturating_duration_since(since) >= GRACE {
            return self.give_up();
        }
        // It is asked again in time to be believed.
        let soon = now + GRACE / 2;
        if let Some(greeting) = &mut self.greeting {
            greeting.next_at = greeting.next_at.min(soon);
        }
        let late: Vec<_> = self
            .timers
            .iter()
            .filter(|(at, _)| *at > soon)
            .copied()
            .collect();
        for (_, call) in late {
            self.wake_at(call, soon);
        }
    }

    fn greeted(&mut self, nonce: u64) -> Option<&mut Greeting> {
        self.greeting
            .as_mut()
            .filter(|greeting| greeting.nonce == nonce)
    }

    fn reply(&mut self, mut reply: Reply, now: Instant) {
        let Some(session) = self.session(reply.session) else {
            return;
        };
        let Some(call) = session.take(reply.sequence) else {
            return;
        };
        self.refused = None;
        // It may have run in the session before.
        let moved = self.calls.get(&call).is_some_and(|pending| pending.moved);
        reply.did_not_run &= !moved;
        let held = Duration::from_micros(u64::from(reply.held_us));
        let ended = self.end(call, reply.outcome());
        if let Some(pending) = ended
            && pending.sent == 1
        {
            let took = now.saturating_duration_since(pending.sent_at);
            self.estimate.sample(took.saturating_sub(held));
        }
        self.pump(now);
    }

    fn works(&mut self, working: &Numbered, now: Instant) {
        let Some(session) = self.session(working.session) else {
            return;
        };
        let Some(Holds::Awaited(call)) = session.open.get(&working.sequence).copied() else {
            return;
        };
        self.refused = None;
        let jitter = u32::try_from(self.next_random() % 256).unwrap_or(0);
        if let Some(pending) = self.calls.get_mut(&call) {
            pending.working = true;
            pending.interval = (pending.interval * 2).min(SLOWEST_WORKING);
            let next = now + pending.interval + pending.interval * jitter / 1024;
            self.wake_at(call, next);
        }
    }

    /// The server does not know a session: it has started again, or has forgotten it.
    fn unknown(&mut self, unknown: &OfSession, now: Instant) {
        let Some(at) = self
            .sessions
            .iter()
            .position(|own| own.id == unknown.session)
        else {
            return;
        };
        self.refused = None;
        let session = self.sessions.remove(at);
        let why = match unknown.incarnation == session.incarnation {
            true => "the server has forgotten the session; the call may have run",
            false => "the server has started again; the call may have run",
        };
        for holds in session.open.values().rev() {
            let Holds::Awaited(call) = holds else {
                continue;
            };
            let Some(pending) = self.calls.get_mut(call) else {
                continue;
            };
            if pending.class == Class::Once {
                self.end(*call, Err(Status::new(Code::Unavailable, why)));
                continue;
            }
            // It goes on in the next session, before what has not begun.
            pending.place = None;
            pending.moved = true;
            self.under_way -= 1;
            self.timers.remove(&(pending.next_at, *call));
            self.waiting.push_front(*call);
        }
        self.pump(now);
    }

    fn refused_session(&mut self, refused: &Refused) {
        if self.greeted(refused.nonce).is_none() {
            return;
        }
        let code = u8::try_from(refused.code).map_or(Code::Unknown, Code::from_number);
        let code = if code == Code::Ok {
            Code::Unknown
        } else {
            code
        };
        let text = format!("the server refuses a session: {}", refused.message);
        self.end_waiting(&Status::new(code, text));
    }

    /// Ends what waits for a session.
    fn end_waiting(&mut self, status: &Status) {
        self.greeting = None;
        if std::mem::take(&mut self.wanted) {
            self.refusal = Some(status.clone().before_running());
        }
        for call in std::mem::take(&mut self.waiting) {
            let Some(pending) = self.calls.get(&call) else {
                continue;
            };
            let status = match pending.ever_sent {
                true => status.clone(),
                false => status.clone().before_running(),
            };
            self.end(call, Err(status));
        }
    }

    /// Nobody is there: every call ends.
    fn give_up(&mut self) {
        self.refused = None;
        let nobody = "nobody listens there";
        self.end_waiting(&Status::new(Code::Unavailable, nobody));
        self.sessions.clear();
        let text = format!("{nobody} any more; the call may have run");
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.end(call, Err(Status::new(Code::Unavailable, text.clone())));
        }
    }
}
