//! Both machines, a network that does its worst, and a model of what may run.

use super::{address, limits};
use crate::client_side::{ClientSide, Outcome};
use crate::packet::Request;
use crate::server_side::{Event, ServerSide, Ticket};
use crate::session::Class;
use bytes::Bytes;
use rpc_core::{Code, Status};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How many packets of the past are kept to be sent again.
const PAST: usize = 512;

/// What became of a call.
#[derive(Debug, Default)]
struct Fate {
    class: Option<Class>,
    /// How often it began, by the server's lives.
    runs: BTreeMap<u32, u32>,
    outcome: Option<Outcome>,
    given_up: bool,
}

/// All of it.
pub(super) struct World {
    now: Instant,
    life: u32,
    client: ClientSide,
    server: ServerSide,
    /// On their way: whether to the server, and the bytes.
    wire: Vec<(bool, Bytes)>,
    past: Vec<(bool, Bytes)>,
    /// The handlers that run, and what they are for.
    running: Vec<(Ticket, u64)>,
    fates: BTreeMap<u64, Fate>,
}

fn class(request: &Request) -> Result<Class, Status> {
    match request.method {
        1 => Ok(Class::Once),
        2 => Ok(Class::Idempotent),
        3 => Ok(Class::Oneway),
        _ => Err(Status::new(Code::Unimplemented, "no such method")),
    }
}

