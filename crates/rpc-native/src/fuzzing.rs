//! The machines and decoders as functions of bytes, for fuzz targets and seeded tests: each panics
//! where a promise is broken.

mod pair;

use crate::client_side::{self, ClientSide, Verdict};
use crate::frame::{self, CallHead, HEADER_BYTES, Hello, Kind, OVERHEAD_BYTES, flag};
use crate::limits::Limits;
use crate::link::Link;
use crate::server_side::{self, ServerSide};
use bytes::{BufMut, Bytes, BytesMut};
use rpc_core::{Contract, Metadata, Status};
use std::time::Instant;

pub use pair::pair;

type Fill = fn(&mut BytesMut) -> Result<(), Status>;

/// Small ones, so that few bytes reach them.
fn limits() -> Limits {
    let mut limits = Limits::new();
    limits
        .max_calls(4)
        .max_message_bytes(1 << 10)
        .stream_credit_bytes(256)
        .connection_credit_bytes(1 << 10)
        .max_oneways(2);
    limits
}

fn greeting() -> BytesMut {
    let mut bytes = BytesMut::new();
    let hello = Hello {
        max_calls: 4,
        max_message_bytes: 1 << 10,
        stream_credit: 256,
        connection_credit: 1 << 10,
    };
    hello.write(&mut bytes);
    bytes
}

/// Input as it comes in pieces: the first byte says how it is cut, and whether the peer greets
/// well before it.
fn pieces(data: &[u8]) -> Vec<Bytes> {
    let Some((&how, bytes)) = data.split_first() else {
        return Vec::new();
    };
    let mut pieces = Vec::new();
    if how & 1 == 0 {
        pieces.push(greeting().freeze());
    }
    let size = match how >> 1 {
        0 => bytes.len().max(1),
        size => usize::from(size),
    };
    pieces.extend(bytes.chunks(size).map(Bytes::copy_from_slice));
    pieces
}

/// A client that sends what it likes: the server's machine survives, keeps its limits, and says
/// only what it may.
pub fn server(data: &[u8]) {
    let now = Instant::now();
    let mut server = ServerSide::new(limits(), now);
    let (mut running, mut turn) = (Vec::new(), 0_u32);
    for piece in pieces(data) {
        server.link.receive(&piece, now);
        while let Ok(Some(event)) = server.next_event(now) {
            turn += 1;
            serve(&mut server, &mut running, event, turn);
            assert!(server.under_way <= 4 + 2, "more calls than the limit");
            assert!(running.len() <= 4 + 2);
        }
        check(&mut server.link, &piece, |kind| {
            !matches!(kind, Kind::Bind | Kind::Call | Kind::End | Kind::Cancel)
        });
    }
}

fn serve(server: &mut ServerSide, running: &mut Vec<u32>, event: server_side::Event, turn: u32) {
    let short: Fill = |out| {
        out.put_slice(b"ok");
        Ok(())
    };
    match event {
        server_side::Event::Bind { binding, .. } => server.bound(binding, Verdict::Good, "text"),
        server_side::Event::Call(incoming) if incoming.call == 0 && turn.is_multiple_of(2) => {
            server.oneway_done(incoming.cost);
        }
        server_side::Event::Call(incoming) if incoming.call > 0 => running.push(incoming.call),
        server_side::Event::Message(call, item) => {
            assert!(server.runs(call), "an item of a call that is over");
            server.consumed(call, item.len());
            let _ = server.message(call, short);
        }
        server_side::Event::Cancelled(call) | server_side::Event::End(call) => {
            assert!(running.contains(&call), "the end of a call that is over");
            running.retain(|other| *other != call);
            server.finish(call, &Metadata::new(), Ok(short));
        }
        _ => {}
    }
}

