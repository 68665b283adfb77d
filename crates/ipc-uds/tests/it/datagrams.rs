//! Datagrams: addresses, answers, full queues, and receivers that are gone.

use ipc_testkit::{TempDir, isolated, watchdog};
use ipc_uds::{Address, Ancillary, ErrorKind, Options};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

#[test]
fn a_datagram_comes_with_its_senders_address_and_can_be_answered() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let server = ipc_uds::bind_datagram(dir.join("server")).expect("bind");
    let client = ipc_uds::bind_datagram(dir.join("client")).expect("bind");
    let (to, back) = (
        server.address().expect("named"),
        client.address().expect("named"),
    );
    client.send_to(b"question", &to).expect("send");
    let mut bytes = [0; 64];
    let (length, from) = server.recv_from(&mut bytes).expect("a question");
    assert_eq!((&bytes[..length], from), (&b"question"[..], back));
    server.send_to(b"", &from).expect("an empty answer");
    assert_eq!(client.recv_from(&mut bytes).expect("an answer"), (0, to));
    let (read, _write) = rustix::pipe::pipe().expect("a pipe");
    client
        .send_with_fds_to(b"gift", &[read.as_fd()], &to)
        .expect("send");
    let mut gifts = Ancillary::new();
    assert_eq!(server.recv_with_fds(&mut bytes, &mut gifts).expect("it"), 4);
    assert_eq!((gifts.fds().len(), gifts.from()), (1, back));
    let nameless = ipc_uds::connect_datagram(to).expect("connect");
    assert_eq!(nameless.peer_address().expect("named"), to);
    nameless.send(b"x").expect("send");
    assert!(server.recv_from(&mut bytes).expect("it").1.is_unnamed());
}

#[test]
fn a_full_queue_makes_every_form_wait_as_long_as_it_says() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let server = ipc_uds::bind_datagram(dir.join("server")).expect("bind");
    let to = server.address().expect("named");
    let sender = ipc_uds::datagram().expect("a socket");
    let connected = ipc_uds::connect_datagram(to).expect("connect");
    let mut sent = 0;
    while sender.try_send_to(b"x", &to).is_ok() {
        sent += 1;
    }
    for outcome in [sender.try_send_to(b"x", &to), connected.try_send(b"x")] {
        assert_eq!(outcome.expect_err("full").kind(), ErrorKind::WouldBlock);
    }
    let start = Instant::now();
    for outcome in [
        sender.send_to_timeout(b"x", &to, SHORT),
        sender.send_to_deadline(b"x", &to, start),
        connected.send_timeout(b"x", SHORT),
    ] {
        assert_eq!(outcome.expect_err("full").kind(), ErrorKind::TimedOut);
    }
    assert!(start.elapsed() >= 2 * SHORT);
    std::thread::scope(|scope| {
        let others = [
            scope.spawn(|| sender.send_to(b"x", &to)),
            scope.spawn(|| sender.send_to_timeout(b"x", &to, Duration::MAX)),
            scope.spawn(|| connected.send_timeout(b"x", PATIENCE)),
        ];
        for _ in 0..sent + others.len() {
            server.recv(&mut [0; 4]).expect("one more");
        }
        for other in others {
            other.join().expect("no panic").expect("there was room");
        }
    });
    let none = server.try_recv(&mut [0; 4]).expect_err("that was all");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_receiver_that_is_gone_is_closed_to_the_connected_and_refused_to_others() {
    isolated!({
        let dir = TempDir::new();
        let server = ipc_uds::bind_datagram(dir.join("server")).expect("bind");
        let to = server.address().expect("named");
        let connected = ipc_uds::connect_datagram(to).expect("connect");
        std::fs::rename(dir.join("server"), dir.join("moved")).expect("ours");
        drop(server);
        let gone = connected.send(b"x").expect_err("gone");
        assert_eq!(gone.kind(), ErrorKind::Closed);
        let sender = ipc_uds::datagram().expect("a socket");
        let missing = sender.send_to(b"x", &to).expect_err("no such path");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let stale = Address::path(dir.join("moved")).expect("short");
        let refused = sender.send_to(b"x", &stale).expect_err("nobody there");
        assert_eq!(refused.kind(), ErrorKind::Refused);
        // The next server takes the path over, with a new socket.
        let server = Options::new()
            .replace_stale(true)
            .bind_datagram(dir.join("moved"))
            .expect("bind");
        sender.send_to(b"x", &stale).expect("send");
        assert_eq!(server.recv(&mut [0; 4]).expect("it"), 1);
    });
}

#[test]
fn a_socket_without_a_peer_says_so() {
    let sender = ipc_uds::datagram().expect("a socket");
    let error = sender.send(b"x").expect_err("to whom?");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("send_to"), "{error}");
    let error = sender
        .send_to(b"x", &Address::UNNAMED)
        .expect_err("to whom?");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(sender.peer_address().is_err());
}

#[test]
fn a_message_that_does_not_fit_is_named_and_the_next_comes_whole() {
    let dir = TempDir::new();
    let guarded = Options::new()
        .policy(ipc_uds::Policy::same_user())
        .bind_datagram(dir.join("guarded"))
        .expect("bind");
    let plain = ipc_uds::bind_datagram(dir.join("plain")).expect("bind");
    for (receiver, name) in [(guarded, "guarded"), (plain, "plain")] {
        let sender = ipc_uds::connect_datagram(dir.join(name)).expect("connect");
        let mut bytes = [0; 10];
        let mut gifts = Ancillary::new();
        for round in 0..3 {
            sender.send(&[1; 77]).expect("send");
            sender.send(&[2; 10]).expect("send");
            let outcome = match round {
                0 => receiver.recv(&mut bytes),
                1 => receiver.recv_from(&mut bytes).map(|(length, _)| length),
                _ => receiver.recv_with_fds(&mut bytes, &mut gifts),
            };
            let error = outcome.expect_err("too long");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            let text = error.to_string();
            assert!(text.contains("77") && text.contains("10"), "{text}");
            assert_eq!(receiver.recv(&mut bytes).expect("whole"), 10);
            assert_eq!(bytes, [2; 10]);
        }
        let error = sender.send(&vec![0; 64 << 20]).expect_err("huge");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
