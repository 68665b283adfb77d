//! What breaks the rules of HTTP/2, by hand: RFC 9113 sections 4 to 8, and HPACK.

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, MESSAGE, PADDED, PING,
    PRIORITY, RESET, SETTINGS, WINDOW_UPDATE, frame, head, literal,
};

/// The reasons of RFC 9113, section 7.
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;

/// What must come of it. Where the rules have a finer word the library may say PROTOCOL_ERROR,
/// which ends the same.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// The connection ends with one of these reasons.
    End(&'static [u32]),
    /// The stream, or the connection, ends with one of these.
    Reset(&'static [u32]),
    /// The stream is reset, or answered by a failure alone.
    Refused,
    /// It is answered, and a PING after it as well.
    Fine,
}
use Expect::{End, Fine, Refused, Reset};

fn open() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &head(GET, &[]))
}

/// A call that is whole.
fn call(stream: u32) -> Vec<u8> {
    let headers = frame(HEADERS, END_HEADERS, stream, &head(GET, &[]));
    [headers, frame(DATA, END_STREAM, stream, MESSAGE)].concat()
}

fn setting(number: u16, value: u32) -> Vec<u8> {
    let payload = [&number.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &payload)
}

/// A head of these entries alone, and a whole message.
fn only(entries: &[(&str, &str)]) -> Vec<u8> {
    let block = entries.iter().map(|(n, v)| literal(n, v.as_bytes()));
    let block = block.collect::<Vec<_>>().concat();
    let headers = frame(HEADERS, END_HEADERS, 1, &block);
    [headers, frame(DATA, END_STREAM, 1, MESSAGE)].concat()
}

/// A good head with one entry more.
fn with(name: &str, value: &str) -> Vec<u8> {
    let headers = frame(HEADERS, END_HEADERS, 1, &head(GET, &[(name, value)]));
    [headers, frame(DATA, END_STREAM, 1, MESSAGE)].concat()
}

const METHOD: (&str, &str) = (":method", "POST");
const SCHEME: (&str, &str) = (":scheme", "http");
const PATH: (&str, &str) = (":path", GET);
const GRPC: (&str, &str) = ("content-type", "application/grpc");

type Case = (&'static str, Vec<u8>, Expect);

/// What is sent after the greeting and the first SETTINGS.
pub(crate) fn cases() -> Vec<Case> {
    [
        framing(),
        streams(),
        frames_of_streams(),
        settings(),
        frames_of_connections(),
        headers(),
        pseudo_headers(),
    ]
    .concat()
}

/// Section 4: frames and the compression of headers.
fn framing() -> Vec<Case> {
    let large = |kind, stream| frame(kind, 0, stream, &vec![0; 16_385]);
    let mut bomb = vec![0x40];
    bomb.extend(&literal("x", &[b'a'; 3_000])[1..]);
    bomb.extend(vec![0xbe; 10_000]);
    vec![
        ("a good call", call(1), Fine),
        (
            "4.1 a kind that nobody knows",
            [frame(99, 255, 0, b"x"), call(1)].concat(),
            Fine,
        ),
        (
            "4.1 a flag that nobody knows",
            [frame(PING, 0xfe, 0, &[0; 8]), call(1)].concat(),
            Fine,
        ),
        (
            "4.2 DATA beyond the limit",
            [open(), large(DATA, 1)].concat(),
            End(&[FRAME_SIZE]),
        ),
        (
            "4.2 HEADERS beyond the limit",
            large(HEADERS, 1),
            End(&[FRAME_SIZE]),
        ),
        (
            "4.3 an index of nothing",
            frame(HEADERS, END_HEADERS, 1, &[0xff, 0]),
            End(&[COMPRESSION, PROTOCOL]),
        ),
        (
            "4.3 the index 0",
            frame(HEADERS, END_HEADERS, 1, &[0x80]),
            End(&[COMPRESSION, PROTOCOL]),
        ),
        (
            "4.3 half an entry",
            frame(HEADERS, END_HEADERS, 1, &[0, 5, b'x']),
            End(&[COMPRESSION, PROTOCOL]),
        ),
        (
            "4.3 a table beyond the limit",
            frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xe1, 0xff, 0x7f]),
            End(&[COMPRESSION, PROTOCOL]),
        ),
        (
            "4.3 a table that is a bomb",
            frame(HEADERS, END_HEADERS, 1, &bomb),
            Refused,
        ),
    ]
}

