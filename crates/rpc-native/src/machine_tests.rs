//! The two machines against each other, and against peers that lie.

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

#[test]
fn a_call_arrives_whole_however_its_bytes_are_cut() {
    let (mut client, _, now) = greeted();
    let head = head();
    let fill = |out: &mut BytesMut| {
        out.put_slice(b"the message");
        Ok(())
    };
    let call = client.call(&head, false, true, fill).expect("usable");
    assert_eq!(call, Some(1));
    let bytes = client.link.output.split();
    for cut in 0..=bytes.len() {
        let (_, mut server, _) = greeted();
        let mut events = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            server.link.receive(part, now);
            events.extend(server_events(&mut server, now).expect("no violation"));
        }
        let [
            server_side::Event::Call(Incoming {
                call: 1,
                head: came,
                message: Some(message),
                ..
            }),
        ] = &events[..]
        else {
            panic!("cut at {cut}: {events:?}");
        };
        assert_eq!((came, &message[..]), (&head, &b"the message"[..]));
    }
}

#[test]
fn a_return_arrives_whole_byte_by_byte_with_all_it_says() {
    let (mut client, mut server, now) = greeted();
    let nothing: Fill = |_| Ok(());
    client.call(&head(), false, true, nothing).expect("usable");
    to_server(&mut client, &mut server, now);
    let failure = Status::new(Code::Unavailable, "later")
        .before_running()
        .retry_after_millis(40)
        .detail("t/a", vec![1, 2]);
    server.finish(1, &Metadata::new(), Err::<Fill, _>(failure.clone()));
    let mut events = Vec::new();
    for byte in server.link.output.split() {
        client.link.receive(&[byte], now);
        events.extend(client_events(&mut client, now).expect("no violation"));
    }
    let [client_side::Event::Returned(1, Err(came))] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*came, failure);
    // Its number is not used again before the caller has seen the end.
    assert_eq!(client.call(&head(), false, true, nothing), Ok(Some(2)));
    client.release(1);
    assert_eq!(client.call(&head(), false, true, nothing), Ok(Some(1)));
}

#[test]
fn lying_lengths_end_the_connection_before_memory_is_taken() {
    for length in [0x0100_0000_u32, 1 << 31, u32::MAX] {
        let mut bytes = call_frame(1, flag::END, b"");
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes.truncate(frame::HEADER_BYTES + 8);
        let said = complaint(&bytes).expect("a violation");
        assert_eq!(said, "a frame is longer than the limit");
    }
    // Below the limit it waits for bytes, and takes memory as they come.
    let mut bytes = call_frame(1, flag::END, b"");
    bytes[..4].copy_from_slice(&(1u32 << 16).to_le_bytes());
    let (_, mut server, now) = greeted();
    server.link.receive(&bytes, now);
    assert!(
        server_events(&mut server, now)
            .expect("it waits")
            .is_empty()
    );
    assert!(server.link.input.capacity() < 1 << 12);
}

