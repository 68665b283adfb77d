//! The server's machine: packets in, packets and events out. It knows no socket, no clock and no
//! handler.

mod sessions;

use crate::counts::Counts;
use crate::limits::Limits;
use crate::packet::{HELLO_BYTES, Numbered, OfSession, Packet, Reply, Request, write_metadata};
use crate::session::{Class, Entry, Session};
use crate::token::Tokens;
use bytes::Bytes;
use rpc_core::{Code, Metadata, Status};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// What a kept answer counts beside its bytes.
const OVERHEAD_BYTES: usize = 96;
/// How often forgotten sessions are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// A call that runs, by its session and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket {
    pub(crate) session: u64,
    pub(crate) sequence: u64,
}

/// What the driver has to do.
#[derive(Debug)]
pub(crate) enum Event {
    /// Run this.
    Call(Ticket, SocketAddr, Box<Request>),
    /// Nobody waits for it any more.
    Cancel(Ticket),
}

/// Says how a method's calls are held, or why there will be none.
pub(crate) type Resolve<'a> = &'a dyn Fn(&Request) -> Result<Class, Status>;

/// The server's machine.
#[derive(Debug)]
pub(crate) struct ServerSide {
    limits: Limits,
    tokens: Tokens,
    pub(crate) incarnation: u64,
    began: Instant,
    made: u64,
    sessions: HashMap<u64, Session>,
    opened: HashMap<(SocketAddr, u64), u64>,
    per_address: HashMap<IpAddr, usize>,
    kept_bytes: usize,
    under_way: usize,
    next_sweep: Instant,
    draining: bool,
    pub(crate) output: VecDeque<(SocketAddr, Bytes)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counts: Counts,
}

impl ServerSide {
    pub(crate) fn new(limits: Limits, secret: &[u8; 32], now: Instant) -> Self {
        let tokens = Tokens::new(secret);
        Self {
            limits,
            incarnation: tokens.number(0),
            tokens,
            began: now,
            made: 0,
            sessions: HashMap::new(),
            opened: HashMap::new(),
            per_address: HashMap::new(),
            kept_bytes: 0,
            under_way: 0,
            next_sweep: now + SWEEP,
            draining: false,
            output: VecDeque::new(),
            events: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Takes a packet in.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        bytes: Bytes,
        now: Instant,
        resolve: Resolve<'_>,
    ) {
        let length = bytes.len();
        match Packet::decode(bytes) {
            Some(Packet::Hello(hello)) if length >= HELLO_BYTES => {
                self.hello(from, &hello, length, now);
            }
            Some(Packet::Open(open)) => self.open(from, &open, length, now),
            Some(Packet::Request(request)) => self.request(from, request, length, now, resolve),
            Some(Packet::Cancel(cancel)) => self.cancel(from, &cancel, now),
            Some(Packet::Bye(bye)) => {
                if self
                    .session(from, bye.session, bye.incarnation, now)
                    .is_some()
                {
                    self.forget(bye.session);
                }
            }
            // What is no packet, or none that a client sends.
            _ => self.counts.malformed += 1,
        }
    }

    /// Ends a call. What the client has given up since is not told.
    pub(crate) fn finish(
        &mut self,
        ticket: Ticket,
        outcome: Result<(Metadata, Bytes), Status>,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(&ticket.session) else {
            return;
        };
        let Some(Entry::Running(class, since)) = session.entries.get(&ticket.sequence) else {
            return;
        };
        let (class, held, address) = (*class, now.duration_since(*since), session.address);
        session.entries.remove(&ticket.sequence);
        session.running -= 1;
        let ran = session.ran.has(ticket.sequence);
        match class {
            Class::Oneway => session.over.set(ticket.sequence),
            Class::Idempotent => session.ran.set(ticket.sequence),
            Class::Once => {}
        }
        self.stopped_running(class);
        if class == Class::Oneway {
            return;
        }
        let mut reply = match outcome {
            Ok((metadata, body)) => Reply {
                metadata: write_metadata(&metadata),
                body,
                ..Reply::default()
            },
            Err(status) => Reply::failed(&status),
        };
        reply.session = ticket.session;
        reply.sequence = ticket.sequence;
        reply.did_not_run &= !ran;
        reply.held_us = u32::try_from(held.as_micros()).unwrap_or(u32::MAX);
        // Who was told that it did not run relies on it.
        let keeps = class == Class::Once || reply.did_not_run;
        let bytes = fitting(reply, self.limits.max_datagram_bytes);
        if keeps && let Some(session) = self.sessions.get_mut(&ticket.session) {
            self.kept_bytes += bytes.len() + OVERHEAD_BYTES;
            let kept = Entry::Kept(bytes.clone());
            session.entries.insert(ticket.sequence, kept);
        }
        self.output.push_back((address, bytes));
    }

    /// Runs nothing new any more.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// How many calls run.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// How many sessions there are.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many bytes of answers are kept, and promised to what runs.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    fn request(
        &mut self,
        from: SocketAddr,
        request: Request,
        length: usize,
        now: Instant,
        resolve: Resolve<'_>,
    ) {
        let (id, sequence) = (request.session, request.sequence);
        let Some(session) = self.session(from, id, request.incarnation, now) else {
            self.counts.unknown_sessions += 1;
            let unknown = OfSession {
                session: id,
                incarnation: self.incarnation,
            };
            return self.answer_unproven(from, length, &Packet::UnknownSession(unknown));
        };
        let passed = session.advance(request.floor);
        self.let_go(id, passed);
        let ticket = Ticket {
            session: id,
            sequence,
        };
        let Some(session) = self
            .sessions
            .get(&id)
            .filter(|session| session.holds(sequence))
        else {
            self.counts.outside += 1;
            return;
        };
        if session.over.has(sequence) {
            self.counts.duplicates += 1;
            return;
        }
        if session.refused.has(sequence) {
            self.counts.duplicates += 1;
            return self.refuse(
                from,
                ticket,
                &at_its_limit("one that it had reached before"),
            );
        }
        match session.entries.get(&sequence) {
            Some(Entry::Running(class, _)) => {
                self.counts.duplicates += 1;
                if *class != Class::Oneway {
                    let working = Numbered {
                        session: id,
                        incarnation: self.incarnation,
                        sequence,
                        floor: 0,
                    };
                    self.output
                        .push_back((from, Packet::Working(working).encode()));
                }
            }
            Some(Entry::Kept(bytes)) => {
                self.counts.duplicates += 1;
                self.output.push_back((from, bytes.clone()));
            }
            None => self.admit(from, ticket, request, now, resolve),
        }
    }