impl World {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            now,
            life: 0,
            client: ClientSide::new(limits(), 99),
            server: ServerSide::new(limits(), &[0; 32], now),
            wire: Vec::new(),
            past: Vec::new(),
            running: Vec::new(),
            fates: BTreeMap::new(),
        }
    }

    /// Does what the bytes say, two for each step; then the network heals, and all is checked.
    pub(super) fn run(mut self, data: &[u8]) {
        for step in data.chunks_exact(2) {
            self.step(step[0] % 32, usize::from(step[1]));
            self.settle();
        }
        self.heal();
        // Whatever was ever sent comes once more.
        for (to_server, packet) in self.past.clone() {
            self.deliver(to_server, packet);
            self.settle();
        }
        self.check_fates();
        self.client.goodbye();
        self.settle();
        self.heal();
        // Sessions of which the client has forgotten are forgotten, too.
        self.pass(Duration::from_secs(61));
        self.pass(Duration::from_secs(61));
        assert_eq!(self.server.sessions(), 0, "no session is left");
        assert_eq!(self.server.kept_bytes(), 0, "nothing is kept");
        assert_eq!(self.server.under_way(), 0, "nothing runs");
    }

    fn step(&mut self, what: u8, which: usize) {
        match what {
            0..=9 => {
                if let Some((to_server, packet)) = self.pick(which) {
                    self.deliver(to_server, packet);
                }
            }
            10 => drop(self.pick(which)),
            11 | 12 => {
                if !self.wire.is_empty() {
                    let copy = self.wire[which % self.wire.len()].clone();
                    self.wire.push(copy);
                }
            }
            13 => self.replay(which),
            14 => self.replay_from_elsewhere(which),
            15..=19 => self.begin(which),
            20 => {
                let open = self.fates.iter_mut();
                let mut open: Vec<_> = open.filter(|(_, fate)| fate.outcome.is_none()).collect();
                if !open.is_empty() {
                    let place = which % open.len();
                    let (call, fate) = &mut open[place];
                    fate.given_up = true;
                    self.client.cancel(**call, self.now);
                }
            }
            21..=25 => {
                if !self.running.is_empty() {
                    let (ticket, _) = self.running.swap_remove(which % self.running.len());
                    let outcome = match which % 5 {
                        0 => Err(Status::new(Code::NotFound, "none")),
                        1 => Ok((Default::default(), Bytes::from(vec![1; which * 2]))),
                        _ => Ok(Default::default()),
                    };
                    self.server.finish(ticket, outcome, self.now);
                }
            }
            26..=28 => self.pass(Duration::from_millis(which as u64)),
            29 => self.pass(Duration::from_millis(which as u64 * 200)),
            30 if which < 64 => self.restart(),
            31 if which < 64 => self.client.nobody_there(self.now),
            _ => {
                let garbage: Vec<u8> = (0..which).map(|at| (at * which) as u8).collect();
                self.deliver(which.is_multiple_of(2), garbage.into());
            }
        }
    }

    fn pick(&mut self, which: usize) -> Option<(bool, Bytes)> {
        if self.wire.is_empty() {
            return None;
        }
        Some(self.wire.remove(which % self.wire.len()))
    }

    fn deliver(&mut self, to_server: bool, packet: Bytes) {
        match to_server {
            true => self.server.receive(address(1), packet, self.now, &class),
            false => self.client.receive(packet, self.now),
        }
    }

    fn replay(&mut self, which: usize) {
        if !self.past.is_empty() {
            let (to_server, packet) = self.past[which * 7 % self.past.len()].clone();
            self.deliver(to_server, packet);
        }
    }

    fn replay_from_elsewhere(&mut self, which: usize) {
        if self.past.is_empty() {
            return;
        }
        let (_, packet) = self.past[which * 5 % self.past.len()].clone();
        let length = packet.len();
        let before = (self.server.sessions(), self.server.events.len());
        self.server.receive(address(2), packet, self.now, &class);
        let answered = self.server.output.drain(..).map(|(to, answer)| {
            assert_eq!(to, address(2));
            answer.len()
        });
        assert!(answered.sum::<usize>() <= length, "no more than came");
        let after = (self.server.sessions(), self.server.events.len());
        assert_eq!(before, after, "nothing is made, and nothing runs");
    }

    fn begin(&mut self, which: usize) {
        let method = which as u32 % 4;
        let call = self.fates.len() as u64 + 1;
        let request = Request {
            method,
            body: call.to_le_bytes().to_vec().into(),
            ..Request::default()
        };
        let deadline = self.now + Duration::from_secs(3600);
        let class = class(&request).unwrap_or(Class::Once);
        let made = self.client.call(class, request, deadline, self.now);
        assert_eq!(
            made.as_ref().ok(),
            Some(&call),
            "calls are numbered in order"
        );
        let class = Some(class);
        let fate = Fate {
            class,
            ..Fate::default()
        };
        self.fates.insert(call, fate);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.client.tick(self.now);
        self.server.tick(self.now);
        self.settle();
    }

    fn restart(&mut self) {
        self.life += 1;
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(&self.life.to_le_bytes());
        self.server = ServerSide::new(limits(), &secret, self.now);
        self.running.clear();
    }

    /// Takes what the machines say, and holds it against what they may.
    fn settle(&mut self) {
        let to_server = self.client.output.drain(..).map(|packet| (true, packet));
        let sent: Vec<_> = to_server
            .chain(self.server.output.drain(..).map(|(to, packet)| {
                assert_eq!(to, address(1));
                (false, packet)
            }))
            .collect();
        for packet in sent {
            assert!(packet.1.len() <= 256, "a datagram has its limit");
            if self.past.len() < PAST {
                self.past.push(packet.clone());
            }
            self.wire.push(packet);
        }
        while let Some(event) = self.server.events.pop_front() {
            match event {
                Event::Call(ticket, from, request) => {
                    assert_eq!(from, address(1));
                    let call = request.body[..].try_into().expect("it was sent so");
                    let call = u64::from_le_bytes(call);
                    self.running.push((ticket, call));
                    let fate = self.fates.get_mut(&call).expect("it was made");
                    *fate.runs.entry(self.life).or_default() += 1;
                }
                Event::Cancel(ticket) => self.running.retain(|(other, _)| *other != ticket),
            }
        }
        while let Some((call, outcome)) = self.client.ended.pop_front() {
            let fate = self.fates.get_mut(&call).expect("it was made");
            assert!(fate.outcome.is_none() && !fate.given_up, "a call ends once");
            fate.outcome = Some(outcome);
        }
        assert_eq!(self.server.under_way(), self.running.len());
        assert!(
            self.server.kept_bytes() <= 6 * 352,
            "the limit of kept bytes"
        );
        assert!(self.server.sessions() <= 2, "the limit of one address");
        assert!(self.running.len() <= 2 * 4, "the limit of calls");
    }

    /// A network without fault, and handlers that end: every call ends.
    fn heal(&mut self) {
        for _ in 0..4_000 {
            while let Some((to_server, packet)) = self.pick(0) {
                self.deliver(to_server, packet);
                self.settle();
            }
            while let Some((ticket, _)) = self.running.pop() {
                self.server.finish(ticket, Ok(Default::default()), self.now);
            }
            self.settle();
            if self.client.calls() == 0 && self.wire.is_empty() {
                return;
            }
            self.pass(Duration::from_millis(100));
        }
        panic!("{} calls never end", self.client.calls());
    }

    fn check_fates(&self) {
        for (call, fate) in &self.fates {
            assert!(
                fate.outcome.is_some() || fate.given_up,
                "call {call} has no end"
            );
            let runs: u32 = fate.runs.values().sum();
            let once = fate.class != Some(Class::Idempotent);
            for (life, runs) in &fate.runs {
                assert!(
                    !once || *runs <= 1,
                    "call {call} ran {runs} times in life {life}"
                );
            }
            match &fate.outcome {
                Some(Ok(_)) if fate.class == Some(Class::Once) => {
                    assert_eq!(runs, 1, "call {call} was answered");
                }
                Some(Ok(_)) if fate.class == Some(Class::Idempotent) => {
                    assert!(runs >= 1, "call {call} was answered");
                }
                Some(Err(status)) if status.did_not_run() => {
                    assert_eq!(runs, 0, "call {call} did not run: {status}");
                }
                _ => {}
            }
            if once {
                assert!(runs <= 1, "call {call} ran in {:?}", fate.runs);
            }
        }
    }
}