#[test]
fn every_contradiction_is_a_violation() {
    let too_long = call_frame(1, flag::END, &vec![0; (1 << 16) + 1]);
    let cases: [(&str, BytesMut, &str); 16] = [
        (
            "second greeting",
            raw(Kind::Hello, 0, 0, &[0; 24]),
            "a connection begins with one greeting",
        ),
        (
            "number 0",
            call_frame(0, flag::END, b""),
            "a call that contradicts itself",
        ),
        (
            "oneway with a number",
            call_frame(1, flag::END | flag::ONEWAY, b""),
            "a call that contradicts itself",
        ),
        (
            "oneway stream",
            call_frame(0, flag::ONEWAY, b""),
            "a call that contradicts itself",
        ),
        (
            "stream with a message",
            call_frame(1, 0, b"x"),
            "a call that contradicts itself",
        ),
        (
            "a gap in numbers",
            call_frame(3, flag::END, b""),
            "a call's number is beyond the next free one",
        ),
        (
            "beyond all numbers",
            call_frame(u32::MAX, flag::END, b""),
            "a call's number is beyond the next free one",
        ),
        ("too long", too_long, "a message is longer than the limit"),
        (
            "item of nothing",
            raw(Kind::Message, 0, 1, b"x"),
            "a frame for a call that never was",
        ),
        (
            "end of nothing",
            raw(Kind::End, 0, 9, b""),
            "a frame for a call that never was",
        ),
        (
            "cancel of nothing",
            raw(Kind::Cancel, 0, 0, b""),
            "a frame for a call that never was",
        ),
        (
            "credit of nothing",
            raw(Kind::Credit, 0, 5, &[1, 0, 0, 0]),
            "a frame for a call that never was",
        ),
        (
            "credit out of thin air",
            raw(Kind::Credit, 0, 0, &[1, 0, 0, 0]),
            "a credit for what was never sent",
        ),
        (
            "short call",
            raw(Kind::Call, 0, 1, b"abc"),
            "a call's head is cut short",
        ),
        (
            "a server's frame",
            raw(Kind::Return, 0, 1, b"\0"),
            "a client does not send this frame",
        ),
        (
            "short name",
            raw(Kind::Bind, 0, 0, b"abc"),
            "a service's name is cut short",
        ),
    ];
    for (name, bytes, wrong) in cases {
        assert_eq!(complaint(&bytes).as_deref(), Some(wrong), "{name}");
    }
}

#[test]
fn what_comes_twice_or_too_late_is_a_violation() {
    let mut twice = call_frame(1, flag::END, b"");
    twice.extend_from_slice(&call_frame(1, flag::END, b""));
    assert_eq!(
        complaint(&twice).as_deref(),
        Some("a call's number is in use")
    );
    let mut late = call_frame(1, flag::END, b"");
    late.extend_from_slice(&raw(Kind::Message, 0, 1, b"x"));
    assert_eq!(
        complaint(&late).as_deref(),
        Some("an item after the last one")
    );
    let mut ends = call_frame(1, 0, b"");
    ends.extend_from_slice(&raw(Kind::End, 0, 1, b""));
    ends.extend_from_slice(&raw(Kind::End, 0, 1, b""));
    assert_eq!(
        complaint(&ends).as_deref(),
        Some("a stream that ends twice")
    );
}

#[test]
fn a_duplicate_return_and_one_of_an_unknown_call_end_the_client() {
    for duplicate in [true, false] {
        let (mut client, mut server, now) = greeted();
        let nothing: Fill = |_| Ok(());
        client.call(&head(), false, true, nothing).expect("usable");
        to_server(&mut client, &mut server, now);
        server.finish(1, &Metadata::new(), Ok(nothing));
        let mut bytes = server.link.output.split();
        bytes.extend_from_slice(&raw(Kind::Return, 0, if duplicate { 1 } else { 77 }, b"\0"));
        client.link.receive(&bytes, now);
        let mut outcome = Ok(Vec::new());
        while outcome.is_ok() {
            outcome = client
                .next_event(now)
                .map(|event| event.into_iter().collect());
            if outcome.as_ref().is_ok_and(Vec::is_empty) {
                panic!("no violation");
            }
        }
    }
}

#[test]
fn a_stream_waits_for_credit_and_more_than_credit_is_a_violation() {
    let (mut client, mut server, now) = greeted();
    let nothing: Fill = |_| Ok(());
    client.call(&head(), false, false, nothing).expect("usable");
    let fill: Fill = |out| {
        out.put_slice(&[7; 500]);
        Ok(())
    };
    // 1,024 bytes of credit: two fit, the third overdraws, the fourth waits.
    for sent in [true, true, false] {
        assert_eq!(client.message(1, fill), Ok(sent));
    }
    let events = to_server(&mut client, &mut server, now);
    assert_eq!(events.len(), 3);
    server.consumed(1, 500);
    server.consumed(1, 500);
    let events = to_client(&mut server, &mut client, now);
    assert!(
        matches!(events[..], [client_side::Event::Credit(1), ..]),
        "{events:?}"
    );
    assert_eq!(client.message(1, fill), Ok(true));
    // A peer that does not wait is told so.
    let mut flood = call_frame(1, 0, b"");
    for _ in 0..4 {
        flood.extend_from_slice(&raw(Kind::Message, 0, 1, &[7; 500]));
    }
    let said = complaint(&flood).expect("a violation");
    assert_eq!(said, "the peer sent more than its credit");
}

