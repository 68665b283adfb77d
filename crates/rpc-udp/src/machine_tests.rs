//! The machines on a clock of the tests' own: when sessions are made, forgotten, and made again.

use crate::client_side::ClientSide;
use crate::limits::Limits;
use crate::packet::{Packet, Request};
use crate::server_side::{Event, ServerSide, Ticket};
use crate::session::Class;
use bytes::Bytes;
use rpc_core::{Code, Status};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Both, and nothing lost between them.
struct Both {
    now: Instant,
    client: ClientSide,
    server: ServerSide,
    class: Class,
    running: Vec<Ticket>,
}

fn here() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

impl Both {
    fn new(limits: &Limits) -> Self {
        let now = Instant::now();
        let mut client = ClientSide::new(limits.clone(), 1);
        client.connect(now);
        let mut both = Self {
            now,
            client,
            server: ServerSide::new(limits.clone(), &[1; 32], now),
            class: Class::Once,
            running: Vec::new(),
        };
        both.exchange();
        assert!(both.client.is_open());
        both
    }

    /// Everything arrives, until nobody says anything more; what the client sent.
    fn exchange(&mut self) -> Vec<Packet> {
        let mut sent = Vec::new();
        while !self.client.output.is_empty() || !self.server.output.is_empty() {
            for packet in self.client.output.drain(..) {
                sent.extend(Packet::decode(packet.clone()));
                let class = self.class;
                self.server
                    .receive(here(), packet, self.now, &move |_| Ok(class));
            }
            for (to, packet) in self.server.output.drain(..) {
                assert_eq!(to, here());
                self.client.receive(packet, self.now);
            }
        }
        while let Some(event) = self.server.events.pop_front() {
            match event {
                Event::Call(ticket, ..) => self.running.push(ticket),
                Event::Cancel(ticket) => self.running.retain(|other| *other != ticket),
            }
        }
        sent
    }

    fn call(&mut self) -> u64 {
        let deadline = self.now + 3600 * SECOND;
        let call = self
            .client
            .call(self.class, Request::default(), deadline, self.now);
        call.expect("it is small")
    }

    fn finish(&mut self) {
        for ticket in std::mem::take(&mut self.running) {
            self.server.finish(ticket, Ok(Default::default()), self.now);
        }
        self.exchange();
    }

    fn ended(&mut self) -> Vec<(u64, Result<(), Status>)> {
        let ended = self.client.ended.drain(..);
        ended
            .map(|(call, outcome)| (call, outcome.map(drop)))
            .collect()
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // Nobody waits longer than for the next thing to be done.
        while let Some(next) = self.client.next_timeout()
            && next <= end
        {
            self.now = self.now.max(next);
            self.client.tick(self.now);
            self.server.tick(self.now);
            self.exchange();
        }
        self.now = end;
        self.server.tick(end);
        self.exchange();
    }
}

#[test]
fn a_silent_session_is_forgotten_after_sixty_seconds_and_a_client_makes_a_new_one_after_thirty() {
    let mut both = Both::new(&Limits::new());
    both.call();
    both.exchange();
    both.finish();
    assert_eq!(both.ended().len(), 1);
    both.pass(29 * SECOND);
    both.call();
    let sent = both.exchange();
    assert!(
        matches!(sent[..], [Packet::Request(_)]),
        "the session goes on: {sent:?}"
    );
    both.finish();
    both.pass(31 * SECOND);
    both.call();
    let sent = both.exchange();
    assert!(
        matches!(
            sent[..],
            [
                Packet::Bye(_),
                Packet::Hello(_),
                Packet::Open(_),
                Packet::Request(_)
            ]
        ),
        "{sent:?}"
    );
    both.finish();
    assert_eq!((both.ended().len(), both.server.sessions()), (2, 1));
    both.pass(59 * SECOND);
    assert_eq!(both.server.sessions(), 1);
    both.pass(2 * SECOND);
    assert_eq!((both.server.sessions(), both.server.kept_bytes()), (0, 0));
}

#[test]
fn a_call_that_runs_for_minutes_keeps_its_session_and_is_asked_for_now_and_then() {
    let mut both = Both::new(&Limits::new());
    both.call();
    let sent = both.exchange();
    assert_eq!(sent.len(), 1);
    both.pass(300 * SECOND);
    assert_eq!(both.running.len(), 1, "it runs once, and still");
    let duplicates = both.server.counts.duplicates;
    assert!(
        (500..800).contains(&duplicates),
        "{duplicates}: every 0.4 to 0.5 seconds"
    );
    both.finish();
    assert!(both.ended()[0].1.is_ok());
}

#[test]
fn a_client_that_is_gone_has_what_it_began_ended_after_sixty_seconds() {
    let mut both = Both::new(&Limits::new());
    both.call();
    both.exchange();
    let late = both.now + 61 * SECOND;
    both.server.tick(late);
    assert!(matches!(
        both.server.events.pop_front(),
        Some(Event::Cancel(_))
    ));
    assert_eq!((both.server.under_way(), both.server.kept_bytes()), (0, 0));
}