/// A server that sends what it likes: the client's machine survives, and says only what it may.
pub fn client(data: &[u8]) {
    let now = Instant::now();
    let mut client = ClientSide::new(limits(), now);
    let nothing: Fill = |_| Ok(());
    let mut began = false;
    for piece in pieces(data) {
        client.link.receive(&piece, now);
        loop {
            if client.link.theirs.is_some() && !std::mem::replace(&mut began, true) {
                client.bind("a.Service", [7; 16], 1);
                for end in [true, false, true] {
                    let begun = client.call(&CallHead::default(), false, end, nothing);
                    if let Ok(Some(call)) = begun {
                        let _ = client.message(call, nothing);
                    }
                }
                client.cancel(3);
            }
            match client.next_event(now) {
                Ok(Some(event)) => react(&mut client, event),
                Ok(None) | Err(_) => break,
            }
        }
        check(&mut client.link, &piece, |kind| {
            !matches!(kind, Kind::Bound | Kind::Return | Kind::Drain)
        });
    }
}

fn react(client: &mut ClientSide, event: client_side::Event) {
    match event {
        client_side::Event::Message(call, item) => {
            assert!(call == 1 || call == 2, "an item of a call that is given up");
            client.consumed(call, item.len());
        }
        client_side::Event::Returned(call, _) => client.release(call),
        client_side::Event::Bound(binding, ..) => assert_eq!(binding, 1),
        _ => {}
    }
}

/// Memory follows what has come, an end is final, and all that is said is whole frames.
fn check(link: &mut Link, piece: &[u8], may_say: impl Fn(Kind) -> bool) {
    let most = (1 << 10) + OVERHEAD_BYTES + HEADER_BYTES + piece.len();
    assert!(link.input.len() <= most, "it keeps more than a frame");
    if let Some(ended) = link.ended.clone() {
        let again = link.next_frame(Instant::now()).map(|_| ());
        assert_eq!(again.map_err(|status| status.code()), Err(ended.code()));
    }
    let said = link.output.split();
    let mut rest = &said[..];
    while let Some((header, after)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let [a, b, c, d, kind, _, 0, 0, ..] = *header else {
            panic!("a header without its zeros");
        };
        let kind = Kind::from_number(kind).expect("a known kind");
        assert!(may_say(kind), "{kind:?} from the wrong side");
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        rest = after.get(length..).expect("a whole frame");
    }
    assert!(rest.is_empty(), "half a frame");
}

/// Heads, metadata, failures and greetings of strangers: what is understood is written as it was
/// read, and read again as the same.
pub fn decode(data: &[u8]) {
    let Some((&flags, bytes)) = data.split_first() else {
        return;
    };
    let input = Bytes::copy_from_slice(bytes);
    let mut rest = input.clone();
    if let Ok(head) = CallHead::read(flags, &mut rest) {
        let mut written = BytesMut::new();
        head.write(&mut written);
        assert!(written.len() <= input.len(), "it grew");
        let again = CallHead::read(head.flags(), &mut written.freeze());
        assert_eq!(again.as_ref(), Ok(&head));
    }
    let mut rest = input.clone();
    if flags & flag::METADATA != 0
        && let Ok(metadata) = frame::read_metadata(&mut rest)
    {
        assert!(metadata.len() <= Metadata::MAX_ENTRIES);
        let bytes: usize = metadata.iter().map(|(n, v)| n.len() + v.len()).sum();
        assert!(bytes <= Metadata::MAX_BYTES);
    }
    if let Ok(status) = frame::read_failure(flags, input.clone()) {
        let mut written = BytesMut::new();
        frame::write_failure(&status, &mut written);
        let mut written = written.freeze();
        let code = written.split_to(1)[0];
        let again = frame::read_failure(code, written).expect("our own");
        assert_eq!(again.code(), status.code());
    }
    if let Ok(hello) = Hello::read(input.clone()) {
        assert!(hello.max_calls > 0 && hello.stream_credit > 0 && hello.connection_credit > 0);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(contract) = Contract::parse(text)
    {
        let text = contract.text();
        let again = Contract::parse(&text).expect("our own text");
        assert_eq!(
            (again.text(), again.fingerprint()),
            (text, contract.fingerprint())
        );
        let _ = contract.compare(&again).to_string();
    }
}