#[test]
fn a_cancelled_call_is_over_when_the_server_says_so() {
    let (mut client, mut server, now) = greeted();
    let nothing: Fill = |_| Ok(());
    client.call(&head(), false, true, nothing).expect("usable");
    client.release(1);
    let events = to_server(&mut client, &mut server, now);
    assert!(
        matches!(events[..], [_, server_side::Event::Cancelled(1)]),
        "{events:?}"
    );
    assert_eq!(
        client.call(&head(), false, true, nothing),
        Ok(Some(2)),
        "1 is still in use"
    );
    server.finish(
        1,
        &Metadata::new(),
        Err::<Fill, _>(Status::bare(Code::Cancelled)),
    );
    assert!(
        to_client(&mut server, &mut client, now).is_empty(),
        "nobody waits for it"
    );
    assert_eq!(client.freed, 1);
    assert_eq!(client.call(&head(), false, true, nothing), Ok(Some(1)));
}

#[test]
fn calls_beyond_the_limit_wait_and_too_large_messages_are_refused_alone() {
    let (mut client, _, _) = greeted();
    let nothing: Fill = |_| Ok(());
    let large: Fill = |out| {
        out.put_bytes(0, (1 << 16) + 1);
        Ok(())
    };
    let refused = client
        .call(&head(), false, true, large)
        .expect_err("too large");
    assert!(refused.code() == Code::ResourceExhausted && refused.did_not_run());
    for call in 1..=4 {
        assert_eq!(client.call(&head(), false, true, nothing), Ok(Some(call)));
    }
    assert_eq!(client.call(&head(), false, true, nothing), Ok(None));
}

#[test]
fn oneway_calls_beyond_the_limit_are_dropped_and_counted() {
    let now = Instant::now();
    let mut server = ServerSide::new(small().max_oneways(2).clone(), now);
    let mut client = ClientSide::new(small(), now);
    to_server(&mut client, &mut server, now);
    to_client(&mut server, &mut client, now);
    let nothing: Fill = |_| Ok(());
    for _ in 0..5 {
        assert_eq!(client.call(&head(), true, true, nothing), Ok(Some(0)));
    }
    assert_eq!(to_server(&mut client, &mut server, now).len(), 2);
    assert_eq!(server.dropped_oneways, 3);
}

