//! The client's machine: calls and packets in, packets and outcomes out. It knows no socket and no
//! clock, and ends no call by its deadline: that is the driver's.

mod heard;

use crate::client_session::{ClientSession, Greeting};
use crate::estimate::Estimate;
use crate::limits::Limits;
use crate::packet::{Numbered, OfSession, Packet, Request};
use crate::session::Class;
use bytes::Bytes;
use rpc_core::{Code, Metadata, Status};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How long a host says that nobody is there before it is believed: a server that starts again has
/// this long.
const GRACE: Duration = Duration::from_millis(300);
/// The longest time between two repetitions of a call that nobody has heard of.
const SLOWEST: Duration = Duration::from_secs(1);
/// The same for one that runs: this often its server is asked whether it still does.
const SLOWEST_WORKING: Duration = Duration::from_millis(400);

/// How a call ended.
pub(crate) type Outcome = Result<(Metadata, Bytes), Status>;

/// The client's machine.
#[derive(Debug)]
pub(crate) struct ClientSide {
    limits: Limits,
    random: u64,
    estimate: Estimate,
    /// The newest is the last; older ones end with their last call.
    sessions: Vec<ClientSession>,
    greeting: Option<Greeting>,
    /// Somebody wants a session, though there is no call.
    wanted: bool,
    /// Why there was none.
    pub(crate) refusal: Option<Status>,
    calls: BTreeMap<u64, Pending>,
    last_call: u64,
    waiting: VecDeque<u64>,
    timers: BTreeSet<(Instant, u64)>,
    under_way: usize,
    /// When the host began to say that nobody is there, and when it last did.
    refused: Option<(Instant, Instant)>,
    pub(crate) output: VecDeque<Bytes>,
    pub(crate) ended: VecDeque<(u64, Outcome)>,
}

/// A call that has not ended.
#[derive(Debug)]
struct Pending {
    class: Class,
    request: Request,
    deadline: Instant,
    /// The session and the number in it.
    place: Option<(u64, u64)>,
    /// How often it was sent there.
    sent: u32,
    ever_sent: bool,
    /// It was sent in another session before.
    moved: bool,
    sent_at: Instant,
    interval: Duration,
    next_at: Instant,
    working: bool,
}

impl ClientSide {
    pub(crate) fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            random: seed,
            estimate: Estimate::default(),
            sessions: Vec::new(),
            greeting: None,
            wanted: false,
            refusal: None,
            calls: BTreeMap::new(),
            last_call: 0,
            waiting: VecDeque::new(),
            timers: BTreeSet::new(),
            under_way: 0,
            refused: None,
            output: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    /// Asks for a session, which [`is_open`](ClientSide::is_open) tells of, or the refusal.
    pub(crate) fn connect(&mut self, now: Instant) {
        self.wanted = true;
        self.refusal = None;
        self.pump(now);
    }

    /// Whether there is a session.
    pub(crate) fn is_open(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Begins a call; its number.
    ///
    /// # Errors
    /// [`Code::ResourceExhausted`] for one that no datagram carries.
    pub(crate) fn call(
        &mut self,
        class: Class,
        mut request: Request,
        deadline: Instant,
        now: Instant,
    ) -> Result<u64, Status> {
        // None of these is zero on its way, and all have the same length whatever they are.
        (request.session, request.incarnation) = (u64::MAX, u64::MAX);
        (request.sequence, request.floor) = (u64::MAX, u64::MAX);
        request.remaining_ms = u32::MAX;
        let packet = Packet::Request(request);
        let (size, limit) = (packet.encode().len(), self.limits.max_datagram_bytes);
        let Packet::Request(request) = packet else {
            return Err(Status::bare(Code::Internal).before_running());
        };
        if size > limit {
            let text = format!("the call takes {size} bytes, a datagram at most {limit}: use tcp");
            return Err(Status::new(Code::ResourceExhausted, text).before_running());
        }
        self.last_call += 1;
        let call = self.last_call;
        let pending = Pending {
            class,
            request,
            deadline,
            place: None,
            sent: 0,
            ever_sent: false,
            moved: false,
            sent_at: now,
            interval: Duration::ZERO,
            next_at: now,
            working: false,
        };
        self.calls.insert(call, pending);
        self.waiting.push_back(call);
        self.pump(now);
        Ok(call)
    }

    /// Gives a call up; whether it was ever sent.
    pub(crate) fn cancel(&mut self, call: u64, now: Instant) -> bool {
        let Some(pending) = self.calls.remove(&call) else {
            return false;
        };
        if let Some((session, sequence)) = pending.place {
            self.under_way -= 1;
            self.timers.remove(&(pending.next_at, call));
            if let Some(session) = self.session(session) {
                session.take(sequence);
                session.touch(now);
                let cancel = Numbered {
                    session: session.id,
                    incarnation: session.incarnation,
                    sequence,
                    floor: session.floor(),
                };
                self.output.push_back(Packet::Cancel(cancel).encode());
            }
            self.pump(now);
        }
        pending.ever_sent
    }

    /// Repeats what is overdue.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some((at, call)) = self.timers.first().copied()
            && at <= now
        {
            self.transmit(call, now);
        }
        if let Some(greeting) = &self.greeting
            && greeting.next_at <= now
        {
            if self.calls.is_empty() && !self.wanted {
                self.greeting = None;
            } else {
                self.ask(now);
            }
        }
    }

