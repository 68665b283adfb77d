//! Both machines against each other and against a model: whatever is done in whatever order, each
//! call runs once, items arrive in order, and all quotas come back.

use super::{Fill, limits};
use crate::client_side::{self, ClientSide};
use crate::frame::CallHead;
use crate::server_side::{self, ServerSide};
use bytes::{BufMut, Bytes, BytesMut};
use rpc_core::{Code, Metadata, Status};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// What the client knows of a call of its own.
#[derive(Debug, Default)]
struct Asked {
    tag: u32,
    ended: bool,
    cancelled: bool,
    returned: bool,
    sent: u32,
    taken: VecDeque<usize>,
    received: u32,
}

/// What the server knows of a call that runs.
#[derive(Debug, Default)]
struct Runs {
    tag: u32,
    ended: bool,
    sent: u32,
    taken: VecDeque<usize>,
    received: u32,
}

struct World {
    now: Instant,
    client: ClientSide,
    server: ServerSide,
    asked: BTreeMap<u32, Asked>,
    runs: BTreeMap<u32, Runs>,
    oneways: Vec<u32>,
    /// How each call ended, by its tag, where the server has said it.
    said: BTreeMap<u32, Code>,
    /// The last tag that has run: tags come in order.
    last_run: u32,
    next_tag: u32,
    to_server: BytesMut,
    to_client: BytesMut,
}

/// Does what `data` says, and checks the outcome.
pub fn pair(data: &[u8]) {
    let now = Instant::now();
    let mut world = World {
        now,
        client: ClientSide::new(limits(), now),
        server: ServerSide::new(limits(), now),
        asked: BTreeMap::new(),
        runs: BTreeMap::new(),
        oneways: Vec::new(),
        said: BTreeMap::new(),
        last_run: 0,
        next_tag: 1,
        to_server: BytesMut::new(),
        to_client: BytesMut::new(),
    };
    world.deliver_to_server(usize::MAX);
    world.deliver_to_client(usize::MAX);
    for step in data.chunks_exact(2) {
        world.step(step[0], step[1]);
    }
    world.settle();
}

/// A message that says whose it is, and which.
fn stamped(tag: u32, number: u32, length: u8) -> impl FnOnce(&mut BytesMut) -> Result<(), Status> {
    move |out| {
        out.put_u32_le(tag);
        out.put_u32_le(number);
        out.put_bytes(length, usize::from(length) * 3);
        Ok(())
    }
}

fn stamp_of(item: &Bytes) -> (u32, u32) {
    let words = item.first_chunk::<8>().expect("stamped");
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| words[at + byte]));
    (word(0), word(4))
}

impl World {
    fn step(&mut self, what: u8, how: u8) {
        let picked = |keys: Vec<u32>| keys.get(usize::from(how) % keys.len().max(1)).copied();
        let asked = picked(self.asked.keys().copied().collect());
        let running = picked(self.runs.keys().copied().collect());
        match (what % 16, asked, running) {
            (0..=2, ..) => self.call(false, true, how),
            (3 | 4, ..) => self.call(false, false, how),
            (5, ..) => self.call(true, true, how),
            (6, Some(call), _) => self.client_sends(call, how),
            (7, Some(call), _) => self.client_ends(call),
            (8, Some(call), _) => self.client_gives_up(call),
            (9, Some(call), _) => self.client_takes(call),
            (10, _, Some(call)) => self.server_sends(call, how),
            (11, _, Some(call)) => self.server_returns(call, how),
            (12, _, Some(call)) => self.server_takes(call),
            (13, ..) => self.deliver_to_server(usize::from(how)),
            (14, ..) => self.deliver_to_client(usize::from(how)),
            (15, ..) => self.oneway_ends(),
            _ => {}
        }
    }

