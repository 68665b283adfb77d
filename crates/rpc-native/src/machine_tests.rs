//! The two machines against each other, and against peers that lie.

mod credit;
mod endings;
mod violations;
mod whole_frames;

use crate::client_side::{self, ClientSide, Verdict};
use crate::frame::{self, CallHead, Hello, Kind, flag};
use crate::limits::Limits;
use crate::server_side::{self, Incoming, ServerSide};
use bytes::{BufMut, Bytes, BytesMut};
use rpc_core::{Code, Metadata, Status, TraceContext};
use std::time::{Duration, Instant};

pub(crate) type Fill = fn(&mut BytesMut) -> Result<(), Status>;

fn small() -> Limits {
    let mut limits = Limits::new();
    limits
        .max_calls(4)
        .max_message_bytes(1 << 16)
        .stream_credit_bytes(1 << 10)
        .connection_credit_bytes(1 << 12);
    limits
}

/// Both sides, greeted.
pub(crate) fn greeted() -> (ClientSide, ServerSide, Instant) {
    let now = Instant::now();
    let mut client = ClientSide::new(small(), now);
    let mut server = ServerSide::new(small(), now);
    assert!(to_server(&mut client, &mut server, now).is_empty());
    let events = to_client(&mut server, &mut client, now);
    assert!(matches!(events[..], [client_side::Event::Greeted]));
    (client, server, now)
}

pub(crate) fn to_server(
    client: &mut ClientSide,
    server: &mut ServerSide,
    now: Instant,
) -> Vec<server_side::Event> {
    let bytes = client.link.output.split();
    server.link.receive(&bytes, now);
    server_events(server, now).expect("no violation")
}

fn to_client(
    server: &mut ServerSide,
    client: &mut ClientSide,
    now: Instant,
) -> Vec<client_side::Event> {
    let bytes = server.link.output.split();
    client.link.receive(&bytes, now);
    client_events(client, now).expect("no violation")
}

fn server_events(server: &mut ServerSide, now: Instant) -> Result<Vec<server_side::Event>, Status> {
    let mut events = Vec::new();
    while let Some(event) = server.next_event(now)? {
        events.push(event);
    }
    Ok(events)
}

fn client_events(client: &mut ClientSide, now: Instant) -> Result<Vec<client_side::Event>, Status> {
    let mut events = Vec::new();
    while let Some(event) = client.next_event(now)? {
        events.push(event);
    }
    Ok(events)
}

pub(crate) fn head() -> CallHead {
    let mut metadata = Metadata::new();
    metadata.insert("tenant", b"blue").expect("short");
    CallHead {
        binding: 1,
        method: 7,
        timeout_micros: Some(1_500),
        trace: Some(TraceContext::root()),
        metadata,
    }
}

/// One frame of any kind, with any payload.
fn raw(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    frame::begin(&mut out, kind, flags, stream, |out| out.put_slice(payload));
    out
}

/// What a server says of bytes behind a good greeting: the text of its complaint.
fn complaint(bytes: &[u8]) -> Option<String> {
    let (_, mut server, now) = greeted();
    server.link.receive(bytes, now);
    let complaint = server_events(&mut server, now).err()?;
    assert!(server.link.ended.is_some());
    Some(complaint.message().to_owned())
}

fn call_frame(call: u32, flags: u8, message: &[u8]) -> BytesMut {
    let head = CallHead {
        binding: 1,
        method: 7,
        ..CallHead::default()
    };
    let mut out = BytesMut::new();
    frame::begin(&mut out, Kind::Call, flags, call, |out| {
        head.write(out);
        out.put_slice(message);
    });
    out
}
