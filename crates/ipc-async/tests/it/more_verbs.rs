//! Descriptors, addresses and messages of any length, awaited by their own verbs.

use ipc_async::{Async, ErrorKind, Interest};
use ipc_testkit::{TempDir, watchdog};
use ipc_uds::{Ancillary, Stream};
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

fn both<T: ipc_core::Pollable + Send + Sync + 'static>(pair: (T, T)) -> (Async<T>, Async<T>) {
    (
        Async::new(pair.0).expect("registered"),
        Async::new(pair.1).expect("registered"),
    )
}

#[tokio::test]
async fn descriptors_are_awaited_with_every_kind_of_socket() {
    let _watchdog = watchdog(PATIENCE);
    macro_rules! exchange {
        ($make:ident) => {{
            let (left, right) = both(ipc_uds::$make().expect("sockets"));
            let (_tx, rx) = ipc_pipe::pair().expect("a pipe");
            let receiving = async {
                let mut gifts = Ancillary::new();
                let mut bytes = [0; 16];
                let length = right.recv_with_fds(&mut bytes, &mut gifts).await;
                (length.expect("a message"), gifts.fds().len())
            };
            let sending = async {
                tokio::task::yield_now().await;
                left.send_with_fds(b"here", &[rx.as_fd()]).await
            };
            let (received, sent) = tokio::join!(receiving, sending);
            sent.expect("sent");
            assert_eq!(received, (4, 1));
        }};
    }
    exchange!(pair);
    exchange!(pair_seqpacket);
    exchange!(pair_datagram);
}

/// Reads `right` to its end while nobody awaits `left`, and checks what came.
async fn arrives_whole(left: Async<Stream>, right: Stream, sent: Vec<u8>) {
    drop(left);
    let reading = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        (&right).read_to_end(&mut all).map(|_| all)
    });
    assert!(reading.await.expect("no panic").expect("the end") == sent);
}

#[tokio::test]
async fn a_large_send_with_descriptors_is_finished_though_nobody_awaits_it() {
    let _watchdog = watchdog(PATIENCE);
    let large: Vec<u8> = (0..2_000_000).map(|at| (at % 251) as u8).collect();
    let null = std::fs::File::open("/dev/null").expect("a device");
    for by_ready in [false, true] {
        let (left, right) = ipc_uds::pair().expect("sockets");
        let left = Async::new(left).expect("registered");
        let fds = [null.as_fd()];
        match by_ready {
            false => left.send_with_fds(&large, &fds).await,
            true => {
                let attempt = |end: &Stream| end.try_send_with_fds(&large, &fds);
                left.ready(Interest::Write, attempt).await
            }
        }
        .expect("begun");
        assert!(
            left.get_ref().try_flush().is_err(),
            "more than the buffer holds"
        );
        arrives_whole(left, right, large.clone()).await;
    }
    // The same of bytes alone, and through the wrapper that makes messages.
    let (left, right) = ipc_uds::pair().expect("sockets");
    let left = Async::new(left).expect("registered");
    left.ready(Interest::Write, |end| end.try_send(&large))
        .await
        .expect("begun");
    arrives_whole(left, right, large.clone()).await;
    let (tx, rx) = ipc_pipe::pair().expect("a pipe");
    let tx = Async::new(tx.framed()).expect("registered");
    tx.ready(Interest::Write, |end| end.try_send(&large))
        .await
        .expect("begun");
    drop(tx);
    let rx = Async::new(rx.framed()).expect("registered");
    let mut whole = Vec::new();
    rx.recv_vec(&mut whole).await.expect("a message");
    assert!(whole == large);
}

#[tokio::test]
async fn messages_of_any_length_are_awaited() {
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_pipe::duplex().expect("two pipes");
    let (left, right) = both((left.framed(), right.framed()));
    let mut message = vec![7; 3];
    for length in [0, 1, 1000, 300_000] {
        let sent = vec![length as u8; length];
        let (outcome, received) = tokio::join!(left.send(&sent), right.recv_vec(&mut message));
        outcome.expect("sent");
        received.expect("a message");
        assert!(message == sent);
    }
    drop(left);
    let end = right.recv_vec(&mut message).await.expect_err("the end");
    assert_eq!(end.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn datagrams_to_a_full_queue_wait_for_room_and_say_where_they_came_from() {
    const MESSAGES: u32 = 2_000;
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let server = ipc_uds::bind_datagram(dir.join("server")).expect("bound");
    let client = ipc_uds::bind_datagram(dir.join("client")).expect("bound");
    let (to, back) = (
        server.address().expect("named"),
        client.address().expect("named"),
    );
    let (server, client) = both((server, client));
    let null = std::fs::File::open("/dev/null").expect("a device");
    let sending = async {
        for number in 0..MESSAGES {
            match number % 2 {
                0 => client.send_to(&number.to_ne_bytes(), &to).await,
                _ => {
                    let fds = [null.as_fd()];
                    client
                        .send_with_fds_to(&number.to_ne_bytes(), &fds, &to)
                        .await
                }
            }
            .expect("it waits for room");
        }
    };
    let receiving = async {
        // The queue is full by now, and nobody but the receiver can change that.
        tokio::task::yield_now().await;
        let mut gifts = Ancillary::new();
        for number in 0..MESSAGES {
            let mut bytes = [0; 4];
            if number % 2 == 0 {
                let (length, from) = server.recv_from(&mut bytes).await.expect("a message");
                assert_eq!((length, from), (4, back));
            } else {
                server
                    .recv_with_fds(&mut bytes, &mut gifts)
                    .await
                    .expect("a message");
                assert_eq!((gifts.fds().len(), gifts.from()), (1, back));
            }
            assert_eq!(
                u32::from_ne_bytes(bytes),
                number,
                "none lost, none overtaken"
            );
        }
    };
    tokio::join!(sending, receiving);
    drop(server);
    let gone = client.send_to(b"x", &to).await.expect_err("gone");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_socket_that_sends_to_many_waits_for_its_own_buffer_too() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let servers = [0, 1, 2]
        .map(|at| ipc_uds::bind_datagram(dir.join(format!("server {at}"))).expect("bound"));
    let addresses = servers
        .each_ref()
        .map(|server| server.address().expect("named"));
    let mut small = ipc_uds::Options::new();
    let client = small.send_buffer_bytes(4_608).datagram().expect("a socket");
    let client = Async::new(client).expect("registered");
    let servers = servers.map(|server| Async::new(server).expect("registered"));
    let sending = async {
        for round in 0..300 {
            let message = [round as u8; 1_500];
            client
                .send_to(&message, &addresses[round % 3])
                .await
                .expect("it waits for room");
        }
    };
    let receiving = async {
        for round in 0..300 {
            let mut message = [0; 2_000];
            let length = servers[round % 3]
                .recv(&mut message)
                .await
                .expect("a message");
            assert_eq!((length, message[0]), (1_500, round as u8));
        }
    };
    tokio::join!(sending, receiving);
}
