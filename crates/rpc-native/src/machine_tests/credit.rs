//! What must wait, and what is refused alone.

use super::*;

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
fn a_message_that_no_frame_can_hold_is_refused_on_both_sides_before_it_is_encoded() {
    let (mut client, mut server, now) = greeted();
    for bytes in [u32::MAX as usize, usize::MAX] {
        let huge = |_: &mut BytesMut| Ok(bytes);
        let refused = client.call(&head(), false, true, huge);
        let refused = refused.expect_err("more than a frame");
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(client.link.output.is_empty());
        let nothing: Fill = |_| Ok(());
        let call = client.call(&head(), false, true, nothing);
        let call = call.expect("usable").expect("a number");
        to_server(&mut client, &mut server, now);
        let refused = server.message(call, huge).expect_err("more than a frame");
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(!server.finish(call, &Metadata::new(), Ok(huge)));
        let events = to_client(&mut server, &mut client, now);
        let [client_side::Event::Returned(1, Err(refused))] = &events[..] else {
            panic!("one refusal: {events:?}")
        };
        assert_eq!(refused.code(), Code::ResourceExhausted);
        client.release(call);
    }
}
