//! TLS stands on any byte stream, and both directions are used at once.

use super::authority::both_sides;
use super::suite::pair;
use crate::loopback::{PATIENCE, pattern};
use ipc_core::{Duplex, Pollable};
use ipc_net::{ErrorKind, tls};
use ipc_testkit::watchdog;
use std::io::Read;

/// Sends both ways at once, more than fits anywhere, and ends in order.
fn exchange<T: Duplex + Sync>(client: &tls::Stream<T>, server: &tls::Stream<T>) {
    let (up, down) = (pattern(3 << 20), pattern((2 << 20) + 1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&up).expect("send");
            client.close_write().expect("once");
        });
        scope.spawn(|| {
            server.send(&down).expect("send");
            server.close_write().expect("once");
        });
        let receiving = scope.spawn(|| {
            let mut all = Vec::new();
            let mut end = client;
            end.read_to_end(&mut all).expect("to the end");
            all
        });
        let mut all = Vec::new();
        let mut end = server;
        end.read_to_end(&mut all).expect("to the end");
        assert!(all == up);
        assert!(receiving.join().expect("no panic") == down);
    });
    let twice = client.close_write().expect_err("ended");
    assert_eq!(twice.kind(), ErrorKind::Closed);
    let ended = server.send(b"x").expect_err("ended");
    assert_eq!(ended.kind(), ErrorKind::Closed);
}

#[test]
fn over_tcp_both_directions_go_at_once() {
    let _watchdog = watchdog(PATIENCE);
    let (client, server) = pair().expect("a pair");
    exchange(&client, &server);
}

#[test]
fn over_a_unix_socket_identities_are_proven_just_as_well() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    let (left, right) = ipc_uds::pair().expect("a pair");
    let client = client.begin("server.test", left).expect("a stream");
    let server = server.begin(right).expect("a stream");
    // The first verb makes the handshake.
    exchange(&client, &server);
    let seen = server.identity().expect("proven");
    assert_eq!(seen.spiffe_id(), Some("spiffe://test/client"));
    let text = format!("{seen:?}");
    assert!(text.contains("spiffe://test/client"), "{text}");
}

#[test]
fn threads_that_send_and_receive_from_the_start_share_one_handshake() {
    let _watchdog = watchdog(PATIENCE);
    let (server, client) = both_sides();
    for _ in 0..100 {
        let (left, right) = ipc_uds::pair().expect("a pair");
        let client = client.begin("server.test", left).expect("a stream");
        let server = server.begin(right).expect("a stream");
        std::thread::scope(|scope| {
            for end in [&client, &server] {
                scope.spawn(move || assert_eq!(end.recv(&mut [0; 16]).expect("recv"), 5));
                scope.spawn(move || end.handshake().expect("shared"));
            }
            // Whoever made the handshake now waits in its receive, and holds up no sender.
            for end in [&client, &server] {
                scope.spawn(move || end.send(b"hello").expect("send"));
            }
        });
    }
}

#[test]
fn tls_inside_tls_is_a_byte_stream_like_any_other() {
    let _watchdog = watchdog(PATIENCE);
    let (client, server) = pair().expect("a pair");
    let (inner_server, inner_client) = both_sides();
    let client = inner_client.begin("server.test", client).expect("a stream");
    let server = inner_server.begin(server).expect("a stream");
    exchange(&client, &server);
}

#[test]
fn a_send_that_is_begun_is_owed_and_goes_out_while_the_answer_is_awaited() {
    let _watchdog = watchdog(PATIENCE);
    let (client, server) = pair().expect("a pair");
    let large = pattern(8 << 20);
    client.try_send(&large).expect("begun");
    assert!(client.owes());
    let full = client.try_send(b"next").expect_err("full");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut all = vec![0; large.len()];
            (&server).read_exact(&mut all).expect("all of it");
            assert!(all == large);
            server.send(b"thanks").expect("an answer");
        });
        assert_eq!(client.recv(&mut [0; 16]).expect("an answer"), 6);
    });
    assert!(!client.owes());
    client.send(b"next").expect("nothing is owed");
    assert_eq!(server.recv(&mut [0; 16]).expect("it comes"), 4);
}

#[test]
fn four_threads_use_both_ends_at_once_and_frames_stay_whole() {
    let _watchdog = watchdog(PATIENCE);
    let (client, server) = pair().expect("a pair");
    let (client, server) = (client.framed(), server.framed());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            for (tx, rx) in [(&client, &server), (&server, &client)] {
                scope.spawn(move || {
                    for length in 0..300 {
                        tx.send(&vec![(length % 251) as u8; length * 37])
                            .expect("send");
                    }
                });
                scope.spawn(move || {
                    let mut message = Vec::new();
                    for _ in 0..300 {
                        rx.recv_vec(&mut message).expect("recv");
                        let whole = message.len() % 37 == 0
                            && message
                                .iter()
                                .all(|byte| *byte == (message.len() / 37 % 251) as u8);
                        assert!(whole, "{} bytes", message.len());
                    }
                });
            }
        }
    });
}