#[test]
fn a_draining_server_refuses_what_comes_and_finishes_what_runs() {
    let (mut client, mut server, now) = greeted();
    let nothing: Fill = |_| Ok(());
    client.call(&head(), false, true, nothing).expect("usable");
    to_server(&mut client, &mut server, now);
    server.link.drain();
    // This one crosses the word of the end.
    client.call(&head(), false, true, nothing).expect("usable");
    assert!(to_server(&mut client, &mut server, now).is_empty());
    server.finish(1, &Metadata::new(), Ok(nothing));
    let events = to_client(&mut server, &mut client, now);
    let [
        client_side::Event::Draining,
        client_side::Event::Returned(2, Err(refused)),
        client_side::Event::Returned(1, Ok(_)),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert!(refused.code() == Code::Unavailable && refused.did_not_run());
    let error = client
        .call(&head(), false, true, nothing)
        .expect_err("it ends");
    assert!(error.did_not_run());
}

#[test]
fn the_clock_ends_what_dawdles_and_asks_what_is_silent() {
    let now = Instant::now();
    let mut silent = ServerSide::new(small(), now);
    silent.link.tick(now + Duration::from_secs(6));
    assert!(silent.link.ended.is_some(), "no greeting");

    let (_, mut server, now) = greeted();
    server.link.receive(&[1, 2, 3], now);
    assert!(
        server_events(&mut server, now)
            .expect("it waits")
            .is_empty()
    );
    server.link.tick(now + Duration::from_secs(9));
    assert!(server.link.ended.is_none());
    server.link.tick(now + Duration::from_secs(11));
    assert!(server.link.ended.is_some(), "a frame that never ends");

    let every = Duration::from_secs(10);
    let mut client = ClientSide::new(small().keep_alive(Some(every)).clone(), now);
    let mut server = ServerSide::new(small(), now);
    to_server(&mut client, &mut server, now);
    to_client(&mut server, &mut client, now);
    client.link.tick(now + every);
    assert!(to_server(&mut client, &mut server, now).is_empty());
    assert!(
        to_client(&mut server, &mut client, now + every).is_empty(),
        "a pong"
    );
    client.link.tick(now + every * 2);
    assert!(client.link.ended.is_none(), "it has answered");
    client.link.tick(now + every * 3);
    assert!(client.link.ended.is_some(), "it does not answer");
}

#[test]
fn a_flood_of_pings_ends_the_connection() {
    let mut flood = BytesMut::new();
    for _ in 0..=Limits::MAX_IDLE_FRAMES {
        flood.extend_from_slice(&raw(Kind::Ping, 0, 0, &[0; 8]));
    }
    let said = complaint(&flood).expect("a violation");
    assert_eq!(said, "too many frames that do nothing");
}

#[test]
fn a_stranger_and_another_version_are_refused() {
    let now = Instant::now();
    let mut hello = BytesMut::new();
    let limits = Hello {
        max_calls: 1,
        max_message_bytes: 1,
        stream_credit: 1,
        connection_credit: 1,
    };
    limits.write(&mut hello);
    let mut http = BytesMut::from(&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..]);
    let mut version = hello.clone();
    version[16] = 9;
    for bytes in [&mut http, &mut version] {
        let mut server = ServerSide::new(small(), now);
        server.link.receive(bytes, now);
        assert!(server_events(&mut server, now).is_err());
    }
    let mut server = ServerSide::new(small(), now);
    server.link.receive(&hello, now);
    assert!(server_events(&mut server, now).is_ok());
}

#[test]
fn every_one_bit_flip_of_a_conversation_is_survived() {
    let (mut client, _, now) = greeted();
    let fill: Fill = |out| {
        out.put_slice(b"0123456789abcdef");
        Ok(())
    };
    let nothing: Fill = |_| Ok(());
    client.bind("inventory.v1.Stock", [7; 16], 1);
    client.call(&head(), false, true, fill).expect("usable");
    client.call(&head(), false, false, nothing).expect("usable");
    client.message(2, fill).expect("usable");
    client.end(2);
    client.call(&head(), true, true, fill).expect("usable");
    client.release(1);
    let bytes = client.link.output.split();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (_, mut server, _) = greeted();
        server.link.receive(&flipped, now);
        // Whatever it makes of it, it neither panics nor takes memory.
        let _ = server_events(&mut server, now);
        assert!(server.link.input.capacity() < 1 << 16);
    }
}

#[test]
fn a_word_on_a_service_comes_with_the_contract() {
    let (mut client, mut server, now) = greeted();
    let number = client.bind("x.v1.S", [3; 16], 2);
    let events = to_server(&mut client, &mut server, now);
    let [
        server_side::Event::Bind {
            binding,
            codec: 2,
            fingerprint,
            name,
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (*binding, *fingerprint, &name[..]),
        (number, [3; 16], &b"x.v1.S"[..])
    );
    server.bound(number, Verdict::OtherContract, "service x.v1.S\n");
    let events = to_client(&mut server, &mut client, now);
    let [client_side::Event::Bound(came, Verdict::OtherContract, text)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((*came, text), (number, &Bytes::from("service x.v1.S\n")));
}

#[test]
fn a_null_call_moves_at_most_64_bytes_each_way() {
    let (mut client, mut server, now) = greeted();
    let head = CallHead {
        metadata: Metadata::new(),
        ..head()
    };
    let nothing: Fill = |_| Ok(());
    client.call(&head, false, true, nothing).expect("usable");
    assert!(
        client.link.output.len() <= 64,
        "{} bytes, deadline and trace in them",
        client.link.output.len()
    );
    to_server(&mut client, &mut server, now);
    server.finish(1, &Metadata::new(), Ok(nothing));
    assert!(server.link.output.len() <= 64);
}
