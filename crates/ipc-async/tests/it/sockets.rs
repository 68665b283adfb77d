//! The verbs with `.await`, over every kind of Unix socket.

use ipc_async::{Async, ErrorKind, Interest};
use ipc_core::{ByteSink, Pollable, Until};
use ipc_testkit::{Role, TempDir, watchdog};
use ipc_uds::Options;
use std::future::Future;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(300);

/// Polls `future` once and drops it: what `select!` does to the branch that loses.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn connections_are_accepted_and_talk_both_ways() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Async::new(ipc_uds::bind(&path).expect("bound")).expect("registered");
    let server = tokio::spawn(async move {
        for _ in 0..20 {
            let stream = listener.accept().await.expect("our own user");
            let stream = Async::new(stream).expect("registered");
            let mut bytes = [0; 16];
            let length = stream.recv(&mut bytes).await.expect("a question");
            stream
                .send(&bytes[..length])
                .await
                .expect("the client listens");
        }
    });
    for number in 0..20u8 {
        let client = ipc_uds::connect(&path).expect("connected");
        let client = Async::new(client).expect("registered");
        client.send(&[number]).await.expect("send");
        let mut bytes = [0; 16];
        assert_eq!(client.recv(&mut bytes).await.expect("an answer"), 1);
        assert_eq!(bytes[0], number);
        assert_eq!(
            client.recv(&mut bytes).await.expect_err("it left").kind(),
            ErrorKind::Closed
        );
    }
    server.await.expect("no panic");
}