    fn call(&mut self, oneway: bool, end: bool, length: u8) {
        let tag = self.next_tag;
        let head = CallHead {
            method: tag,
            ..CallHead::default()
        };
        let fill = stamped(tag, 0, length);
        let nothing: Fill = |_| Ok(());
        let begun = match end {
            true => self.client.call(&head, oneway, true, fill),
            false => self.client.call(&head, false, false, nothing),
        };
        let Some(number) = begun.expect("the connection is well") else {
            return;
        };
        self.next_tag += 1;
        if !oneway {
            let asked = Asked {
                tag,
                ended: end,
                ..Asked::default()
            };
            let before = self.asked.insert(number, asked);
            assert!(before.is_none(), "number {number} is in use");
        }
    }

    fn client_sends(&mut self, call: u32, length: u8) {
        let asked = self.asked.get_mut(&call).expect("picked");
        let item = stamped(asked.tag, asked.sent, length);
        let may = !asked.ended && !asked.cancelled && !asked.returned;
        match self.client.message(call, item) {
            Ok(sent) => {
                assert!(may, "an item of a call that takes none");
                asked.sent += u32::from(sent);
            }
            Err(status) => assert!(!may && status.code() == Code::Cancelled, "{status}"),
        }
    }

    fn client_ends(&mut self, call: u32) {
        self.client.end(call);
        self.asked.get_mut(&call).expect("picked").ended = true;
    }

    fn client_gives_up(&mut self, call: u32) {
        self.client.cancel(call);
        self.asked.get_mut(&call).expect("picked").cancelled = true;
    }

    /// Takes an item, or the end; a call that is over is forgotten.
    fn client_takes(&mut self, call: u32) {
        let asked = self.asked.get_mut(&call).expect("picked");
        if let Some(length) = asked.taken.pop_front() {
            self.client.consumed(call, length);
        } else if asked.returned {
            self.asked.remove(&call);
            self.client.release(call);
        }
    }

    fn server_sends(&mut self, call: u32, length: u8) {
        let runs = self.runs.get_mut(&call).expect("picked");
        let item = stamped(runs.tag, runs.sent, length);
        let sent = self.server.message(call, item).expect("it runs");
        runs.sent += u32::from(sent);
    }

    fn server_returns(&mut self, call: u32, how: u8) {
        let runs = self.runs.remove(&call).expect("picked");
        for length in runs.taken {
            self.server.consumed(call, length);
        }
        let code = Code::from_number(how % 17);
        self.said.insert(runs.tag, code);
        let outcome = match code {
            Code::Ok => Ok(stamped(runs.tag, runs.sent, how)),
            code => Err(Status::bare(code)),
        };
        self.server.finish(call, &Metadata::new(), outcome);
    }

    fn server_takes(&mut self, call: u32) {
        let runs = self.runs.get_mut(&call).expect("picked");
        if let Some(length) = runs.taken.pop_front() {
            self.server.consumed(call, length);
        }
    }

    fn oneway_ends(&mut self) {
        if let Some(cost) = self.oneways.pop() {
            self.server.oneway_done(cost);
        }
    }

    fn deliver_to_server(&mut self, most: usize) {
        self.to_server.unsplit(self.client.link.output.split());
        let bytes = self.to_server.split_to(most.min(self.to_server.len()));
        self.server.link.receive(&bytes, self.now);
        while let Some(event) = self.server.next_event(self.now).expect("no violation") {
            self.at_server(event);
        }
    }