    /// When [`tick`](ClientSide::tick) has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let greeting = self.greeting.as_ref().map(|greeting| greeting.next_at);
        let call = self.timers.first().map(|(at, _)| *at);
        [greeting, call].into_iter().flatten().min()
    }

    /// How many calls are under way or wait.
    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// The newest session, and its server's incarnation.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn place(&self) -> (u64, u64) {
        let newest = self.sessions.last();
        newest.map_or((0, 0), |session| (session.id, session.incarnation))
    }

    /// Tells the server that nobody will call any more.
    pub(crate) fn goodbye(&mut self) {
        for session in std::mem::take(&mut self.sessions) {
            self.bye(&session);
        }
    }

    /// Sends what waits, as far as there is room, and asks for a session where there is none.
    fn pump(&mut self, now: Instant) {
        self.retire(now);
        while let Some(call) = self.waiting.front().copied() {
            let Some(pending) = self.calls.get(&call) else {
                // Given up since.
                self.waiting.pop_front();
                continue;
            };
            let awaited = pending.class != Class::Oneway;
            if awaited && self.under_way >= self.limits.max_calls as usize {
                return;
            }
            let Some(session) = self.sessions.last_mut() else {
                break;
            };
            if awaited && !session.has_room() {
                return;
            }
            let Some(sequence) = session.number(awaited.then_some(call), now) else {
                // Its window is held by a slow call: another session beside it has one of its own.
                if self.sessions.len() >= Limits::MAX_CLIENT_SESSIONS {
                    return;
                }
                break;
            };
            let place = Some((session.id, sequence));
            self.waiting.pop_front();
            if let Some(pending) = self.calls.get_mut(&call) {
                (pending.place, pending.sent, pending.working) = (place, 0, false);
            }
            self.transmit(call, now);
            if awaited {
                self.under_way += 1;
            } else {
                self.calls.remove(&call);
                self.ended
                    .push_back((call, Ok((Metadata::new(), Bytes::new()))));
            }
        }
        let lacks = self.wanted && self.sessions.is_empty();
        if self.greeting.is_none() && (lacks || !self.waiting.is_empty()) {
            let nonce = self.next_random();
            let interval = self.estimate.overdue();
            self.greeting = Some(Greeting::new(nonce, interval, now));
            self.ask(now);
        }
    }

    /// Ends sessions that are not needed any more, or that the server may soon forget.
    fn retire(&mut self, now: Instant) {
        let newest = self.sessions.len().saturating_sub(1);
        let mut at = 0;
        let old = |session: &ClientSession, at: usize| {
            session.awaited == 0 && (at < newest || session.is_old(now))
        };
        let mut retired = Vec::new();
        self.sessions.retain_mut(|session| {
            at += 1;
            let goes = old(session, at - 1);
            if goes {
                retired.push((session.id, session.incarnation));
            }
            !goes
        });
        for (session, incarnation) in retired {
            let bye = OfSession {
                session,
                incarnation,
            };
            self.output.push_back(Packet::Bye(bye).encode());
        }
    }

    fn bye(&mut self, session: &ClientSession) {
        let bye = OfSession {
            session: session.id,
            incarnation: session.incarnation,
        };
        self.output.push_back(Packet::Bye(bye).encode());
    }

    fn ask(&mut self, now: Instant) {
        let fresh = self.next_random();
        if let Some(greeting) = &mut self.greeting {
            let question = greeting.ask(fresh, now);
            self.output.push_back(question.encode());
        }
    }

    fn session(&mut self, id: u64) -> Option<&mut ClientSession> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// Sends a call that has its place, and sets when it is sent again.
    fn transmit(&mut self, call: u64, now: Instant) {
        let jitter = u32::try_from(self.next_random() % 256).unwrap_or(0);
        let overdue = self.estimate.overdue();
        let Some(pending) = self.calls.get_mut(&call) else {
            return;
        };
        let Some((id, sequence)) = pending.place else {
            return;
        };
        let slowest = if pending.working {
            SLOWEST_WORKING
        } else {
            SLOWEST
        };
        pending.interval = match pending.sent {
            0 => overdue,
            _ => (pending.interval * 2).min(slowest.max(overdue)),
        };
        if pending.sent == 0 {
            pending.sent_at = now;
        }
        pending.sent += 1;
        pending.ever_sent = true;
        // Up to a quarter more, so that calls which were lost together do not come together.
        let next = now + pending.interval + pending.interval * jitter / 1024;
        let left = pending.deadline.saturating_duration_since(now);
        // Rounded up: a server that counts fewer would end the call before its time.
        let left = left.as_nanos().div_ceil(1_000_000);
        pending.request.remaining_ms = u32::try_from(left).unwrap_or(u32::MAX);
        (pending.request.session, pending.request.sequence) = (id, sequence);
        if let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) {
            session.touch(now);
            pending.request.floor = session.floor();
            pending.request.incarnation = session.incarnation;
            // Past its deadline it is of no use, and its driver will say so.
            if left > 0 {
                let packet = Packet::Request(pending.request.clone());
                self.output.push_back(packet.encode());
            }
        }
        if pending.class != Class::Oneway {
            self.wake_at(call, next);
        }
    }

    fn wake_at(&mut self, call: u64, at: Instant) {
        if let Some(pending) = self.calls.get_mut(&call) {
            self.timers.remove(&(pending.next_at, call));
            pending.next_at = at;
            self.timers.insert((at, call));
        }
    }

    /// Takes a call out, which has ended.
    fn end(&mut self, call: u64, outcome: Outcome) -> Option<Pending> {
        let pending = self.calls.remove(&call)?;
        self.timers.remove(&(pending.next_at, call));
        self.under_way -= usize::from(pending.place.is_some());
        self.ended.push_back((call, outcome));
        Some(pending)
    }

    /// A number for nonces and jitter: SplitMix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
