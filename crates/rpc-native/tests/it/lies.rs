//! Bad input of every kind that a client could send, generated: each ends its connection with the
//! reason, or is answered, and then the connection goes on.

use crate::raw::{
    BIND, BOUND, CALL, CANCEL, CLOSE, CREDIT, DEADLINE, END, LAST, MESSAGE, METADATA, ONEWAY,
    RETURN, Raw, Serving, bind, bind_as, call, call_of, frame, hello, hello_of, metadata, text,
};
use crate::remote::PATIENCE;
use ipc_testkit::watchdog;
use rpc_core::{Code, Router};
use rpc_testkit::inventory::{STOCK_SERVICE, Shop, StockServer};
use std::sync::Arc;

/// How often each kind of input is made, each time with other numbers.
const ROUNDS: u64 = 80;

/// What must come.
enum Expect {
    /// The connection ends, with this reason.
    End(&'static str),
    /// These calls return, in any order, so; then another call does.
    Return(Vec<(u32, Code)>),
    /// The word on a service; then a call still returns.
    Word(u8),
}
use Expect::{End, Return, Word};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(u64::from(high - low) + 1) as u32
    }
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

type Case = (&'static str, fn(&mut Random) -> (Vec<u8>, Expect));

fn get(number: u32) -> Vec<u8> {
    call(number, "Get", LAST, &[&text("there")])
}

fn never(number: u32) -> Vec<u8> {
    call(number, "Get", LAST, &[&text("never")])
}

fn ok(number: u32) -> Expect {
    Return(vec![(number, Code::Ok)])
}

/// After the greeting and the name of the service. For both kinds of server.
const CASES: &[Case] = &[
    ("an unknown method", |r| {
        let method = std::iter::repeat_with(|| r.next() as u32);
        let unknown = method.into_iter().find(|id| STOCK_SERVICE.method(*id).is_none());
        let bytes = call_of(1, unknown.expect("nearly all"), LAST, &[]);
        (bytes, Return(vec![(1, Code::Unimplemented)]))
    }),
    ("a service that was never named", |r| {
        let mut bytes = get(1);
        bytes[12..14].copy_from_slice(&(2 + r.below(65_534) as u16).to_le_bytes());
        (bytes, Return(vec![(1, Code::FailedPrecondition)]))
    }),
    ("an unknown service", |r| {
        let name = format!("inventory.v{}.Stock", 2 + r.below(1 << 40));
        (bind_as(2, 1, &name, [0; 16]), Word(1))
    }),
    ("another contract", |r| {
        let mut other = [0; 16];
        other.copy_from_slice(&r.bytes(16));
        (bind_as(2, 1, STOCK_SERVICE.name(), other), Word(2))
    }),
    ("an unknown codec", |r| (bind(2, 3 + r.below(253) as u8, &STOCK_SERVICE), Word(3))),
    ("a service's number twice", |r| {
        let codec = 1 + r.below(2) as u8;
        (bind(1, codec, &STOCK_SERVICE), End("a service's number is in use"))
    }),
    ("a service's number out of bounds", |r| {
        let number = [0, 65 + r.below(65_470) as u16][r.below(2) as usize];
        let wrong = "a service's name or number is out of bounds";
        (bind(number, 1, &STOCK_SERVICE), End(wrong))
    }),
    ("a call's number in use", |r| {
        // A stream that has not ended is under way for sure.
        let many = r.between(1, 9) as usize;
        let bytes = [call(1, "Fill", 0, &[]), get(1).repeat(many)].concat();
        (bytes, End("a call's number is in use"))
    }),
    ("a captured call again", |r| {
        // Only when its number is free again is it another call, which its sender has made.
        let put = call(1, "Fill", 0, &[]);
        (put.repeat(r.between(2, 9) as usize), End("a call's number is in use"))
    }),
    ("call 0", |_| (get(0), End("a call that contradicts itself"))),
    ("a number beyond the next", |r| {
        let number = [r.between(2, 200), u32::MAX, 1 << 31][r.below(3) as usize];
        (get(number.max(2)), End("a call's number is beyond the next free one"))
    }),
    ("oneway with a number", |r| {
        let bytes = call(r.between(1, 9), "Note", LAST | ONEWAY, &[&text("x")]);
        (bytes, End("a call that contradicts itself"))
    }),
    ("a method of another kind", |r| {
        let method = ["Fill", "Look"][r.below(2) as usize];
        let bytes = call(1, method, LAST, &[&text("x")]);
        (bytes, Return(vec![(1, Code::InvalidArgument)]))
    }),
    ("frames of a server", |r| {
        let kind = [BOUND, RETURN, 12][r.below(3) as usize];
        let bytes = frame(kind, 0, r.between(0, 9), &r.bytes(9));
        (bytes, End("a client does not send this frame"))
    }),
    ("a frame for a call that never was", |r| {
        let kind = [MESSAGE, END, CANCEL, CREDIT][r.below(4) as usize];
        let bytes = frame(kind, 0, r.between(1, u32::MAX), &[9, 0, 0, 0]);
        (bytes, End("a frame for a call that never was"))
    }),
    ("no time left", |r| {
        let name = ["Get", "Put", "List"][r.below(3) as usize];
        let bytes = call(1, name, LAST | DEADLINE, &[&[0; 8], &text("there")]);
        (bytes, Return(vec![(1, Code::DeadlineExceeded)]))
    }),
    ("hardly time left", |r| {
        let micros = u64::from(r.between(1, 900)).to_le_bytes();
        let bytes = call(1, "Get", LAST | DEADLINE, &[&micros, &text("never")]);
        (bytes, Return(vec![(1, Code::DeadlineExceeded)]))
    }),
    ("time beyond all clocks", |r| {
        let micros = [1 << 63, u64::MAX, u64::MAX - r.below(1 << 40)][r.below(3) as usize];
        let time = micros.to_le_bytes();
        (call(1, "Get", LAST | DEADLINE, &[&time, &text("there")]), ok(1))
    }),
    ("metadata at its limit", |r| {
        let size = [8 << 10, (8 << 10) + 1, 16 << 10][r.below(3) as usize];
        let values = [r.bytes(size - 1)];
        (call(1, "Get", LAST | METADATA, &[&metadata(&values), &text("there")]), ok(1))
    }),
    ("metadata above its limit", |r| {
        let size = (16 << 10) + r.between(0, 4000) as usize;
        let values = [r.bytes(size)];
        let bytes = call(1, "Get", LAST | METADATA, &[&metadata(&values), &text("there")]);
        (bytes, End("metadata has a strange name, or too much of it"))
    }),
    ("ten thousand entries", |r| {
        let values = vec![Vec::new(); r.between(101, 10_000) as usize];
        let bytes = call(1, "Get", LAST | METADATA, &[&metadata(&values), &text("there")]);
        (bytes, End("metadata has a strange name, or too much of it"))
    }),
    ("metadata cut short", |r| {
        let length = r.between(1, u32::from(u16::MAX)) as u16;
        let bytes = call(1, "Get", LAST | METADATA, &[&length.to_le_bytes()]);
        (bytes, End("metadata is cut short"))
    }),
    ("a head cut short", |r| {
        let bytes = frame(CALL, LAST | r.below(8) as u8, 1, &r.bytes(r.0 as usize % 8));
        (bytes, End("a call's head is cut short"))
    }),
    ("a stream that ends twice", |r| {
        let items = frame(MESSAGE, 0, 1, &text("a")).repeat(r.between(0, 5) as usize);
        let ends = frame(END, 0, 1, &[]).repeat(2);
        let bytes = [call(1, "Fill", 0, &[]), items, ends].concat();
        (bytes, End("a stream that ends twice"))
    }),
    ("an item after the end", |r| {
        let item = frame(MESSAGE, 0, 1, &r.bytes(20));
        let bytes = [call(1, "Fill", 0, &[]), frame(END, 0, 1, &[]), item].concat();
        (bytes, End("an item after the last one"))
    }),
    ("the wrong codec", |r| {
        let json = br#"{"sku":"there"}"#;
        let bytes = call(1, "Get", LAST, &[&json[..json.len() - r.below(3) as usize]]);
        (bytes, Return(vec![(1, Code::InvalidArgument)]))
    }),
    ("the wrong codec, the other way", |_| {
        let mut call = get(1);
        call[12] = 2;
        (
            [bind(2, 2, &STOCK_SERVICE), call].concat(),
            Return(vec![(1, Code::InvalidArgument)]),
        )
    }),
    ("flags that nobody knows, such as compressed", |r| {
        let mut bytes = [get(1), frame(BIND, 0, 0, &[])][r.below(2) as usize].clone();
        bytes[5] |= [32, 64, 128][r.below(3) as usize];
        (bytes, End("a frame with a flag that its kind has not"))
    }),
    ("kinds that nobody knows", |r| {
        let kind = [0, r.between(14, 255) as u8][r.below(2) as usize];
        (frame(kind, 0, 0, &r.bytes(9)), End("a frame of no known kind"))
    }),
    ("bytes that are zero and are not", |r| {
        let mut bytes = get(1);
        bytes[6 + r.below(2) as usize] = r.between(1, 255) as u8;
        (bytes, End("a frame of no known kind"))
    }),
    ("credit for what was never sent", |r| {
        let bytes = r.between(1, u32::MAX).to_le_bytes();
        (frame(CREDIT, 0, 0, &bytes), End("a credit for what was never sent"))
    }),
    ("a second greeting", |_| (hello(), End("a connection begins with one greeting"))),
    ("a length beyond the limit", |r| {
        let mut bytes = get(1);
        let length = [r.between(5 << 20, u32::MAX), u32::MAX, 1 << 31][r.below(3) as usize];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        (bytes, End("a frame is longer than the limit"))
    }),
];

/// What only a server that does many things at a time can carry.
const AWAITED: &[Case] = &[
    ("interleaved streams", |r| {
        let many = r.between(2, 9);
        let mut bytes: Vec<u8> = (1..=many).flat_map(|n| call(n, "Fill", 0, &[])).collect();
        for _ in 0..r.between(1, 40) {
            bytes.extend(frame(MESSAGE, 0, r.between(1, many), &text("a")));
        }
        bytes.extend((1..=many).flat_map(|n| frame(END, 0, n, &[])));
        (bytes, Return((1..=many).map(|n| (n, Code::Ok)).collect()))
    }),
    ("cancelled before its end", |r| {
        let many = r.between(1, 9) as usize;
        let bytes = [never(1), frame(CANCEL, 0, 1, &[]).repeat(many)].concat();
        (bytes, Return(vec![(1, Code::Cancelled)]))
    }),
    ("a stream half closed, and one that stays open", |r| {
        let item = frame(MESSAGE, 0, 1, &text("a")).repeat(r.between(0, 9) as usize);
        let open = call(2, "Fill", 0, &[]);
        let bytes = [call(1, "Fill", 0, &[]), open, item, frame(END, 0, 1, &[])].concat();
        (bytes, ok(1))
    }),
];

fn router() -> Router {
    let shop = Shop::default();
    shop.shelves.lock().expect("ours").insert("there".into(), 1);
    Router::new().service(StockServer::new(Arc::new(shop)))
}

/// Sends the input and a call behind it, and compares what comes.
fn check(name: &str, raw: &mut Raw, (bytes, expect): (Vec<u8>, Expect)) {
    let prefix = [hello(), bind(1, 1, &STOCK_SERVICE)].concat();
    raw.send(&[prefix, bytes].concat());
    let mut wanted = match expect {
        End(reason) => {
            let came = loop {
                let came = raw.next_of_a_call().expect("a last word");
                // Calls before it may have returned.
                if came.kind == CLOSE {
                    break came;
                }
            };
            assert_eq!(String::from_utf8_lossy(&came.payload[1..]), reason, "{name}");
            assert_eq!(raw.next(), None, "{name}: it is over");
            return;
        }
        Word(word) => {
            let words: Vec<u8> = std::iter::from_fn(|| raw.next())
                .filter(|came| came.kind == BOUND)
                .map(|came| came.payload[2])
                .take(2)
                .collect();
            assert_eq!(words, [0, word], "{name}");
            Vec::new()
        }
        Return(calls) => calls,
    };
    let highest = wanted.iter().map(|(call, _)| *call).max();
    while !wanted.is_empty() {
        let came = raw.next_of_a_call().expect("a return");
        let code = Code::from_number(came.payload[0]);
        let at = wanted.iter().position(|wanted| *wanted == (came.call, code));
        wanted.swap_remove(at.unwrap_or_else(|| panic!("{name}: {came:?}, {code:?}")));
    }
    // The connection is well: the same number is free again.
    let probe = highest.unwrap_or(1);
    raw.send(&get(probe));
    let came = raw.next_of_a_call().expect("a return");
    assert_eq!((came.kind, came.call, came.payload[0]), (RETURN, probe, 0), "{name}");
}

#[test]
fn lies_end_their_connection_or_are_answered() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random(0x5eed);
    let (mut inputs, router) = (0, router());
    for serving in [Serving::awaited(), Serving::Blocking] {
        let both = CASES.iter();
        let cases = match &serving {
            Serving::Awaited(_) => both.chain(AWAITED),
            Serving::Blocking => both.chain(&[]),
        };
        for (name, make) in cases {
            for _ in 0..ROUNDS {
                let (mut raw, wire) = Raw::pair();
                let thread = serving.serve(router.clone(), wire);
                check(name, &mut raw, make(&mut random));
                drop(raw);
                thread.map(std::thread::JoinHandle::join);
                inputs += 1;
            }
        }
    }
    println!("{inputs} inputs");
    assert!(inputs >= 5_000);
}