#[test]
fn a_proof_opens_a_session_for_thirty_seconds() {
    for (after, opens) in [(30 * SECOND, true), (30 * SECOND + SECOND / 100, false)] {
        let now = Instant::now();
        let mut client = ClientSide::new(Limits::new(), 1);
        let mut server = ServerSide::new(Limits::new(), &[1; 32], now);
        client.connect(now);
        let hello = client.output.pop_front().expect("it greets");
        server.receive(here(), hello, now, &|_| Ok(Class::Once));
        let (_, welcome) = server.output.pop_front().expect("it answers");
        client.receive(welcome, now);
        let open = client.output.pop_front().expect("it asks");
        server.receive(here(), open, now + after, &|_| Ok(Class::Once));
        assert_eq!(server.sessions() == 1, opens, "after {after:?}");
        assert_eq!(server.counts.unproven == 0, opens);
    }
}

#[test]
fn a_server_that_started_again_is_found_out_and_greeted_though_a_proof_was_under_way() {
    let mut both = Both::new(&Limits::new());
    both.call();
    both.exchange();
    both.server = ServerSide::new(Limits::new(), &[2; 32], both.now);
    both.class = Class::Idempotent;
    let again = both.call();
    both.pass(SECOND);
    let ended = both.ended();
    assert_eq!(ended.len(), 1, "{ended:?}");
    let status = ended[0].1.clone().expect_err("it may have run");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        !status.did_not_run() && status.message().contains("started again"),
        "{status}"
    );
    both.running
        .retain(|ticket| ticket.session == both.client.place().0);
    both.finish();
    assert_eq!(both.ended(), [(again, Ok(()))]);

    // The proof of one that is gone is given up.
    let now = both.now;
    let mut client = ClientSide::new(Limits::new(), 1);
    client.connect(now);
    let hello = client.output.pop_front().expect("it greets");
    both.server
        .receive(here(), hello, now, &|_| Ok(Class::Once));
    let (_, welcome) = both.server.output.pop_front().expect("it answers");
    client.receive(welcome, now);
    both.client = client;
    both.server = ServerSide::new(Limits::new(), &[3; 32], now);
    both.pass(10 * SECOND);
    assert!(both.client.is_open());
}

#[test]
fn a_slow_call_holds_up_nobody_and_sessions_beside_it_are_bounded() {
    let mut both = Both::new(&Limits::new());
    let slow = both.call();
    both.exchange();
    let held = both.running.pop().expect("it runs");
    for _ in 0..3 * Limits::WINDOW {
        both.call();
        both.exchange();
        both.finish();
    }
    assert_eq!(both.ended().len() as u64, 3 * Limits::WINDOW);
    assert!(both.server.counts.sessions <= 4, "{:?}", both.server.counts);
    both.server.finish(held, Ok(Default::default()), both.now);
    both.exchange();
    assert_eq!(both.ended(), [(slow, Ok(()))]);
    both.call();
    both.exchange();
    both.finish();
    assert_eq!(
        both.server.sessions(),
        1,
        "what is not needed any more is closed"
    );
}

#[test]
fn kept_answers_are_bounded_at_the_limit_and_one_above() {
    // Two that run, or whose answers are kept, and a byte less than three.
    let limits = Limits::new()
        .max_datagram_bytes(256)
        .max_kept_bytes(3 * 352 - 1)
        .clone();
    let mut both = Both::new(&limits);
    let calls = [both.call(), both.call()];
    both.exchange();
    assert_eq!(both.running.len(), 2, "at the limit");
    let above = both.call();
    both.exchange();
    let ended = both.ended();
    assert!(ended.len() == 1 && ended[0].0 == above);
    let status = ended[0].1.clone().expect_err("it is refused");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.did_not_run(), "{status}");
    both.class = Class::Idempotent;
    both.call();
    both.exchange();
    assert_eq!(both.running.len(), 3, "what is not kept is not counted");
    both.finish();
    assert_eq!(both.ended().len(), calls.len() + 1);
}

#[test]
fn nobody_there_is_believed_after_a_third_of_a_second() {
    let mut both = Both::new(&Limits::new());
    let sent = both.call();
    both.client.output.clear();
    both.client.nobody_there(both.now);
    assert!(
        both.ended().is_empty(),
        "a server that starts again has a moment"
    );
    both.now += Duration::from_millis(300);
    both.client.tick(both.now);
    both.client.output.clear();
    both.client.nobody_there(both.now);
    let ended = both.ended();
    assert!(ended.len() == 1 && ended[0].0 == sent);
    let status = ended[0].1.clone().expect_err("nobody is there");
    assert!(status.code() == Code::Unavailable && !status.did_not_run());
    // One word from time to time means nothing.
    both.call();
    for _ in 0..5 {
        both.client.nobody_there(both.now);
        both.now += 2 * SECOND;
    }
    assert!(both.ended().is_empty());
}

#[test]
fn what_a_client_sends_is_the_same_length_each_time() {
    let mut both = Both::new(&Limits::new());
    both.call();
    let mut lengths = Vec::new();
    for _ in 0..5 {
        lengths.extend(
            both.client
                .output
                .drain(..)
                .map(|packet: Bytes| packet.len()),
        );
        both.now = both.client.next_timeout().expect("it is sent again");
        both.client.tick(both.now);
    }
    assert!(lengths.len() == 5 && lengths.iter().all(|length| *length == lengths[0]));
}