/// Section 5: the life of a stream.
fn streams() -> Vec<Case> {
    let block = head(GET, &[]);
    vec![
        (
            "5.1 DATA on a stream that never was",
            frame(DATA, 0, 1, b"x"),
            End(&[PROTOCOL, STREAM_CLOSED]),
        ),
        (
            "5.1 RST_STREAM on one",
            frame(RESET, 0, 1, &[0; 4]),
            End(&[PROTOCOL]),
        ),
        (
            "5.1 WINDOW_UPDATE on one",
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 8, 0]),
            End(&[PROTOCOL]),
        ),
        (
            "5.1 CONTINUATION on one",
            frame(CONTINUATION, END_HEADERS, 1, &block),
            End(&[PROTOCOL]),
        ),
        (
            "5.1 DATA after the end",
            [call(1), frame(DATA, 0, 1, b"x")].concat(),
            Reset(&[STREAM_CLOSED, PROTOCOL]),
        ),
        (
            "5.1 HEADERS after the end",
            [call(1), open()].concat(),
            Reset(&[STREAM_CLOSED, PROTOCOL]),
        ),
        (
            "5.1.1 a stream of the server",
            frame(HEADERS, END_HEADERS, 2, &block),
            End(&[PROTOCOL]),
        ),
        (
            "5.1.1 a number that goes back",
            [call(5), call(3)].concat(),
            End(&[PROTOCOL, STREAM_CLOSED]),
        ),
    ]
}

/// Section 6.1 to 6.4.
fn frames_of_streams() -> Vec<Case> {
    let block = head(GET, &[]);
    let (first, second) = block.split_at(20);
    vec![
        (
            "6.1 DATA on stream 0",
            frame(DATA, 0, 0, b"x"),
            End(&[PROTOCOL]),
        ),
        (
            "6.1 more padding than there is",
            [open(), frame(DATA, PADDED, 1, &[9, 1])].concat(),
            End(&[PROTOCOL]),
        ),
        (
            "6.2 HEADERS on stream 0",
            frame(HEADERS, END_HEADERS, 0, &block),
            End(&[PROTOCOL]),
        ),
        (
            "6.2 a frame between its parts",
            [frame(HEADERS, 0, 1, first), frame(PING, 0, 0, &[0; 8])].concat(),
            End(&[PROTOCOL]),
        ),
        (
            "6.2 another stream between",
            [frame(HEADERS, 0, 1, first), call(3)].concat(),
            End(&[PROTOCOL]),
        ),
        (
            "6.2 in two parts",
            [
                frame(HEADERS, 0, 1, first),
                frame(CONTINUATION, END_HEADERS, 1, second),
                frame(DATA, END_STREAM, 1, MESSAGE),
            ]
            .concat(),
            Fine,
        ),
        (
            "6.3 PRIORITY on stream 0",
            frame(PRIORITY, 0, 0, &[0; 5]),
            End(&[PROTOCOL]),
        ),
        (
            "6.3 PRIORITY of 4 bytes",
            [open(), frame(PRIORITY, 0, 1, &[0; 4])].concat(),
            Reset(&[FRAME_SIZE, PROTOCOL]),
        ),
        (
            "6.4 RST_STREAM on stream 0",
            frame(RESET, 0, 0, &[0; 4]),
            End(&[PROTOCOL]),
        ),
        (
            "6.4 RST_STREAM of 3 bytes",
            [open(), frame(RESET, 0, 1, &[0; 3])].concat(),
            End(&[FRAME_SIZE, PROTOCOL]),
        ),
    ]
}