#[test]
fn what_crosses_the_end_of_its_call_is_ignored() {
    let _watchdog = watchdog(PATIENCE);
    let (mut random, router) = (Random(9), router());
    for serving in [Serving::awaited(), Serving::Blocking] {
        let (mut raw, wire) = Raw::pair();
        let thread = serving.serve(router.clone(), wire);
        raw.send(&[hello(), bind(1, 1, &STOCK_SERVICE), get(1)].concat());
        for _ in 0..500 {
            let came = raw.next_of_a_call().expect("a return");
            assert_eq!((came.kind, came.call, came.payload[0]), (RETURN, 1, 0));
            for _ in 0..random.below(5) {
                let kind = [MESSAGE, END, CANCEL, CREDIT][random.below(4) as usize];
                raw.send(&frame(kind, 0, 1, &[1, 0, 0, 0]));
            }
            raw.send(&get(1));
        }
        drop(raw);
        thread.map(std::thread::JoinHandle::join);
    }
}

#[test]
fn strangers_and_other_versions_are_refused_before_anything_else() {
    let _watchdog = watchdog(PATIENCE);
    let (mut random, serving) = (Random(7), Serving::awaited());
    for round in 0..200_u16 {
        let (mut raw, wire) = Raw::pair();
        serving.serve(router(), wire);
        let (greeting, reason) = match round % 2 {
            0 => (hello_of(2 + round), "the peer speaks another version of this protocol"),
            _ => (frame(1, 0, 0, &random.bytes(24)), "the peer does not speak this protocol"),
        };
        raw.send(&[greeting, bind(1, 1, &STOCK_SERVICE), get(1)].concat());
        let came = raw.next_of_a_call().expect("a last word");
        assert_eq!(came.kind, CLOSE);
        assert_eq!(String::from_utf8_lossy(&came.payload[1..]), reason);
    }
}
