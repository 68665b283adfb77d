//! Connecting and accepting: the four forms, the backlog, and who is let in.

use ipc_core::{Pollable, TryAccept};
use ipc_testkit::{TempDir, isolated, watchdog};
use ipc_uds::{Address, ErrorKind, Listener, Options, Policy};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(5);

#[test]
fn every_form_of_accept_waits_as_long_as_it_says() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let ours = ipc_uds::bind(&path).expect("bind");
    // From elsewhere, with a description that blocks, it keeps the same promises.
    let blocking = std::os::unix::net::UnixListener::bind(dir.join("other")).expect("bind");
    let adopted = Listener::from(OwnedFd::from(blocking));
    for (listener, path) in [(&ours, path), (&adopted, dir.join("other"))] {
        let nobody = |outcome: ipc_uds::Result<_>, kind| {
            assert_eq!(outcome.map(drop).expect_err("nobody came").kind(), kind);
        };
        nobody(listener.try_accept(), ErrorKind::WouldBlock);
        nobody(TryAccept::try_accept(listener), ErrorKind::WouldBlock);
        let start = Instant::now();
        nobody(listener.accept_timeout(SHORT), ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
        nobody(listener.accept_deadline(start), ErrorKind::TimedOut);
        let mut clients = Vec::new();
        let mut come = || clients.push(ipc_uds::connect(&path).expect("connect"));
        come();
        listener.try_accept().expect("one came");
        come();
        listener
            .accept_timeout(Duration::MAX)
            .expect("another came");
        come();
        let late = Instant::now() + PATIENCE;
        listener.accept_deadline(late).expect("another came");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| listener.accept());
            come();
            waiting.join().expect("no panic").expect("the last came");
        });
    }
}

#[test]
fn connecting_waits_for_a_place_in_a_full_backlog_in_all_four_forms() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let listener = Options::new().backlog(0).bind(&path).expect("bind");
    let mut waiting = Vec::new();
    let full = loop {
        match ipc_uds::try_connect(&path) {
            Ok(client) => waiting.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    assert!(!waiting.is_empty());
    let start = Instant::now();
    let late = ipc_uds::connect_timeout(&path, SHORT).expect_err("full");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    let late = ipc_uds::connect_deadline(&path, start).expect_err("full");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| ipc_uds::connect(&path));
        let two = scope.spawn(|| ipc_uds::connect_timeout(&path, Duration::MAX));
        for _ in 0..waiting.len() + 2 {
            listener.accept().expect("one after the other");
        }
        for client in [one, two] {
            let client = client.join().expect("no panic").expect("a place");
            // Neither O_NONBLOCK nor a time-out is left behind.
            let flags = rustix::fs::fcntl_getfl(&client).expect("flags");
            assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
            let left =
                rustix::net::sockopt::socket_timeout(&client, rustix::net::sockopt::Timeout::Send);
            assert_eq!(left, Ok(None));
        }
    });
}

#[test]
fn a_storm_of_signals_changes_neither_accept_nor_connect() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = Options::new().backlog(0).bind(&path).expect("bind");
        let address = path.clone();
        let clients = std::thread::spawn(move || {
            let _storm = ipc_testkit::Storm::here();
            for round in 0..2_000 {
                match round % 2 {
                    0 => ipc_uds::connect(&address),
                    _ => ipc_uds::connect_timeout(&address, PATIENCE),
                }
                .expect("interrupted calls are made again");
            }
        });
        let storm = ipc_testkit::Storm::here();
        for _ in 0..2_000 {
            listener.accept().expect("interrupted calls are made again");
        }
        clients.join().expect("all connected");
        let start = Instant::now();
        let late = listener
            .accept_timeout(20 * SHORT)
            .expect_err("nobody comes");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= 20 * SHORT);
        drop(storm);
    });
}

#[test]
fn refused_peers_are_closed_and_counted_and_the_next_one_is_accepted() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let seen = std::sync::atomic::AtomicU32::new(0);
    let mut options = Options::new();
    options.policy(Policy::custom(move |peer| {
        assert_eq!(peer.credentials().pid, std::process::id());
        seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2
    }));
    let listener = options.bind(&path).expect("bind");
    let clients: Vec<_> = (0..4)
        .map(|number: u8| {
            let client = ipc_uds::connect(&path).expect("connect");
            client.send(&[number]).expect("send");
            client
        })
        .collect();
    let third = listener.accept().expect("the third is let in");
    let mut byte = [0];
    third.recv(&mut byte).expect("its byte");
    assert_eq!(byte, [2]);
    assert_eq!(listener.refused(), 2);
    let rest = listener.try_accept().map(drop).expect_err("none is left");
    assert_eq!(rest.kind(), ErrorKind::WouldBlock);
    assert_eq!(listener.refused(), 3);
    for refused in [&clients[0], &clients[1], &clients[3]] {
        let end = refused.recv(&mut byte).expect_err("closed");
        assert_eq!(end.kind(), ErrorKind::Closed);
    }
}