    fn at_server(&mut self, event: server_side::Event) {
        match event {
            server_side::Event::Call(incoming) => {
                let tag = incoming.head.method;
                assert!(tag > self.last_run, "call {tag} runs twice, or too late");
                self.last_run = tag;
                if let Some(message) = &incoming.message {
                    assert_eq!(stamp_of(message), (tag, 0));
                }
                if incoming.call == 0 {
                    self.oneways.push(incoming.cost);
                    return;
                }
                let runs = Runs {
                    tag,
                    ended: incoming.message.is_some(),
                    ..Runs::default()
                };
                let before = self.runs.insert(incoming.call, runs);
                assert!(before.is_none(), "two calls of one number");
            }
            server_side::Event::Message(call, item) => {
                let runs = self.runs.get_mut(&call).expect("a call that runs");
                assert!(!runs.ended, "an item after the end");
                assert_eq!(stamp_of(&item), (runs.tag, runs.received));
                runs.received += 1;
                runs.taken.push_back(item.len());
            }
            server_side::Event::End(call) => {
                let runs = self.runs.get_mut(&call).expect("a call that runs");
                assert!(!std::mem::replace(&mut runs.ended, true));
            }
            server_side::Event::Cancelled(call) => {
                let how = Code::Cancelled as u8;
                assert!(self.runs.contains_key(&call));
                self.server_returns(call, how);
            }
            server_side::Event::Credit(_) => {}
            server_side::Event::Bind { .. } => panic!("nobody names a service"),
        }
    }

    fn deliver_to_client(&mut self, most: usize) {
        self.to_client.unsplit(self.server.link.output.split());
        let bytes = self.to_client.split_to(most.min(self.to_client.len()));
        self.client.link.receive(&bytes, self.now);
        while let Some(event) = self.client.next_event(self.now).expect("no violation") {
            self.at_client(event);
        }
    }

    fn at_client(&mut self, event: client_side::Event) {
        match event {
            client_side::Event::Message(call, item) => {
                let asked = self.asked.get_mut(&call).expect("a call of ours");
                assert!(!asked.cancelled && !asked.returned);
                assert_eq!(stamp_of(&item), (asked.tag, asked.received));
                asked.received += 1;
                asked.taken.push_back(item.len());
            }
            client_side::Event::Returned(call, outcome) => {
                let asked = self.asked.get_mut(&call).expect("a call of ours");
                assert!(!std::mem::replace(&mut asked.returned, true));
                let said = self.said.remove(&asked.tag).expect("the server said it");
                match outcome {
                    Err(status) => assert_eq!(status.code(), said),
                    Ok((_, message)) => {
                        assert_eq!(said, Code::Ok);
                        let (tag, items) = stamp_of(&message);
                        assert_eq!(tag, asked.tag, "another call's answer");
                        assert!(asked.cancelled || items == asked.received);
                    }
                }
            }
            client_side::Event::Bound(..) | client_side::Event::Draining => {
                panic!("the server does not say that")
            }
            client_side::Event::Greeted | client_side::Event::Credit(_) => {}
        }
    }

    /// Ends all that is under way; then every quota is what it was at first.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.deliver_to_server(usize::MAX);
            let running: Vec<u32> = self.runs.keys().copied().collect();
            running
                .iter()
                .for_each(|call| self.server_returns(*call, 0));
            while !self.oneways.is_empty() {
                self.oneway_ends();
            }
            self.deliver_to_client(usize::MAX);
            let asked: Vec<u32> = self.asked.keys().copied().collect();
            for call in asked {
                while self.asked.contains_key(&call) {
                    self.client_takes(call);
                }
            }
        }
        assert_eq!((self.client.under_way, self.server.under_way), (0, 0));
        assert!(self.said.is_empty(), "an end that nobody heard");
        let window = i64::from(limits().connection_credit_bytes);
        let (ours, theirs) = (self.client.link.balance(), self.server.link.balance());
        for ((may_send, ..), (_, allowed, owed)) in [(ours, theirs), (theirs, ours)] {
            assert_eq!((may_send, allowed), (window - owed, window - owed));
        }
        let mut numbers: Vec<u32> = (0..limits().max_calls)
            .filter_map(|_| {
                let nothing: Fill = |_| Ok(());
                let begun = self.client.call(&CallHead::default(), false, true, nothing);
                begun.expect("usable")
            })
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4], "all numbers are free again");
    }
}
