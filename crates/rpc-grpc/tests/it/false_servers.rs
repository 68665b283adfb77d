//! Servers that lie: whatever one answers, a client's call ends with what that means, and never
//! hangs.

use crate::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, MESSAGE, PADDED, PING, RESET, SETTINGS,
    WINDOW_UPDATE, frame, literal,
};
use crate::shop::{PATIENCE, plain};
use ipc_testkit::{TempDir, watchdog};
use rpc_core::{Code, Context};
use rpc_testkit::inventory::StockClient;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

/// What must come of it.
#[derive(Debug)]
enum Expect {
    Answer,
    Code(Code),
    /// One of these.
    Any(&'static [Code]),
}
use Expect::{Answer, Any};

/// What comes of a stream or a connection that breaks.
const BROKEN: &[Code] = &[
    Code::Unavailable,
    Code::Internal,
    Code::Cancelled,
    Code::ResourceExhausted,
    Code::PermissionDenied,
    Code::Unknown,
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
    fn bytes(&mut self, length: u64) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
    /// Of printable letters, among them those of escapes, base64 and numbers.
    fn text(&mut self, length: u64) -> String {
        let letters = b"%%%0123456789abcdefABCDEF=/+ ,-_gz~";
        let one = |_| char::from(letters[self.below(letters.len() as u64) as usize]);
        (0..length).map(one).collect()
    }
}

/// The head of an answer, and these.
fn head(more: &[(&str, &str)]) -> Vec<u8> {
    let mut head = vec![0x88];
    head.extend(literal("content-type", b"application/grpc"));
    head.extend(trailers(more));
    frame(HEADERS, END_HEADERS, 1, &head)
}

fn trailers(entries: &[(&str, &str)]) -> Vec<u8> {
    let literals = entries
        .iter()
        .map(|(name, value)| literal(name, value.as_bytes()));
    literals.collect::<Vec<_>>().concat()
}

fn data(bytes: &[u8]) -> Vec<u8> {
    frame(DATA, 0, 1, bytes)
}

fn end(entries: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers(entries))
}

fn ok() -> Vec<u8> {
    end(&[("grpc-status", "0")])
}

/// All in one head, and nothing after it.
fn only(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut only = head(entries);
    only[4] |= END_STREAM;
    only
}

/// An item, as `Get` answers.
const ITEM: &[u8] = MESSAGE;