#[test]
fn a_flood_of_refused_peers_does_not_hold_a_try() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let mut options = Options::new();
        let refuse_all_but_the_last = std::sync::atomic::AtomicU32::new(0);
        options.policy(Policy::custom(move |_| {
            refuse_all_but_the_last.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 199
        }));
        let listener = options.bind(&path).expect("bind");
        let clients: Vec<_> = (0..200)
            .map(|_| ipc_uds::connect(&path).expect("connect"))
            .collect();
        let mut tries = 0;
        let accepted = loop {
            match listener.try_accept() {
                Ok(accepted) => break accepted,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            tries += 1;
            assert_eq!(listener.refused(), 64 * tries, "each try ends");
            // No new connection comes, so a waiter must be told to try again.
            assert!(listener.arm(ipc_core::Interest::Read).expect("asked"));
        };
        assert_eq!((tries, listener.refused()), (3, 199));
        assert!(!listener.arm(ipc_core::Interest::Read).expect("asked"));
        drop((accepted, clients));
    });
}

#[test]
fn each_policy_lets_in_whom_it_names() {
    let me = rustix::process::geteuid().as_raw();
    let dir = TempDir::new();
    for (at, (policy, admits)) in [
        (Policy::same_user(), true),
        (Policy::default(), true),
        (Policy::users([me]), true),
        (Policy::users([me + 1, me]), true),
        (Policy::users([me + 1]), false),
        (Policy::users([]), false),
        (Policy::anyone(), true),
        (Policy::custom(|_| true), true),
        (Policy::custom(|_| false), false),
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.join(at.to_string());
        let mut options = Options::new();
        options.policy(policy.clone());
        let listener = options.bind(&path).expect("bind");
        let _client = ipc_uds::connect(&path).expect("connect");
        assert_eq!(listener.try_accept().is_ok(), admits, "{policy:?}");
        assert_eq!(listener.refused() == 0, admits);
        // A client with a policy holds the server to it.
        let outcome = options.connect(&path);
        assert_eq!(outcome.is_ok(), admits, "{policy:?}");
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains("policy"), "{error}");
        }
    }
}

#[test]
fn a_listener_without_descriptors_says_so_and_stays_usable() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = ipc_uds::bind(&path).expect("bind");
        let _client = ipc_uds::connect(&path).expect("connect");
        let limits = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: Some(32),
            maximum: limits.maximum,
        };
        setrlimit(Resource::Nofile, low).expect("lower is allowed");
        let mut fillers = Vec::new();
        while let Ok(filler) = File::open("/dev/null") {
            fillers.push(filler);
        }
        for outcome in [
            listener.accept().map(drop),
            listener.try_accept().map(drop),
            listener.accept_timeout(PATIENCE).map(drop),
            ipc_uds::connect(&path).map(drop),
            ipc_uds::pair().map(drop),
            ipc_uds::pair_seqpacket().map(drop),
            ipc_uds::pair_datagram().map(drop),
            ipc_uds::bind(dir.join("other")).map(drop),
            ipc_uds::datagram().map(drop),
        ] {
            let error = outcome.expect_err("no descriptor");
            assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        }
        fillers.clear();
        listener.accept().expect("the client is still there");
        assert!(!dir.join("other").exists());
    });
}

#[test]
fn a_listener_given_away_keeps_its_path_and_blocks() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("socket");
    let fd = OwnedFd::from(ipc_uds::bind(&path).expect("bind"));
    let flags = rustix::fs::fcntl_getfl(&fd).expect("flags");
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    let listener = Listener::from(fd);
    assert_eq!(
        listener.address().expect("it has one"),
        Address::path(&path).expect("short")
    );
    let client = ipc_uds::connect(&path).expect("it listens");
    let server = listener.accept().expect("accept");
    assert_eq!(
        client.peer_address().expect("named").as_path(),
        Some(path.as_path())
    );
    let peer = server.peer_address().expect("unnamed");
    assert!(peer.is_unnamed(), "{peer:?}");
    drop(listener);
    assert!(path.exists(), "who bound it may remove it");
}

#[test]
fn a_connection_of_another_kind_is_refused_by_type() {
    let dir = TempDir::new();
    let stream = ipc_uds::bind(dir.join("stream")).expect("bind");
    let packets = ipc_uds::bind_seqpacket(dir.join("packets")).expect("bind");
    let datagrams = ipc_uds::bind_datagram(dir.join("datagrams")).expect("bind");
    for outcome in [
        ipc_uds::connect(dir.join("packets")).map(drop),
        ipc_uds::connect(dir.join("datagrams")).map(drop),
        ipc_uds::connect_seqpacket(dir.join("stream")).map(drop),
        ipc_uds::connect_datagram(dir.join("stream")).map(drop),
        ipc_uds::datagram()
            .expect("a socket")
            .send_to(b"x", &Address::path(dir.join("packets")).expect("short")),
    ] {
        assert_eq!(
            outcome.expect_err("another kind").kind(),
            ErrorKind::WrongType
        );
    }
    drop((stream, packets, datagrams));
    assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
}

#[test]
fn a_waiting_connection_shows_on_the_listeners_descriptor() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let listener = ipc_uds::bind_seqpacket(dir.join("socket")).expect("bind");
    let read = [ipc_core::Interest::Read];
    let late = listener
        .wait_ready(&read, ipc_core::Until::after(SHORT))
        .expect_err("nobody");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    let _client = ipc_uds::connect_seqpacket(dir.join("socket")).expect("connect");
    listener
        .wait_ready(&read, ipc_core::Until::Forever)
        .expect("ready");
    assert!(listener.as_fd().try_clone_to_owned().is_ok());
    listener.try_accept().expect("ready");
}