    /// Begins a call that is new, or refuses it.
    fn admit(
        &mut self,
        from: SocketAddr,
        ticket: Ticket,
        request: Request,
        now: Instant,
        resolve: Resolve<'_>,
    ) {
        let class = match resolve(&request) {
            Ok(class) => class,
            // Whoever asks again is told the same again: nothing need be remembered.
            Err(status) => return self.refuse(from, ticket, &status),
        };
        if self.draining {
            let status = Status::new(Code::Unavailable, "the server is ending");
            return self.refuse(from, ticket, &status);
        }
        let full = self.kept_bytes + self.limits.max_datagram_bytes + OVERHEAD_BYTES
            > self.limits.max_kept_bytes;
        let max_calls = self.limits.max_calls;
        let Some(session) = self.sessions.get_mut(&ticket.session) else {
            return;
        };
        let limit = if session.running >= max_calls {
            Some("calls of one session")
        } else if full && class == Class::Once {
            Some("bytes of answers that are kept")
        } else {
            None
        };
        if let Some(limit) = limit {
            self.counts.refused += 1;
            if class == Class::Oneway {
                session.over.set(ticket.sequence);
                return;
            }
            if !session.ran.has(ticket.sequence) {
                // A copy of this request may come when there is room.
                session.refused.set(ticket.sequence);
            }
            return self.refuse(from, ticket, &at_its_limit(limit));
        }
        session.running += 1;
        let running = Entry::Running(class, now);
        session.entries.insert(ticket.sequence, running);
        self.under_way += 1;
        if class == Class::Once {
            self.kept_bytes += self.limits.max_datagram_bytes + OVERHEAD_BYTES;
        }
        self.counts.calls += 1;
        let event = Event::Call(ticket, from, Box::new(request));
        self.events.push_back(event);
    }

    fn cancel(&mut self, from: SocketAddr, cancel: &Numbered, now: Instant) {
        let Some(session) = self.session(from, cancel.session, cancel.incarnation, now) else {
            return;
        };
        let mut gone = session.advance(cancel.floor);
        if session.holds(cancel.sequence) {
            // One that has not come yet must not run when it does.
            session.over.set(cancel.sequence);
            gone.extend(session.entries.remove_entry(&cancel.sequence));
        }
        self.let_go(cancel.session, gone);
    }

    /// Gives up what was held of calls that nobody waits for.
    fn let_go(&mut self, session: u64, entries: BTreeMap<u64, Entry>) {
        for (sequence, entry) in entries {
            match entry {
                Entry::Kept(bytes) => self.kept_bytes -= bytes.len() + OVERHEAD_BYTES,
                Entry::Running(class, _) => {
                    if let Some(session) = self.sessions.get_mut(&session) {
                        session.running -= 1;
                    }
                    self.stopped_running(class);
                    let ticket = Ticket { session, sequence };
                    self.events.push_back(Event::Cancel(ticket));
                }
            }
        }
    }

    fn stopped_running(&mut self, class: Class) {
        self.under_way -= 1;
        if class == Class::Once {
            self.kept_bytes -= self.limits.max_datagram_bytes + OVERHEAD_BYTES;
        }
    }

    fn refuse(&mut self, to: SocketAddr, ticket: Ticket, status: &Status) {
        let mut reply = Reply::failed(status);
        let session = self.sessions.get(&ticket.session);
        // What may run again may have run before, and its answer been lost.
        reply.did_not_run = session.is_some_and(|session| !session.ran.has(ticket.sequence));
        reply.session = ticket.session;
        reply.sequence = ticket.sequence;
        let bytes = fitting(reply, self.limits.max_datagram_bytes);
        self.output.push_back((to, bytes));
    }
}

fn at_its_limit(limit: &str) -> Status {
    let text = format!("the server is at its limit: {limit}; try again later");
    Status::new(Code::ResourceExhausted, text)
}

/// The reply as a packet, or a shorter status in its place where it is too large.
fn fitting(reply: Reply, limit: usize) -> Bytes {
    let answered = reply.code == Code::Ok as u32;
    let packet = Packet::Reply(reply);
    let bytes = packet.encode();
    let size = bytes.len();
    let Packet::Reply(reply) = packet else {
        return bytes;
    };
    if size <= limit {
        return bytes;
    }
    // A failure keeps its kind, and the beginning of its text.
    let shown = if answered { 0 } else { 60 };
    let cause: String = reply.message.chars().take(shown).collect();
    let message = format!("{cause} (it takes {size} bytes, a datagram at most {limit}: use tcp)");
    let code = match answered {
        true => Code::ResourceExhausted as u32,
        false => reply.code,
    };
    let short = Reply {
        code,
        message: message.trim_start().to_owned(),
        details: Vec::new(),
        metadata: Vec::new(),
        body: Bytes::new(),
        ..reply
    };
    Packet::Reply(short).encode()
}