#[tokio::test]
async fn seqpackets_and_datagrams_keep_their_boundaries() {
    let _watchdog = watchdog(PATIENCE);
    let mut bytes = [0; 64];
    let (left, right) = ipc_uds::pair_seqpacket().expect("sockets");
    let (left, right) = (
        Async::new(left).expect("ok"),
        Async::new(right).expect("ok"),
    );
    left.send(b"one").await.expect("send");
    left.send(b"three").await.expect("send");
    assert_eq!(right.recv(&mut bytes).await.expect("a message"), 3);
    assert_eq!(right.recv(&mut bytes).await.expect("a message"), 5);
    let (left, right) = ipc_uds::pair_datagram().expect("sockets");
    let (left, right) = (
        Async::new(left).expect("ok"),
        Async::new(right).expect("ok"),
    );
    left.send(b"").await.expect("send");
    left.send(b"four").await.expect("send");
    assert_eq!(right.recv(&mut bytes).await.expect("a message"), 0);
    assert_eq!(right.recv(&mut bytes).await.expect("a message"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_receives_of_seqpackets_lose_none() {
    const MESSAGES: u64 = 50_000;
    let _watchdog = watchdog(PATIENCE);
    let (tx, rx) = ipc_uds::pair_seqpacket().expect("sockets");
    let (tx, rx) = (
        Async::new(tx).expect("registered"),
        Async::new(rx).expect("registered"),
    );
    let sender = tokio::spawn(async move {
        for number in 0..MESSAGES {
            tx.send(&number.to_le_bytes()).await.expect("send");
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (mut next, mut cancelled) = (0, 0u64);
    let mut bytes = [0; 8];
    while next < MESSAGES {
        match poll_once(rx.recv(&mut bytes)) {
            Some(length) => {
                assert_eq!(length.expect("a message"), 8);
                assert_eq!(u64::from_le_bytes(bytes), next);
                next += 1;
            }
            None => {
                cancelled += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    sender.await.expect("no panic");
    assert!(cancelled > 0, "some futures were dropped while they waited");
}

#[tokio::test]
async fn a_cancelled_accept_loses_no_connection() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Async::new(ipc_uds::bind(&path).expect("bound")).expect("registered");
    let mut clients = Vec::new();
    let mut accepted = 0;
    for round in 0..100 {
        assert!(
            poll_once(listener.accept()).is_none(),
            "nobody connects in round {round}"
        );
        clients.push(ipc_uds::connect(&path).expect("connected"));
        listener.accept().await.expect("the one that has connected");
        accepted += 1;
    }
    assert_eq!(accepted, clients.len());
}

#[tokio::test]
async fn refused_peers_in_any_number_do_not_hide_the_one_that_is_let_in() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let mut options = Options::new();
    let asked = std::sync::atomic::AtomicU32::new(0);
    // More than a try form refuses before it gives up, and no new readiness comes after that.
    options.policy(ipc_uds::Policy::custom(move |_| {
        asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 299
    }));
    let listener = Async::new(options.bind(&path).expect("bound")).expect("registered");
    assert!(poll_once(listener.accept()).is_none(), "nobody is there");
    let clients: Vec<_> = (0..300)
        .map(|_| ipc_uds::connect(&path).expect("connected"))
        .collect();
    listener.accept().await.expect("the last");
    assert_eq!(listener.get_ref().refused(), 299);
    drop(clients);
}

#[tokio::test]
async fn connecting_waits_for_a_place_in_a_full_backlog() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().backlog(0).bind(&path).expect("bound");
    let mut waiting = Vec::new();
    while let Ok(client) = ipc_uds::try_connect(&path) {
        waiting.push(client);
    }
    let address = path.clone();
    let connecting = tokio::spawn(Async::connect(move || ipc_uds::connect(&address)));
    let short = Duration::from_millis(5);
    let address = path.clone();
    let late = Async::connect(move || ipc_uds::connect_timeout(&address, short)).await;
    assert_eq!(
        late.map(drop).expect_err("full").kind(),
        ErrorKind::TimedOut
    );
    let listener = Async::new(listener).expect("registered");
    for _ in 0..waiting.len() {
        listener.accept().await.expect("those that were there");
    }
    let server = listener.accept().await.expect("the one that waited");
    let client = connecting.await.expect("no panic").expect("connected");
    client.send(b"hello").await.expect("send");
    assert_eq!(server.recv(&mut [0; 8]).expect("it came"), 5);
}

#[tokio::test]
async fn a_watched_peer_that_is_killed_is_told_from_one_that_closes() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().watch_peer(true).bind(&path).expect("bound");
    let client = ipc_uds::connect(&path).expect("connected");
    let closing = Async::new(listener.accept().expect("accepted")).expect("registered");
    drop(client);
    let closed = closing
        .recv(&mut [0; 4])
        .await
        .expect_err("it closed")
        .kind();
    assert_eq!(closed, ErrorKind::Closed);
    let child = Role::new("client").argument(path.display()).spawn();
    let dying = Async::new(listener.accept().expect("accepted")).expect("registered");
    assert_eq!(dying.recv(&mut [0; 4]).await.expect("its word"), 2);
    child.kill();
    let outcome = dying.recv(&mut [0; 4]).await.expect_err("it died").kind();
    assert!(matches!(outcome, ErrorKind::PeerDied), "{outcome:?}");
}

pub(crate) fn connect_and_wait(stage: ipc_testkit::Stage) {
    let stream = ipc_uds::connect(stage.argument(0)).expect("connected");
    stream.send(b"up").expect("send");
    loop {
        std::thread::park();
    }
}

/// The events for which an epoll of this process watches `fd`, from proc(5).
fn watched_events(fd: RawFd) -> Option<u32> {
    let infos = std::fs::read_dir("/proc/self/fdinfo").expect("proc is there");
    for info in infos.flatten() {
        // Descriptors of other tests come and go.
        let text = std::fs::read_to_string(info.path()).unwrap_or_default();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            if let ["tfd:", watched, "events:", events, ..] = words[..]
                && watched.parse() == Ok(fd)
            {
                return u32::from_str_radix(events, 16).ok();
            }
        }
    }
    None
}

#[tokio::test]
async fn a_socket_is_watched_for_room_only_while_somebody_waits_for_it() {
    const ROOM: u32 = 4; // EPOLLOUT
    let _watchdog = watchdog(PATIENCE);
    let (left, right) = ipc_uds::pair().expect("sockets");
    let (left, right) = (Async::new(left).expect("ok"), right);
    let number = left.get_ref().descriptor(Interest::Read).as_raw_fd();
    let events = watched_events(number).expect("it is registered");
    assert_eq!(events & ROOM, 0, "each message that is taken would wake");
    // Whoever waits for room is told of it all the same.
    let many = vec![7; 4 << 20];
    let reader = std::thread::spawn(move || {
        let (mut got, mut bytes) = (0, vec![0; 1 << 16]);
        while got < 4 << 20 {
            got += right.recv(&mut bytes).expect("the sender lives");
        }
    });
    let mut rest = &many[..];
    while !rest.is_empty() {
        let written = left.ready(Interest::Write, |end| {
            end.write_until(&[], rest, Until::Now)
        });
        rest = &rest[written.await.expect("the reader lives")..];
    }
    reader.join().expect("no panic");
    assert_eq!(watched_events(number).map(|events| events & ROOM), Some(0));
}
