//! Calls that are given up, servers that drain, peers that dawdle.

use super::*;

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
fn an_idle_connection_asks_for_no_clock() {
    let (mut client, mut server, now) = greeted();
    assert_eq!((client.link.wakes(), server.link.wakes()), (None, None));
    let message = |out: &mut BytesMut| {
        out.put_slice(b"hello");
        Ok(())
    };
    let call = client.call(&head(), false, true, message);
    let call = call.expect("usable").expect("a number");
    to_server(&mut client, &mut server, now);
    server.finish(call, &Metadata::new(), Ok(message));
    to_client(&mut server, &mut client, now);
    client.release(call);
    assert_eq!((client.link.wakes(), server.link.wakes()), (None, None));
    // Nor do they have anything to say to each other.
    assert!(client.link.output.is_empty() && server.link.output.is_empty());
}