/// Section 6.5.
fn settings() -> Vec<Case> {
    vec![
        (
            "6.5 SETTINGS on a stream",
            frame(SETTINGS, 0, 1, &[]),
            End(&[PROTOCOL]),
        ),
        (
            "6.5 SETTINGS of 5 bytes",
            frame(SETTINGS, 0, 0, &[0; 5]),
            End(&[FRAME_SIZE, PROTOCOL]),
        ),
        (
            "6.5 an answer that says something",
            frame(SETTINGS, 1, 0, &[0; 6]),
            End(&[FRAME_SIZE, PROTOCOL]),
        ),
        ("6.5.2 ENABLE_PUSH of 2", setting(2, 2), End(&[PROTOCOL])),
        (
            "6.5.2 a window of 2^31",
            setting(4, 1 << 31),
            End(&[FLOW_CONTROL, PROTOCOL]),
        ),
        (
            "6.5.2 frames of 16,383",
            setting(5, 16_383),
            End(&[PROTOCOL]),
        ),
        (
            "6.5.2 frames of 2^24",
            setting(5, 1 << 24),
            End(&[PROTOCOL]),
        ),
        (
            "6.5.2 what nobody knows",
            [setting(99, 7), call(1)].concat(),
            Fine,
        ),
    ]
}

/// Section 6.6 to 6.9.
fn frames_of_connections() -> Vec<Case> {
    vec![
        (
            "6.6 PUSH_PROMISE",
            [open(), frame(5, END_HEADERS, 1, &[0, 0, 0, 2, 0x82])].concat(),
            End(&[PROTOCOL]),
        ),
        (
            "6.7 PING on a stream",
            frame(PING, 0, 1, &[0; 8]),
            End(&[PROTOCOL]),
        ),
        (
            "6.7 PING of 6 bytes",
            frame(PING, 0, 0, &[0; 6]),
            End(&[FRAME_SIZE, PROTOCOL]),
        ),
        (
            "6.8 GOAWAY on a stream",
            frame(GOAWAY, 0, 1, &[0; 8]),
            End(&[PROTOCOL]),
        ),
        (
            "6.9 a window of nothing more",
            frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
            End(&[PROTOCOL]),
        ),
        (
            "6.9 a stream's of nothing more",
            [open(), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat(),
            Reset(&[PROTOCOL]),
        ),
        (
            "6.9 WINDOW_UPDATE of 3 bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
            End(&[FRAME_SIZE, PROTOCOL]),
        ),
        (
            "6.9.1 a window beyond 2^31",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]).repeat(2),
            End(&[FLOW_CONTROL]),
        ),
        (
            "6.9.1 a stream's beyond 2^31",
            [open(), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 255, 255])].concat(),
            Reset(&[FLOW_CONTROL]),
        ),
    ]
}

/// Section 8.1 and 8.2.
fn headers() -> Vec<Case> {
    vec![
        (
            "8.1 trailers that do not end",
            [open(), frame(HEADERS, END_HEADERS, 1, &literal("x", b"y"))].concat(),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.2 a name in capitals",
            with("X-Upper", "x"),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.2.2 a connection's own header",
            with("connection", "close"),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.2.2 transfer-encoding",
            with("transfer-encoding", "chunked"),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.2.2 te of another kind",
            with("te", "gzip"),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.1.1 a length that is not kept",
            with("content-length", "9"),
            Reset(&[PROTOCOL]),
        ),
    ]
}

/// Section 8.3.
fn pseudo_headers() -> Vec<Case> {
    vec![
        (
            "8.3 a pseudo-header that nobody knows",
            only(&[METHOD, SCHEME, PATH, (":other", "x"), GRPC]),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.3 one of an answer",
            only(&[METHOD, SCHEME, PATH, (":status", "200"), GRPC]),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.3 one after the others",
            only(&[METHOD, SCHEME, GRPC, PATH]),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.3.1 no method",
            only(&[SCHEME, PATH, GRPC]),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.3.1 no scheme",
            only(&[METHOD, PATH, GRPC]),
            Reset(&[PROTOCOL]),
        ),
        ("8.3.1 no path", only(&[METHOD, SCHEME, GRPC]), Refused),
        (
            "8.3.1 an empty path",
            only(&[METHOD, SCHEME, (":path", ""), GRPC]),
            Reset(&[PROTOCOL]),
        ),
        (
            "8.3.1 two methods",
            only(&[METHOD, METHOD, SCHEME, PATH, GRPC]),
            Reset(&[PROTOCOL]),
        ),
    ]
}
