//! What one machine writes the other reads, however its bytes are cut.

use super::*;

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
