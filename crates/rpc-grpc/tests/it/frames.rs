//! HTTP/2 by hand: frames as somebody writes them who keeps no rule, and what comes back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const GET: &str = "/inventory.v1.Stock/Get";
/// `Get` of the item `x`, with the header of a message.
pub(crate) const MESSAGE: &[u8] = &[0, 0, 0, 0, 3, 10, 1, b'x'];

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header as HPACK writes it that keeps no table.
pub(crate) fn literal(name: &str, value: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    for text in [name.as_bytes(), value] {
        match text.len() {
            short @ ..127 => out.push(short as u8),
            long => {
                out.push(127);
                let mut rest = long - 127;
                while rest > 127 {
                    out.push(rest as u8 | 128);
                    rest >>= 7;
                }
                out.push(rest as u8);
            }
        }
        out.extend(text);
    }
    out
}

/// The headers of a call, and these.
pub(crate) fn head(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut head = vec![0x83, 0x86];
    head.extend(literal(":path", path.as_bytes()));
    head.extend(literal(":authority", b"localhost"));
    head.extend(literal("content-type", b"application/grpc"));
    for (name, value) in more {
        head.extend(literal(name, value.as_bytes()));
    }
    head
}

/// A connection that has greeted.
pub(crate) fn greeted(endpoint: &str) -> UnixStream {
    let path = endpoint.strip_prefix("unix:").expect("a path");
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time");
    stream.write_all(PREFACE).expect("room");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).expect("room");
    stream
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Whether its stream ends with it.
    pub(crate) const fn is_end(&self) -> bool {
        self.flags & END_STREAM != 0
    }
}

/// The whole frames among bytes.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, _, _, _, _, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some(payload) = rest.get(..length) else {
            break;
        };
        frames.push(Frame {
            kind: *kind,
            flags: *flags,
            payload: payload.to_vec(),
        });
        bytes = &rest[length..];
    }
    frames
}

/// A server's last word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Goodbye {
    pub(crate) last_stream: u32,
    pub(crate) reason: u32,
    pub(crate) text: Vec<u8>,
}

/// The last GOAWAY among frames, if there is one.
pub(crate) fn goodbye(bytes: &[u8]) -> Option<Goodbye> {
    let frames = frames(bytes);
    let payload = &frames.iter().rfind(|frame| frame.kind == GOAWAY)?.payload;
    let (last_stream, rest) = payload.split_first_chunk()?;
    let (reason, text) = rest.split_first_chunk()?;
    Some(Goodbye {
        last_stream: u32::from_be_bytes(*last_stream),
        reason: u32::from_be_bytes(*reason),
        text: text.to_vec(),
    })
}

/// Reads until the other side ends it, or until nothing comes for long; whether it has ended.
pub(crate) fn until_end(stream: &mut UnixStream) -> (Vec<u8>, bool) {
    let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (came, true),
            Ok(length) => came.extend(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return (came, false),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return (came, true),
        }
    }
}

/// What is sent as the n-th of a flood.
pub(crate) type Frames = fn(u32) -> Vec<u8>;

/// Sends the first `most` of what `what` says, as far as the server takes them; what it said, and
/// whether it ended the connection.
pub(crate) fn flood(endpoint: &str, what: Frames, most: u32) -> (Vec<u8>, bool) {
    let mut stream = greeted(endpoint);
    let mut reading = stream.try_clone().expect("a descriptor");
    // It has to be read meanwhile: a server waits for who takes nothing.
    let reader = std::thread::spawn(move || until_end(&mut reading));
    for first in (0..most).step_by(32) {
        let bytes: Vec<u8> = (first..most.min(first + 32)).flat_map(what).collect();
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
    reader.join().expect("no panic")
}

fn open(number: u32) -> (u32, Vec<u8>) {
    let stream = 2 * number + 1;
    let headers = frame(HEADERS, END_HEADERS, stream, &head(GET, &[]));
    (stream, headers)
}

/// Streams that the client resets, or has the server reset, and what the server says in the end:
/// some are such nonsense that it does not wait for many.
pub(crate) const RESETS: [(&str, Frames, u32); 8] = [
    (
        "a reset at once",
        |number| {
            let (stream, headers) = open(number);
            [headers, frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "a reset after the message",
        |number| {
            let (stream, headers) = open(number);
            let message = frame(DATA, 0, stream, MESSAGE);
            [headers, message, frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "a window of nothing more",
        |number| {
            let (stream, headers) = open(number);
            [headers, frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
        },
        PROTOCOL_ERROR,
    ),
    (
        "a window beyond all bounds",
        |number| {
            let (stream, headers) = open(number);
            let most = frame(WINDOW_UPDATE, 0, stream, &[0x7f, 255, 255, 255]);
            [headers, most].concat()
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "data after the end",
        |number| {
            let (stream, _) = open(number);
            let flags = END_HEADERS | END_STREAM;
            let headers = frame(HEADERS, flags, stream, &head(GET, &[]));
            [headers, frame(DATA, 0, stream, &[0])].concat()
        },
        PROTOCOL_ERROR,
    ),
    (
        "a stream that hangs on itself",
        |number| {
            let (stream, headers) = open(number);
            let own = [&stream.to_be_bytes()[..], &[1]].concat();
            [headers, frame(PRIORITY, 0, stream, &own)].concat()
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "a header that is none",
        |number| {
            let (stream, _) = open(number);
            let wrong = head(GET, &[("Upper", "case")]);
            frame(HEADERS, END_HEADERS, stream, &wrong)
        },
        PROTOCOL_ERROR,
    ),
    (
        "another length than was said",
        |number| {
            let (stream, _) = open(number);
            let wrong = head(GET, &[("content-length", "9")]);
            let headers = frame(HEADERS, END_HEADERS, stream, &wrong);
            [headers, frame(DATA, END_STREAM, stream, MESSAGE)].concat()
        },
        ENHANCE_YOUR_CALM,
    ),
];

/// Frames that ask or tell nothing of a request.
pub(crate) const FLOODS: [(&str, Frames, u32); 9] = [
    ("PING", |_| frame(PING, 0, 0, &[0; 8]), ENHANCE_YOUR_CALM),
    (
        "SETTINGS",
        |_| frame(SETTINGS, 0, 0, &[]),
        ENHANCE_YOUR_CALM,
    ),
    (
        "PRIORITY",
        |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]),
        ENHANCE_YOUR_CALM,
    ),
    (
        "WINDOW_UPDATE",
        |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        ENHANCE_YOUR_CALM,
    ),
    (
        "a stream's WINDOW_UPDATE",
        |number| match number {
            0 => open(0).1,
            _ => frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "empty DATA",
        |number| match number {
            0 => open(0).1,
            _ => frame(DATA, 0, 1, &[]),
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "DATA of padding",
        |number| match number {
            0 => open(0).1,
            _ => frame(DATA, PADDED, 1, &[0]),
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "CONTINUATION",
        |number| match number {
            0 => frame(HEADERS, 0, 1, &head(GET, &[])),
            _ => frame(CONTINUATION, 0, 1, &[]),
        },
        ENHANCE_YOUR_CALM,
    ),
    (
        "what nobody knows",
        |_| frame(99, 0, 0, &[]),
        ENHANCE_YOUR_CALM,
    ),
];
