//! What breaks a rule ends the connection, and takes no memory.

use super::*;

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