type Case = (&'static str, fn(&mut Random) -> (Vec<u8>, Expect));

const CASES: &[Case] = &[
    ("the truth", |_| {
        ([head(&[]), data(ITEM), ok()].concat(), Answer)
    }),
    ("a flag that nobody knows", |r| {
        let flagged = [&[2 + r.below(254) as u8][..], &ITEM[1..]].concat();
        let bytes = [head(&[]), data(&flagged), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("compressed by nothing", |_| {
        let flagged = [&[1][..], &ITEM[1..]].concat();
        let bytes = [head(&[]), data(&flagged), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("compressed junk", |r| {
        let name = ["gzip", "zstd"][r.below(2) as usize];
        let length = r.below(40) + 4;
        let junk = r.bytes(length);
        let message = [&[1, 0, 0, 0, junk.len() as u8][..], &junk].concat();
        let bytes = [head(&[("grpc-encoding", name)]), data(&message), ok()];
        (bytes.concat(), Expect::Code(Code::Internal))
    }),
    ("a bomb", |r| {
        let zeros = vec![0; (5 << 20) + r.below(1 << 20) as usize];
        let packed = zstd::bulk::compress(&zeros, 1).expect("in memory");
        let length = u32::try_from(packed.len()).expect("small").to_be_bytes();
        let message = [&[1][..], &length, &packed].concat();
        let bytes = [head(&[("grpc-encoding", "zstd")]), data(&message), ok()];
        (bytes.concat(), Expect::Code(Code::ResourceExhausted))
    }),
    ("a length beyond the limit", |r| {
        let length = (4 << 20) + 1 + r.below((1 << 32) - (4 << 20) - 1) as u32;
        let lie = [&[0][..], &length.to_be_bytes(), &[7; 10]].concat();
        let bytes = [head(&[]), data(&lie), ok()].concat();
        (bytes, Expect::Code(Code::ResourceExhausted))
    }),
    ("a length that is not kept", |r| {
        let length = 4 + r.below(4 << 20) as u32;
        let lie = [&[0][..], &length.to_be_bytes(), &ITEM[5..]].concat();
        let bytes = [head(&[]), data(&lie), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("half a header of a message", |r| {
        let cut = 1 + r.below(4) as usize;
        let bytes = [head(&[]), data(&ITEM[..cut]), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("no message", |_| {
        (
            [head(&[]), ok()].concat(),
            Expect::Code(Code::Unimplemented),
        )
    }),
    ("two messages", |r| {
        let many = ITEM.repeat(2 + r.below(5) as usize);
        let bytes = [head(&[]), data(&many), ok()].concat();
        (bytes, Expect::Code(Code::Unimplemented))
    }),
    ("no protobuf", |r| {
        let cut = [&[0, 0, 0, 0, 3, 10, 200][..], &r.bytes(1)].concat();
        let bytes = [head(&[]), data(&cut), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("trailers only", |r| {
        let number = 1 + r.below(16) as u8;
        let bytes = only(&[("grpc-status", &number.to_string())]);
        (bytes, Expect::Code(Code::from_number(number)))
    }),
    ("a status that nobody knows", |r| {
        let number = ["17", "255", "256", "-1", "x", "", "0x0", "99999999999"];
        let bytes = only(&[("grpc-status", number[r.below(8) as usize])]);
        (bytes, Expect::Code(Code::Unknown))
    }),
    ("no status", |_| {
        let bytes = [head(&[]), data(ITEM), end(&[("other", "x")])].concat();
        (bytes, Expect::Code(Code::Unknown))
    }),
    ("no trailers", |_| {
        let bytes = [head(&[]), frame(DATA, END_STREAM, 1, ITEM)].concat();
        (bytes, Expect::Code(Code::Unknown))
    }),
    ("a text of junk", |r| {
        let length = r.below(300);
        let text = r.text(length);
        let bytes = only(&[("grpc-status", "5"), ("grpc-message", text.trim())]);
        (bytes, Expect::Code(Code::NotFound))
    }),
    ("details of junk", |r| {
        let length = r.below(300);
        let text = r.text(length);
        let bytes = only(&[
            ("grpc-status", "8"),
            ("grpc-status-details-bin", text.trim()),
        ]);
        (bytes, Expect::Code(Code::ResourceExhausted))
    }),
    ("a push-back of junk", |r| {
        let length = r.below(12);
        let text = r.text(length);
        let bytes = only(&[
            ("grpc-status", "14"),
            ("grpc-retry-pushback-ms", text.trim()),
        ]);
        (bytes, Expect::Code(Code::Unavailable))
    }),
    ("bad base64 before the answer", |r| {
        let bad = format!("?{}", r.below(1 << 40));
        let bytes = [head(&[("key-bin", &bad)]), data(ITEM), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("bad base64 after the answer", |r| {
        let bad = format!("?{}", r.below(1 << 40));
        let last = end(&[("grpc-status", "0"), ("key-bin", &bad)]);
        let bytes = [head(&[]), data(ITEM), last].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("an encoding that was not offered", |r| {
        let name = ["snappy", "deflate", "br", "GZIP", ""][r.below(5) as usize];
        let bytes = [head(&[("grpc-encoding", name)]), data(ITEM), ok()].concat();
        (bytes, Expect::Code(Code::Internal))
    }),
    ("another protocol", |r| {
        let name = ["text/html", "application/json", "grpc", ""][r.below(4) as usize];
        let mut head = vec![0x88];
        head.extend(literal("content-type", name.as_bytes()));
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head);
        (bytes, Expect::Code(Code::Unknown))
    }),
    ("a status of HTTP", |r| {
        let number = 300 + r.below(300) as u16;
        let head = literal(":status", number.to_string().as_bytes());
        let bytes = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head);
        let code = match number {
            400 => Code::Internal,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::Unimplemented,
            429 | 502..=504 => Code::Unavailable,
            431 => Code::ResourceExhausted,
            _ => Code::Unknown,
        };
        (bytes, Expect::Code(code))
    }),
    ("padding", |r| {
        let pad = r.below(200) as u8;
        let padded = [&[pad][..], ITEM, &vec![0; usize::from(pad)]].concat();
        let bytes = [head(&[]), frame(DATA, PADDED, 1, &padded), ok()].concat();
        (bytes, Answer)
    }),
    ("a message in crumbs", |r| {
        let size = 1 + r.below(3) as usize;
        let crumbs = ITEM.chunks(size).flat_map(data).collect();
        ([head(&[]), crumbs, ok()].concat(), Answer)
    }),
    ("more padding than there is", |_| {
        let bytes = [head(&[]), frame(DATA, PADDED, 1, &[200, 1, 2])].concat();
        (bytes, Any(BROKEN))
    }),
    ("a reset", |r| {
        let reason = (r.below(16) as u32).to_be_bytes();
        (frame(RESET, 0, 1, &reason), Any(BROKEN))
    }),
    ("a goodbye", |r| {
        let reason = (r.below(16) as u32).to_be_bytes();
        let last = (r.below(3) as u32).to_be_bytes();
        let bytes = frame(GOAWAY, 0, 0, &[last, reason].concat());
        (bytes, Any(BROKEN))
    }),
    ("a table that is a bomb", |r| {
        // One entry of 3,000 bytes, and then its index, a thousand times and more.
        let mut block = vec![0x88, 0x40];
        block.extend(&literal("x", &[b'a'; 3_000])[1..]);
        block.extend(std::iter::repeat_n(0xbe, 1_000 + r.below(3_000) as usize));
        (frame(HEADERS, END_HEADERS, 1, &block), Any(BROKEN))
    }),
    ("an index of nothing", |r| {
        let block = [0x88, [0x80, 0xbf + r.below(60) as u8][r.below(2) as usize]];
        (frame(HEADERS, END_HEADERS, 1, &block), Any(BROKEN))
    }),
    ("too many headers", |r| {
        let value = "v".repeat(100);
        let many: Vec<_> = (0..200 + r.below(100)).map(|n| format!("h{n}")).collect();
        let entries: Vec<_> = many.iter().map(|name| (&name[..], &value[..])).collect();
        let whole = trailers(&entries);
        let mut bytes = frame(HEADERS, 0, 1, &[&[0x88], &whole[..16_000]].concat());
        bytes.extend(frame(9, END_HEADERS, 1, &whole[16_000..]));
        (bytes, Any(BROKEN))
    }),
    ("a frame beyond the limit", |r| {
        let length = (16_385 + r.below(1 << 20) as u32).to_be_bytes();
        let bytes = [&length[1..], &[DATA, 0, 0, 0, 0, 1], &[0; 64]].concat();
        (bytes, Any(BROKEN))
    }),
    ("a frame of the wrong length", |r| {
        let kind = [PING, SETTINGS, WINDOW_UPDATE, RESET, GOAWAY][r.below(5) as usize];
        let length = 1 + r.below(3);
        let junk = r.bytes(length);
        let stream = u32::from([RESET, WINDOW_UPDATE].contains(&kind));
        (frame(kind, 0, stream, &junk), Any(BROKEN))
    }),
    ("what a client would send", |r| {
        let stream = 2 * r.below(100) as u32 + 3;
        (frame(HEADERS, END_HEADERS, stream, &[0x83]), Any(BROKEN))
    }),
    ("noise, and the end", |r| {
        let length = 9 + r.below(200);
        (r.bytes(length), Any(BROKEN))
    }),
];

/// Answers each connection's first call by the next lie, and ends the connection.
fn lie(listener: &UnixListener, lies: Vec<Vec<u8>>) {
    for bytes in lies {
        let (mut stream, _) = listener.accept().expect("a client");
        read_call(&mut stream);
        let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[]));
        let _ = stream.write_all(&bytes);
        // Bytes that nobody reads would make a reset of the end.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// Until the head of the first call and its message have come.
fn read_call(stream: &mut UnixStream) {
    let mut seen = Vec::new();
    let has = |seen: &[u8], kind| {
        let starts = seen.windows(9);
        starts
            .into_iter()
            .any(|nine: &[u8]| nine[3] == kind && nine[5..] == [0, 0, 0, 1])
    };
    while !has(&seen, HEADERS) || !has(&seen, DATA) {
        let mut some = [0; 4096];
        let length = stream.read(&mut some).expect("frames");
        assert_ne!(length, 0, "the client has gone");
        seen.extend(&some[..length]);
    }
}

#[tokio::test]
async fn two_thousand_lies_of_servers_end_their_calls() {
    let _watchdog = watchdog(PATIENCE);
    let mut random = Random(0x6007_5eed);
    let mut told: Vec<_> = (0..2_000)
        .map(|number| {
            let (name, case) = CASES[number % CASES.len()];
            let (bytes, expect) = case(&mut random);
            (name, bytes, expect)
        })
        .collect();
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = UnixListener::bind(&path).expect("a free path");
    let lies = told
        .iter_mut()
        .map(|(_, bytes, _)| std::mem::take(bytes))
        .collect();
    let server = std::thread::spawn(move || lie(&listener, lies));
    let endpoint = format!("unix:{}", path.display());
    for (number, (name, _, expect)) in told.iter().enumerate() {
        let connection = plain().connect(&endpoint).await.expect("it listens");
        let stock = StockClient::new(connection);
        let got = stock.get(&Context::new(), "x".into()).await;
        let good = match (expect, &got) {
            (Answer, Ok(item)) => item.sku == "x",
            (Expect::Code(code), Err(status)) => status.code() == *code,
            (Any(codes), Err(status)) => codes.contains(&status.code()),
            _ => false,
        };
        assert!(good, "{number}: {name}: {got:?} instead of {expect:?}");
    }
    server.join().expect("no panic");
}
